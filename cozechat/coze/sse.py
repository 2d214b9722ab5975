"""Bytes of a server-sent event stream to (event, data) pairs, without I/O.

Lines end at CR, LF or CRLF only. Text methods such as `splitlines` also cut at U+2028, U+0085 and form feeds,
which models do write: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from cozechat.coze.errors import TooLarge

BOM = b"\xef\xbb\xbf"
LINE_LIMIT = 4 * 1024 * 1024
EVENT_LIMIT = 8 * 1024 * 1024


class EventParser:
    """One stream's parser: give it bytes cut anywhere, get the events that they complete.

    What passes a limit is a breach: `feed` still returns the events before it, `breach` then holds the error.
    """

    def __init__(self, *, max_line: int = LINE_LIMIT, max_event: int = EVENT_LIMIT) -> None:
        self.breach: TooLarge | None = None
        self.replaced = 0
        self._max_line = max_line
        self._max_event = max_event
        self._parts: list[bytes] = []
        self._parts_size = 0
        self._after_cr = False
        self._at_start = True
        self._event = b""
        self._data: list[bytes] = []
        self._data_size = 0

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """The events that `chunk` completes."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._after_cr = chunk[-1:] == b"\r"
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events: list[tuple[str, str]] = []
        head, newline, rest = chunk.rpartition(b"\n")
        if newline:
            self._take_lines((b"".join(self._parts) + head).split(b"\n"), events)
            self._parts.clear()
            self._parts_size = 0
        self._keep(rest)
        return events

    def end(self) -> bool:
        """Whether the bytes stopped within an event; by the standard it is dropped."""
        return bool(self._data or self._event or any(self._parts))

    def _keep(self, rest: bytes) -> None:
        if self.breach or not rest:
            return
        self._parts.append(rest)
        self._parts_size += len(rest)
        if self._parts_size > self._max_line:
            self._give_up(f"a line of the stream is longer than {self._max_line} bytes")

    def _take_lines(self, lines: list[bytes], events: list[tuple[str, str]]) -> None:
        if self._at_start:
            self._at_start = False
            lines[0] = lines[0].removeprefix(BOM)
        for line in lines:
            if self.breach:
                return
            if line:
                self._take_field(line)
            elif self._data:
                events.append((self._text(self._event), self._text(b"\n".join(self._data))))
                self._reset()
            else:
                self._event = b""

    def _take_field(self, line: bytes) -> None:
        if len(line) > self._max_line:
            self._give_up(f"a line of the stream is longer than {self._max_line} bytes")
            return
        name, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if name == b"data":
            self._data.append(value)
            self._data_size += len(value) + 1
            if self._data_size > self._max_event:
                self._give_up(f"an event of the stream is longer than {self._max_event} bytes")
        elif name == b"event":
            self._event = value

    def _give_up(self, reason: str) -> None:
        self.breach = TooLarge(reason)
        self._parts.clear()
        self._reset()

    def _reset(self) -> None:
        self._event = b""
        self._data = []
        self._data_size = 0

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.replaced += 1
            return raw.decode("utf-8", "replace")
