"""Sharing: an owner shows a conversation, as it is now, to whoever has the link, until it ends or is taken back."""
