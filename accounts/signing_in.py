"""Spares Coze, and the people, sign-ins that it keeps refusing: one breaker for each app of an event loop."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

from cozechat.catalog.models import CozeApp
from cozechat.coze.breaker import Breaker
from cozechat.coze.errors import CozeError, ExchangeFailed, ExchangeRefused, SignInSuspended, TokenRefused

_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Breaker]] = WeakKeyDictionary()


@contextmanager
def attempt(app: CozeApp) -> Iterator[Breaker]:
    """Do something that needs to be signed in at Coze. Raises SignInSuspended after too many refusals in a row.

    Whoever finds earlier that Coze takes the token says `succeeded()`. What fails inside for another reason than
    the sign-in says nothing about it.
    """
    breakers = _loops.setdefault(asyncio.get_running_loop(), {})
    breaker = breakers.setdefault(app.pk, _closed())
    breaker.admit(time.monotonic())
    try:
        yield breaker
    except CozeError as error:
        if _is_refused(error):
            breaker.failed(time.monotonic())
        raise
    finally:
        breaker.undecided()


def _closed() -> Breaker:
    return Breaker(refusal=SignInSuspended, reason="Coze refuses this site's credentials")


def _is_refused(error: CozeError) -> bool:
    return isinstance(error, (TokenRefused, ExchangeRefused)) and not isinstance(error, ExchangeFailed)
