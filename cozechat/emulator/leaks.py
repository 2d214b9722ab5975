"""Ways in which a badly set-up Coze mixes its users, to be shown on purpose."""

MEMORY = "memory"
"""One memory for all: the mind reads every conversation of the account."""
DEFAULT_CONVERSATION = "default-conversation"
"""A chat that names no conversation lands in one that everybody shares."""
OWNERSHIP = "ownership"
"""Nobody asks whose conversation it is."""
WRONG_CONVERSATION = "wrong-conversation"
"""A stream carries the id of another conversation."""

LEAKS = (MEMORY, DEFAULT_CONVERSATION, OWNERSHIP, WRONG_CONVERSATION)
