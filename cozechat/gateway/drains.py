"""Calls that go on without a client, or wait for what they have cost: so many at once, and no more."""

from collections import Counter

from django.conf import settings

from cozechat.gateway.models import ApiKey


class Drains:
    """Those of one process.

    Whoever leaves when there are too many already has left last, so it is his chat that is cancelled: the others are
    nearer to their end, and a crowd that comes and leaves cannot end what somebody else has left behind. Runs are not
    counted, for nobody can cancel them; nor are calls for whose answer somebody may come back. A call that has failed
    and waits for Coze's counts has no client any more either: beyond the limit others look it up later.
    """

    def __init__(self) -> None:
        self._owners: dict[str, int] = {}

    def begin(self, request_id: str, *, key: ApiKey) -> bool:
        """Whether this call may go on without its client."""
        if request_id in self._owners:
            return True
        of_owner = Counter(self._owners.values())[key.owner_id]
        if len(self._owners) >= settings.GATEWAY_DRAINS or of_owner >= settings.GATEWAY_DRAINS_OF_OWNER:
            return False
        self._owners[request_id] = key.owner_id
        return True

    def end(self, request_id: str) -> None:
        """The call is over."""
        self._owners.pop(request_id, None)
