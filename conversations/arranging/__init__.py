"""How people keep their conversations: JSON to arrange, discard and restore several at once, and to make folders."""
