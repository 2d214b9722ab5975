"""This process's Coze clients: one for each app and event loop."""

import asyncio
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from django.conf import settings

from cozechat import counters
from cozechat.catalog.environment import credentials_of
from cozechat.catalog.models import CozeApp
from cozechat.catalog.tools import close_kai
from cozechat.coze.calls import Limits
from cozechat.coze.client import CozeClient
from cozechat.coze.credentials import Credentials


@dataclass
class _LoopClients:
    """The clients that belong to one event loop; connections cannot wander between loops."""

    current: dict[int, tuple[Credentials, CozeClient]] = field(default_factory=dict)
    # Replaced after a change of credentials, but maybe still streaming: closed with the rest.
    retired: list[CozeClient] = field(default_factory=list)


_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _LoopClients] = WeakKeyDictionary()


def coze_client(app: CozeApp) -> CozeClient:
    """The running loop's client for this app, renewed when the app's credentials have changed."""
    clients = _loops.setdefault(asyncio.get_running_loop(), _LoopClients())
    credentials = credentials_of(app)
    known = clients.current.get(app.pk)
    if known and known[0] == credentials:
        return known[1]
    if known:
        clients.retired.append(known[1])
    client = CozeClient(credentials, limits=_limits())
    clients.current[app.pk] = (credentials, client)
    return client


def _limits() -> Limits:
    return Limits(
        max_connections=settings.COZE_POOL_SIZE,
        max_streams=settings.COZE_STREAM_POOL_SIZE,
        pool_timeout=settings.COZE_POOL_TIMEOUT,
        connect_timeout=settings.COZE_CONNECT_TIMEOUT,
        read_timeout=settings.COZE_SILENCE_SECONDS,
        content_timeout=settings.COZE_CONTENT_SECONDS,
    )


def is_refusing() -> bool:
    """Whether some client of the running loop asks Coze nothing for the moment, because it did not answer."""
    clients = _loops.get(asyncio.get_running_loop())
    return clients is not None and any(
        client.is_refusing for _credentials, client in clients.current.values()
    )


def connections_taken() -> tuple[int, int]:
    """How many connections to Coze the running loop's calls have now, and how many its streams."""
    clients = _loops.get(asyncio.get_running_loop()) or _LoopClients()
    each = [*clients.retired, *(client for _credentials, client in clients.current.values())]
    calls, streams = (
        sum(numbers) for numbers in zip((0, 0), *(client.taken for client in each), strict=True)
    )
    return calls, streams


def _waiting(which: int) -> int:
    every = [client for clients in list(_loops.values()) for client in _all_of(clients)]
    return sum(client.waiting[which] for client in every)


def _all_of(clients: _LoopClients) -> list[CozeClient]:
    return [*clients.retired, *(client for _credentials, client in list(clients.current.values()))]


def show_gauges() -> None:
    """Let whoever watches see the pools: how long the lines are, and how many connections an app may have."""
    counters.gauge("connections_waiting", read=lambda: _waiting(0))
    counters.gauge("streams_waiting", read=lambda: _waiting(1))
    counters.gauge("connections_most", read=lambda: settings.COZE_POOL_SIZE)
    counters.gauge("streams_most", read=lambda: settings.COZE_STREAM_POOL_SIZE)


async def close_clients() -> None:
    """Close every client of the running loop: the last act of a process or a command."""
    await close_kai()
    clients = _loops.pop(asyncio.get_running_loop(), None)
    if clients is None:
        return
    for client in [*clients.retired, *(client for _credentials, client in clients.current.values())]:
        await client.aclose()
