"""The turn engine: a question goes in, its answer grows, and exactly one end is reached.

The server owns a running answer. Closing a tab never ends it; `stop` does, and only its owner's.
"""

from conversations.turns.allowances import allowance_of, is_charged
from conversations.turns.arranging import Arrangement, NoSuchFolder, arrange, tell_changed
from conversations.turns.beginning import Begun, begin
from conversations.turns.changes import (
    choose,
    clear_context,
    delete_conversation,
    delete_turn,
    rename_conversation,
    restore_context,
    restore_turn,
)
from conversations.turns.choosing import path_through
from conversations.turns.clearing import NothingToClear
from conversations.turns.discarding import discard, restore
from conversations.turns.engine import Engine, engine, hub
from conversations.turns.judging import judge
from conversations.turns.locking import Busy
from conversations.turns.pacing import turns_today
from conversations.turns.reading import describe_conversation, describe_message
from conversations.turns.receiving import (
    NoConversation,
    Receipt,
    SeveralConversations,
    TurnStillRuns,
    Utterance,
    receive,
)
from conversations.turns.showing import newest_messages
from conversations.turns.starting import SignedOut, ask, edit, open_conversation, resume, start, stop

__all__ = [
    "Arrangement",
    "Begun",
    "Busy",
    "Engine",
    "NoConversation",
    "NoSuchFolder",
    "NothingToClear",
    "Receipt",
    "SeveralConversations",
    "SignedOut",
    "TurnStillRuns",
    "Utterance",
    "allowance_of",
    "arrange",
    "ask",
    "begin",
    "choose",
    "clear_context",
    "delete_conversation",
    "delete_turn",
    "describe_conversation",
    "describe_message",
    "discard",
    "edit",
    "engine",
    "hub",
    "is_charged",
    "judge",
    "newest_messages",
    "open_conversation",
    "path_through",
    "receive",
    "rename_conversation",
    "restore",
    "restore_context",
    "restore_turn",
    "resume",
    "start",
    "stop",
    "tell_changed",
    "turns_today",
]
