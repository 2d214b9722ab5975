"""Gives every user a valid access token of their own, and asks Coze for each of them only once.

Memory, else the database, else one exchange. The exchange is claimed by a conditional `UPDATE` of the row, so
that of all tasks and processes that want it one asks Coze and the others wait for the row. Coze cannot
refresh these tokens: each one is exchanged anew, some minutes before the old one ends.
"""

import asyncio
import logging
import secrets
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from accounts import leases, lending, signing_in
from accounts.leases import Held, Wanted
from accounts.models import User
from cozechat import counters, database, logs
from cozechat.catalog import keys
from cozechat.catalog.clients import coze_client
from cozechat.catalog.environment import origin_of, personal_token_of
from cozechat.catalog.models import CozeApp
from cozechat.coze.credentials import IssuedToken
from cozechat.coze.errors import Busy, CozeError, RateLimited

logger = logging.getLogger(__name__)

# How long a token is handed out before its row is looked at again: revoking it in the admin takes that long.
TRUSTED_SECONDS = 30.0
# A loop that remembers more tokens than this forgets the one it used longest ago.
MEMORY_LIMIT = 10_000
# A claim whose owner has died keeps the others waiting no longer than this; a living owner extends it.
LEASE_SECONDS = 8.0
PATIENCE_SECONDS = 30.0
# After an exchange that failed nobody asks again for the same token before this has passed.
FAILURE_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.4

_random = secrets.SystemRandom().random

# The name is a part of the key: even a user object with a wrong one never meets another name's token. So is where the
# token came from: one that another host issued is never shown to this one.
Key = tuple[int, int, str, str]
T = TypeVar("T")


class TokenUnavailable(Busy):
    """Another process holds the claim for this token and has not got one in time."""

    nothing_sent = True


@dataclass(slots=True)
class Memory:
    """What a loop knows of one user's token, without asking the database."""

    held: Held | None = None
    trusted_until: float = 0.0
    spent: str | None = None
    failure: CozeError | None = None
    failed_at: float = 0.0

    def refuse_after_failure(self, now: float) -> None:
        """Raise what the last exchange failed with, if it was a moment ago; it says when to come back."""
        left = self.failed_at + FAILURE_SECONDS - now
        if self.failure is not None and 0 < left <= FAILURE_SECONDS:
            self.failure.retry_after = left
            raise self.failure.with_traceback(None)

    def fresh(self, now: float) -> Held | None:
        """The token, if it can be handed out without a look at its row."""
        return self.held if self.held and now < self.trusted_until and self.held.is_fresh(now) else None


class TokenCache:
    """The tokens that one event loop remembers, and the tasks that fetch them.

    The tasks belong to the cache: whoever waits may be cancelled, a request to Coze never is.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = _random,
        lease: float = LEASE_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._lease = lease
        self._patience = patience
        self._memory: OrderedDict[Key, Memory] = OrderedDict()
        self._fetching: dict[Key, asyncio.Task[str]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    async def access_token(self, user: User, *, app: CozeApp) -> str:
        """A token that Coze issued for exactly this user. Raises `CozeError` when there is none to be had."""
        key = _key(user, app=app)
        held = self._remembered(key).fresh(self._clock())
        if held:
            return held.token
        fetching = self._fetching.get(key)
        if fetching is None:
            self._remembered(key).refuse_after_failure(self._clock())
            fetching = self._fetching[key] = self._own(self._fetch(key, app=app), key=key)
            fetching.add_done_callback(lambda _done: self._fetching.pop(key))
        # Not a shield, which would report an error that a caller who has left never looked at.
        await asyncio.wait((fetching,))
        return fetching.result()

    async def discard(self, user: User, *, app: CozeApp, token: str) -> None:
        """Forget a token that Coze no longer takes; a newer one that stands in its place stays."""
        memory = self._remembered(_key(user, app=app))
        if memory.held and memory.held.token == token:
            memory.held = None
        # A fetch that has read the row before it is cleared below must not hand this token out again.
        memory.spent = token
        await database.run(leases.clear, app_id=app.pk, user_id=user.pk, token=token)

    async def issue(self, user: User, *, app: CozeApp, ttl: int) -> IssuedToken:
        """A token of this user's that is kept nowhere here, for at most `ttl` seconds."""
        key = _key(user, app=app)
        asking = self._own(_asked_once(user.session_name, app=app, ttl=ttl), key=key)
        await asyncio.wait((asking,))
        return asking.result()

    async def aclose(self) -> None:
        """Let the exchanges under way come to their end; waiting for other processes ends at once."""
        self._closing = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _remembered(self, key: Key) -> Memory:
        memory = self._memory.setdefault(key, Memory())
        self._memory.move_to_end(key)
        if len(self._memory) > MEMORY_LIMIT:
            self._memory.popitem(last=False)
        return memory

    def _remember(self, key: Key, *, held: Held) -> str:
        memory = self._remembered(key)
        memory.held = held
        memory.trusted_until = self._clock() + TRUSTED_SECONDS
        return held.token

    def _own(self, work: Coroutine[Any, Any, T], *, key: Key) -> asyncio.Task[T]:
        # Whoever asks for the same token meanwhile waits for this task, too: it belongs to their user, not to a turn.
        context = logs.context_of(user_id=key[1])
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._ended, context=context)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        # Looked at here, because whoever waited for it may be gone.
        if not task.cancelled() and task.exception() is not None:
            logger.warning("no access token: %s", task.exception())

    async def _fetch(self, key: Key, *, app: CozeApp) -> str:
        """The token from its row, waiting while somebody else exchanges it, or exchanging it ourselves."""
        if personal := personal_token_of(app):
            held = await database.run(lending.lend, Wanted(*key), token=personal, now=self._clock())
            return self._remember(key, held=held)
        given_up = self._clock() + self._patience
        pause = FIRST_PAUSE
        while True:
            found = await database.run(leases.look, Wanted(*key), now=self._clock(), lease=self._lease)
            if found.held and found.held.token != self._remembered(key).spent:
                if found.claim:
                    # The old token still works: nobody has to wait for the new one.
                    self._own(self._exchange(key, app=app, claim=found.claim), key=key)
                return self._remember(key, held=found.held)
            if found.claim:
                return await self._exchange_or_release(key, app=app, claim=found.claim)
            if self._closing or self._clock() > given_up:
                raise TokenUnavailable("another process holds the claim for this token")
            await asyncio.sleep(pause * (0.5 + self._jitter()))
            pause = min(pause * 1.5, LONGEST_PAUSE)

    async def _exchange_or_release(self, key: Key, *, app: CozeApp, claim: uuid.UUID) -> str:
        """Exchange what others wait for; after a failure other processes may try at once, this one in a moment.

        Where an old token still works the claim is left to lapse instead: so a Coze that is down is asked for
        the next one once in a lease, not with every question.
        """
        try:
            return await self._exchange(key, app=app, claim=claim)
        except Exception as error:
            if isinstance(error, CozeError) and not (error.nothing_sent or isinstance(error, RateLimited)):
                memory = self._remembered(key)
                memory.failure, memory.failed_at = error, self._clock()
            await database.run(leases.release, claim)
            raise

    async def _exchange(self, key: Key, *, app: CozeApp, claim: uuid.UUID) -> str:
        """The one place that asks Coze for a token."""
        _app_id, _user_id, session_name, origin = key
        lease = asyncio.get_running_loop().create_task(self._keep(claim))
        try:
            counters.add("token_exchanges")
            issued = await coze_client(app).exchange(session_name=session_name, ttl=app.token_ttl)
        except CozeError:
            counters.add("token_exchange_failures")
            raise
        finally:
            # The renewals of the lease touch the database only; cancelling them harms no connection to Coze.
            lease.cancel()
            await asyncio.gather(lease, return_exceptions=True)
        held = Held(session_name, issued.token, self._clock(), float(issued.expires_at))
        await database.run(leases.store, claim, held=held, origin=origin)
        if issued.refusal or app.key_refused_at:
            await database.run(keys.note, app, refusal=issued.refusal)
        return self._remember(key, held=held)

    async def _keep(self, claim: uuid.UUID) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            await database.run(leases.extend, claim, until=self._clock() + self._lease)


async def _asked_once(session_name: str, *, app: CozeApp, ttl: int) -> IssuedToken:
    if personal_token_of(app):
        # It is the Coze account itself, and never leaves the server.
        raise lending.TokenOfOnePerson("a personal access token is given to no page")
    with signing_in.attempt(app) as sign_in:
        counters.add("token_exchanges")
        issued = await coze_client(app).exchange(session_name=session_name, ttl=ttl)
        sign_in.succeeded()
        return issued


def _key(user: User, *, app: CozeApp) -> Key:
    if not user.session_name:
        raise ValueError("a token without a session_name would isolate nobody")
    return (app.pk, user.pk, user.session_name, origin_of(app))


_caches: WeakKeyDictionary[asyncio.AbstractEventLoop, TokenCache] = WeakKeyDictionary()


def _this_loop() -> TokenCache:
    return _caches.setdefault(asyncio.get_running_loop(), TokenCache())


async def access_token(user: User, *, app: CozeApp) -> str:
    """A token that Coze issued for exactly this user. Raises `CozeError` when there is none to be had."""
    return await _this_loop().access_token(user, app=app)


async def issue(user: User, *, app: CozeApp, ttl: int) -> IssuedToken:
    """A fresh token for the user's own page, kept nowhere: whoever has it can do what it opens at Coze, until it ends.

    Raises `CozeError`.
    """
    return await _this_loop().issue(user, app=app, ttl=ttl)


async def discard(user: User, *, app: CozeApp, token: str) -> None:
    """Forget a token that Coze answered with 4100 or 700012006; the next call exchanges a new one."""
    await _this_loop().discard(user, app=app, token=token)


async def farewell_token(session_name: str, *, app: CozeApp, ttl: int) -> str:
    """A token to tidy up with behind an account that is gone, and whose stored token went with it."""
    personal = personal_token_of(app)
    if personal:
        return personal
    return (await coze_client(app).exchange(session_name=session_name, ttl=ttl)).token


async def aclose() -> None:
    """End what the running loop still fetches: before its Coze clients are closed."""
    cache = _caches.pop(asyncio.get_running_loop(), None)
    if cache:
        await cache.aclose()
