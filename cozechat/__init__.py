"""CozeChat: multi-user chat on Coze."""
