"""Trades assertions for access tokens with whichever of an app's keys Coze takes."""

import time
from collections.abc import Callable
from dataclasses import replace

from cozechat.coze import oauth
from cozechat.coze.credentials import Credentials, IssuedToken, KeyPair
from cozechat.coze.errors import BadRequest, CozeError, ExchangeFailed, ExchangeRefused, InvalidKey
from cozechat.coze.transport import Transport

# How long the other key goes first, after the one in use was refused and the other was not.
PREFERENCE_SECONDS = 60.0
# Coze's words for a refusal that no other key would mend.
_NOT_THE_KEY = frozenset({"access_deny", "invalid_request", "unsupported_grant_type"})


class Exchanges:
    """The token exchange of one app."""

    def __init__(self, credentials: Credentials, *, transport: Transport, clock: Callable[[], float]) -> None:
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._other_first_until = float("-inf")
        self._refusal = ""

    async def token(self, *, session_name: str, ttl: int) -> IssuedToken:
        """A token of `session_name` that lives at most `ttl` seconds.

        The key in use signs. If Coze refuses it and takes the app's other key, that one serves, and the token says
        what the refusal was. If both are refused, it is the refusal of the key in use that is raised.
        """
        own, other = self._credentials.key, self._credentials.other_key
        if self._credentials.personal_token:
            raise BadRequest("a personal access token is not traded for another one")
        if other is None:
            return await self._trade(own, session_name=session_name, ttl=ttl)
        if time.monotonic() < self._other_first_until:
            try:
                issued = await self._trade(other, session_name=session_name, ttl=ttl)
                return replace(issued, refusal=self._refusal)
            except (ExchangeRefused, InvalidKey):
                self._other_first_until = float("-inf")
        try:
            return await self._trade(own, session_name=session_name, ttl=ttl)
        except (ExchangeRefused, InvalidKey) as refusal:
            if not _is_about_the_key(refusal):
                raise
            return await self._fall_back(other, refusal, session_name=session_name, ttl=ttl)

    async def _fall_back(
        self, other: KeyPair, refusal: CozeError, *, session_name: str, ttl: int
    ) -> IssuedToken:
        try:
            issued = await self._trade(other, session_name=session_name, ttl=ttl)
        except CozeError:
            raise refusal from None
        self._other_first_until = time.monotonic() + PREFERENCE_SECONDS
        self._refusal = str(refusal)
        return replace(issued, refusal=self._refusal)

    async def _trade(self, key: KeyPair, *, session_name: str, ttl: int) -> IssuedToken:
        now = self._clock()
        credentials = self._credentials.with_key(key)
        request = oauth.exchange_request(credentials, session_name=session_name, ttl=ttl, now=now)
        return oauth.read_token(await self._transport.call(request), ttl=ttl, now=now)


def _is_about_the_key(refusal: CozeError) -> bool:
    """Whether another key may be taken where this one was not; Coze's words are not all documented."""
    if isinstance(refusal, ExchangeFailed):
        return False
    return not isinstance(refusal, ExchangeRefused) or refusal.error_code not in _NOT_THE_KEY
