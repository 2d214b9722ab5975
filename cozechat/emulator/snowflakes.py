"""Ids as Coze makes them: 19-digit numbers that grow with time, and log ids."""

import secrets
import time


class Snowflakes:
    """A source of ever growing ids; seconds in the upper 32 bits, as in real ones."""

    def __init__(self, *, after: int = 0) -> None:
        self._last = after

    def next(self) -> str:
        seconds, fraction = divmod(time.time(), 1)
        fresh = (int(seconds) << 32) | (int(fraction * 1000) << 22) | secrets.randbits(20)
        self._last = max(self._last + 1, fresh)
        return str(self._last)


def log_id() -> str:
    """14 digits of local time and 20 upper-case hex digits."""
    return time.strftime("%Y%m%d%H%M%S") + secrets.token_hex(10).upper()
