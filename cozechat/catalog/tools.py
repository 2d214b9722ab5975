"""The KAI tools of this site: where their server is, which may be invoked, and this process's clients."""

import asyncio
import atexit
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from django.conf import settings
from django.utils import timezone

from cozechat.catalog.models import KaiTool
from cozechat.kai import Kai, Tool, process

_starting = threading.Lock()
_own: list[process.RunningDemo] = []


@dataclass(frozen=True, slots=True)
class Address:
    """Where the tool server is, and the key that it wants."""

    url: str
    key: str = field(repr=False)


def is_demo() -> bool:
    """Whether the demo server stands in: beside the emulator, where no other is named."""
    return bool(settings.COZE_EMULATED and not settings.KAI_MCP_URL)


def address() -> Address | None:
    """The tool server's address; None: there is none. The demo server is started by whoever first wants it."""
    if settings.KAI_MCP_URL:
        return Address(settings.KAI_MCP_URL, settings.KAI_API_KEY)
    if not is_demo():
        return None
    with _starting:
        if not _own or not _own[-1].is_running:
            _own.append(process.start())
            atexit.register(_own[-1].stop)
        return Address(_own[-1].url, _own[-1].key)


_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Address, Kai]] = WeakKeyDictionary()


async def kai() -> Kai | None:
    """The running loop's client; None: this site has no tools."""
    where = await asyncio.to_thread(address)
    if where is None:
        return None
    clients = _loops.setdefault(asyncio.get_running_loop(), {})
    return clients.setdefault(where, Kai(where.url, key=where.key))


async def close_kai() -> None:
    """Close every client of the running loop."""
    for client in _loops.pop(asyncio.get_running_loop(), {}).values():
        await client.aclose()


def allowed_tools(names: Iterable[str]) -> dict[str, KaiTool]:
    """Those of the named tools that may be invoked, by name."""
    if is_demo():
        allow_demo_tools()
    return {tool.name: tool for tool in KaiTool.objects.allowed().filter(name__in=set(names))}


def allow_demo_tools() -> None:
    """The demo's tools may be invoked, unless somebody has decided otherwise: rows that are there stay as they are."""
    known = set(KaiTool.objects.filter(name__in=process.DEMO_TOOLS).values_list("name", flat=True))
    missing = [
        KaiTool(name=name, title=title, allowed=True, timeout_seconds=seconds)
        for name, (title, seconds) in process.DEMO_TOOLS.items()
        if name not in known
    ]
    if missing:
        KaiTool.objects.bulk_create(missing, ignore_conflicts=True)


def store_tools(offered: Iterable[Tool]) -> int:
    """Write down what the server offers; what is new is not allowed. Returns how many there are."""
    now, count = timezone.now(), 0
    for tool in offered:
        said = {"description": tool.description, "schema": dict(tool.schema), "seen_at": now}
        row, created = KaiTool.objects.get_or_create(name=tool.name, defaults={**said, "title": tool.title})
        if not created:
            titled = {} if row.title else {"title": tool.title}
            KaiTool.objects.filter(pk=row.pk).update(**said, **titled)
        count += 1
    return count
