"""What an assistant thinks aloud on the way to its answer: never part of it, shown folded above it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from conversations import frames

# More than that nobody reads; what comes after is passed over (characters).
LIMIT = 100_000


@dataclass(slots=True)
class Thought:
    """The thoughts of one turn, and for how long they were thought; `seconds` is None while they still come."""

    text: str = ""
    seconds: float | None = None
    _unsent: int = 0
    _sent_utf16: int = 0
    _began: float = 0.0
    _told: bool = False

    def add(self, piece: str, *, now: float | None = None) -> None:
        """More of them; after a first word of the answer they go on."""
        now = time.monotonic() if now is None else now
        self._began = self._began or now
        self.seconds, self._told = None, False
        if len(self.text) < LIMIT:
            self.text += piece[: LIMIT - len(self.text)]

    def close(self, *, now: float | None = None) -> None:
        """No more come, as far as anybody knows."""
        if self._began and self.seconds is None:
            self.seconds = round((time.monotonic() if now is None else now) - self._began, 1)

    def take(self, text: str, *, seconds: float | None) -> None:
        """These are they, as another process or a row has them."""
        self.text, self.seconds = text, seconds
        self._unsent, self._told = len(text), True
        self._sent_utf16 = frames.utf16_length(text)

    def news(self) -> Iterator[tuple[str, int, int]]:
        """What was not told yet: pieces, where each begins in characters, and as a browser counts them."""
        fresh = self.text[self._unsent :]
        if fresh or (self.seconds is not None and not self._told):
            start, at = self._unsent, self._sent_utf16
            for piece in frames.pieces(fresh):
                yield piece, start, at
                start, at = start + len(piece), at + frames.utf16_length(piece)
            self._unsent, self._sent_utf16 = start, at
            self._told = self.seconds is not None

    def whole(self) -> Iterator[tuple[str, int]]:
        """All of it in pieces, for whoever comes later."""
        at = 0
        for piece in frames.pieces(self.text) if self.text else ():
            yield piece, at
            at += frames.utf16_length(piece)
