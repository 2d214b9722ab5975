"""An account is deleted: what its programs' end users have at Coze, so that it is deleted there as well."""

from accounts.belongings import AtCoze
from accounts.models import User
from cozechat.gateway.models import StickyConversation


def at_coze(user: User) -> list[AtCoze]:
    """The conversations of one end user, or of a user in person."""
    rows = StickyConversation.objects.owned_by(user).exclude(coze_conversation_id="")
    return [AtCoze(*row) for row in rows.values_list("app_id", "coze_conversation_id")]
