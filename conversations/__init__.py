"""What people say and what Coze answers: conversations, turns, messages."""
