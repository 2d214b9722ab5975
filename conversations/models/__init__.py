"""Conversations, turns and messages; what must always hold is a constraint."""

from conversations.models.attachments import Attachment, AttachmentPiece, AttachmentQuerySet
from conversations.models.branches import Branch, Cut
from conversations.models.conversations import TITLE_LENGTH, Conversation, ConversationQuerySet, CozeLeftover
from conversations.models.days import TurnDay
from conversations.models.feedback import COMMENT_LENGTH, Feedback
from conversations.models.folders import FOLDER_NAME_LENGTH, FOLDERS_A_USER, Folder, FolderQuerySet
from conversations.models.messages import Message, MessageQuerySet
from conversations.models.paths import MAIN, Line, Lines, Path, holds
from conversations.models.receipts import DeletionReceipt, ReceiptLine
from conversations.models.search import SearchEntry
from conversations.models.shares import Share, ShareQuerySet
from conversations.models.steps import Step
from conversations.models.turns import Turn, TurnQuerySet

__all__ = [
    "COMMENT_LENGTH",
    "FOLDERS_A_USER",
    "FOLDER_NAME_LENGTH",
    "MAIN",
    "TITLE_LENGTH",
    "Attachment",
    "AttachmentPiece",
    "AttachmentQuerySet",
    "Branch",
    "Conversation",
    "ConversationQuerySet",
    "CozeLeftover",
    "Cut",
    "DeletionReceipt",
    "Feedback",
    "Folder",
    "FolderQuerySet",
    "Line",
    "Lines",
    "Message",
    "MessageQuerySet",
    "Path",
    "ReceiptLine",
    "SearchEntry",
    "Share",
    "ShareQuerySet",
    "Step",
    "Turn",
    "TurnDay",
    "TurnQuerySet",
    "holds",
]
