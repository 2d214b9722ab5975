"""How fast a key may call: requests and tokens a minute, calls at once."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from django.utils import timezone
from limits.errors import StorageError

from cozechat import database
from cozechat.gateway.errors import rate_limited
from cozechat.gateway.models import ApiKey, Slot
from cozechat.ratelimits import Allowance, counter
from cozechat.usage.reserving import LEASE

logger = logging.getLogger(__name__)
_BUSY_SECONDS = 1.0


class Pace:
    """What one call has taken of its key's limits, and what the headers say of them."""

    def __init__(self, key: ApiKey) -> None:
        self.headers: dict[str, str] = {}
        self._key = key
        self._taken = 0
        self._taken_at = 0.0

    # Limits of pace protect the service, money is guarded by the database: a Redis that is away refuses nobody.

    async def count_request(self) -> None:
        """Count this call, also one that is only told again. Raises Refusal."""
        limit = self._key.requests_per_minute
        if limit is None:
            return
        try:
            found = await counter().hit(f"requests-{self._key.pk}", limit=limit)
        except StorageError:
            logger.exception("rate limits cannot be counted")
            return
        self._note("requests", found)
        if not found.granted:
            raise rate_limited(
                f"This key may call {limit} times a minute.",
                kind="requests",
                seconds=found.reset,
                headers=self.headers,
            )

    async def take_tokens(self, tokens: int) -> None:
        """Count what this call may use. Raises Refusal."""
        limit = self._key.tokens_per_minute
        if limit is None:
            return
        # A call that is larger than any minute may still go, alone.
        amount = min(tokens, limit)
        try:
            found = await counter().take(f"tokens-{self._key.pk}", amount=amount, limit=limit)
        except StorageError:
            logger.exception("rate limits cannot be counted")
            return
        self._note("tokens", found)
        if not found.granted:
            raise rate_limited(
                f"This key may use {limit} tokens a minute.",
                kind="tokens",
                seconds=found.reset,
                headers=self.headers,
            )
        self._taken, self._taken_at = amount, time.time()

    async def correct(self, *, tokens: int) -> None:
        """The call has used so many tokens after all."""
        limit = self._key.tokens_per_minute
        if limit is None or not self._taken:
            return
        by, self._taken = tokens - self._taken, 0
        try:
            await counter().correct(f"tokens-{self._key.pk}", by=by, limit=limit, taken_at=self._taken_at)
        except StorageError:
            logger.exception("rate limits cannot be counted")

    def _note(self, what: str, found: Allowance) -> None:
        self.headers |= {
            f"x-ratelimit-limit-{what}": str(found.limit),
            f"x-ratelimit-remaining-{what}": str(found.remaining),
            f"x-ratelimit-reset-{what}": f"{found.reset:.3f}s",
        }


@asynccontextmanager
async def slot(key: ApiKey, *, request_id: str) -> AsyncIterator[None]:
    """One of the calls that the key may make at once. Raises Refusal."""
    if key.concurrency is None:
        yield
        return
    if not await database.run(_claim, key, request_id=request_id):
        raise rate_limited(
            f"This key may make {key.concurrency} calls at once.", kind="requests", seconds=_BUSY_SECONDS
        )
    try:
        yield
    finally:
        await database.run(_free, request_id)


def _claim(key: ApiKey, *, request_id: str) -> bool:
    now = timezone.now()
    return Slot.objects.claim(key, request_id=request_id, now=now, until=now + LEASE)


def _free(request_id: str) -> None:
    Slot.objects.free(request_id, now=timezone.now() - timedelta(microseconds=1))
