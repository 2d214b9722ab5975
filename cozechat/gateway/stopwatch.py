"""How long a call has taken, and its first words."""

import time
from collections.abc import Callable


class Stopwatch:
    """Runs from its making."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._first: float | None = None

    def first_words(self) -> None:
        """Something was said; only the first time counts."""
        if self._first is None:
            self._first = self._clock()

    @property
    def latency_ms(self) -> int:
        """Since the beginning."""
        return int((self._clock() - self._began) * 1000)

    @property
    def first_token_ms(self) -> int | None:
        """From the beginning to the first words."""
        return None if self._first is None else int((self._first - self._began) * 1000)
