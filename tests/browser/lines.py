"""The line between pages and server as a test bends it: cut, mended, counted, changed on its way."""

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, Page, WebSocketRoute

Frame = dict[str, Any]


class Line:
    """All sockets of a page or a browser; `said` is what the pages sent to the server, over all of them."""

    def __init__(self, owner: Page | BrowserContext, *, cut: bool = False) -> None:
        self.is_cut = cut
        self.said: list[Frame] = []
        self.opened = 0
        # Frames on their way to the page and to the server: changed, or (None) lost.
        self.to_page: Callable[[Frame], Frame | None] = lambda frame: frame
        self.to_server: Callable[[Frame], Frame | None] = lambda frame: frame
        self._sockets: list[WebSocketRoute] = []
        owner.route_web_socket("**/ws/chat/", self._connect)

    def _connect(self, page: WebSocketRoute) -> None:
        self.opened += 1
        self._sockets.append(page)
        if self.is_cut:
            page.close(code=4012)
            return
        server = page.connect_to_server()

        def up(text: str | bytes) -> None:
            frame = json.loads(text)
            self.said.append(frame)
            passed = self.to_server(frame)
            if passed is not None:
                server.send(json.dumps(passed))

        def down(text: str | bytes) -> None:
            passed = self.to_page(json.loads(text))
            if passed is not None:
                page.send(json.dumps(passed))

        page.on_message(up)
        server.on_message(down)

    def reply(self, frame: Frame) -> None:
        """Say something to the page that the server did not say."""
        self._sockets[-1].send(json.dumps(frame))

    def cut(self) -> None:
        """Every socket breaks, and no new one is let through."""
        self.is_cut = True
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            socket.close(code=4012)

    def mend(self) -> None:
        self.is_cut = False

    def started(self) -> list[str]:
        """What was asked, as often as it was said."""
        return [frame["content"] for frame in self.said if frame["type"] == "turn.start"]
