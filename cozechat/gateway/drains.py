"""Chats that go on although their client has left: so many at once, and no more."""

from collections import Counter

from django.conf import settings

from cozechat.gateway.models import ApiKey


class Drains:
    """Those of one process.

    Whoever leaves when there are too many already has left last, so it is his chat that is cancelled: the others are
    nearer to their end, and a crowd that comes and leaves cannot end what somebody else has left behind. Runs are not
    counted, for nobody can cancel them; nor are calls for whose answer somebody may come back.
    """

    def __init__(self) -> None:
        self._owners: dict[str, int] = {}

    def begin(self, request_id: str, *, key: ApiKey) -> bool:
        """Whether this call may go on without its client."""
        of_owner = Counter(self._owners.values())[key.owner_id]
        if len(self._owners) >= settings.GATEWAY_DRAINS or of_owner >= settings.GATEWAY_DRAINS_OF_OWNER:
            return False
        self._owners[request_id] = key.owner_id
        return True

    def end(self, request_id: str) -> None:
        """The call is over."""
        self._owners.pop(request_id, None)
