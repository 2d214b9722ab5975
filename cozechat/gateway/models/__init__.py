"""What the gateway stores."""

from cozechat.gateway.models.conversations import StickyConversation
from cozechat.gateway.models.end_users import EndUser
from cozechat.gateway.models.interruptions import Interruption
from cozechat.gateway.models.keys import ApiKey, Slot
from cozechat.gateway.models.manners import Manners
from cozechat.gateway.models.stored import StoredCall

__all__ = ["ApiKey", "EndUser", "Interruption", "Manners", "Slot", "StickyConversation", "StoredCall"]
