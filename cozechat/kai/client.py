"""KAI as this program sees it: invoke a tool, list the tools.

kai = Kai("https://tools.example.com/mcp", key="…")
text = await kai.invoke_tool("coffee_knowledge_query", {"query": "latte"}, timeout=30)
"""

import asyncio
import importlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from cozechat import counters
from cozechat.kai.errors import BadAnswer, KaiError, ToolFailed, UnknownTool
from cozechat.kai.tools import Tool, described, outcome

LIST_SECONDS = 10.0
# A listing serves for so long (seconds).
LIST_AGE = 60.0
_PAGES = 20


class Kai:
    """The tools of one MCP server, in one event loop. Every call raises a `KaiError` or returns what it promises."""

    def __init__(self, url: str, *, key: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._key, self._clock = url, key, clock
        self._line: Any = None
        self._opening = asyncio.Lock()
        self._listed: tuple[Tool, ...] = ()
        self._listed_at: float | None = None

    async def invoke_tool(
        self,
        name: str,
        payload: Mapping[str, Any],
        *,
        timeout: float,  # noqa: ASYNC109 - what it means to its callers; a cancelled call is not awaited
    ) -> str:
        """What came of it, as the text of one JSON object. A tool is invoked once, whatever comes of it."""
        counters.add("kai_calls")
        try:
            return await self._invoked(name, payload, seconds=timeout)
        except KaiError as error:
            counters.add("kai_failures", label=error.kind)
            raise

    async def _invoked(self, name: str, payload: Mapping[str, Any], *, seconds: float) -> str:
        line = await self._opened()
        until = self._clock() + seconds

        async def call(client: Any) -> Any:
            return await client.call_tool(name, dict(payload))

        result = await line.use(call, seconds=seconds)
        try:
            return outcome(result)
        except (ValueError, RecursionError):
            raise BadAnswer("The outcome of the tool cannot be written as JSON.") from None
        except ToolFailed as failed:
            # Servers answer alike for a tool that failed and for one that they do not have.
            if await self._is_missing(name, seconds=until - self._clock()):
                raise UnknownTool("The tool server has no tool of this name.") from None
            raise ToolFailed(self._without_key(failed.message)) from None

    async def greet(self, *, within: float = LIST_SECONDS) -> None:
        """Open a session and close it again: a connection, our key, and that what answers speaks MCP."""
        line = await self._opened()
        await line.use(_nothing, seconds=within)

    async def list_tools(self, *, fresh: bool = False, within: float = LIST_SECONDS) -> tuple[Tool, ...]:
        """What the server offers; for a minute the same again unless `fresh`."""
        if not fresh and self._listed_at is not None and self._clock() - self._listed_at < LIST_AGE:
            return self._listed
        line = await self._opened()
        found = await line.use(_list_all, seconds=within)
        self._listed, self._listed_at = found, self._clock()
        return self._listed

    async def aclose(self) -> None:
        """Close the connections; what still runs is ended."""
        if self._line is not None:
            await self._line.aclose()
            self._line = None

    async def _opened(self) -> Any:
        async with self._opening:
            if self._line is None:
                # Loading the SDK and the certificates would hold up the event loop for most of a second.
                self._line = await asyncio.to_thread(_open, self._url, key=self._key)
        return self._line

    async def _is_missing(self, name: str, *, seconds: float) -> bool:
        if seconds <= 0:
            return False
        try:
            offered = await self.list_tools(fresh=True, within=min(seconds, LIST_SECONDS))
        except KaiError:
            return False
        return all(tool.name != name for tool in offered)

    def _without_key(self, message: str) -> str:
        return message.replace(self._key, "…") if self._key else message


def _open(url: str, *, key: str) -> Any:
    return importlib.import_module("cozechat.kai.session").Line(url, key=key)


async def _nothing(_client: Any) -> None:
    """The session is all that is wanted."""


async def _list_all(client: Any) -> tuple[Tool, ...]:
    found: list[Tool] = []
    cursor = None
    for _page in range(_PAGES):
        page = await client.list_tools(cursor=cursor) if cursor else await client.list_tools()
        found += [tool for tool in map(described, page.tools) if tool]
        cursor = page.next_cursor
        if not cursor:
            break
    return tuple(found)
