"""An exception as text: where it came from and what it says, never the values that were at hand."""

import traceback
from types import TracebackType

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
_LONGEST = 500


def cause_of(error: BaseException) -> str:
    """An exception in one line: its first one.

    What follows in those of PostgreSQL (DETAIL: the failing row) and of validators is what people wrote.
    """
    said = str(error).strip().split("\n", 1)[0]
    said = said.partition("Failing row contains")[0][:_LONGEST]
    return f"{type(error).__qualname__}: {said}" if said else type(error).__qualname__


def told(error: BaseException, *, seen: frozenset[int] = frozenset()) -> str:
    """The whole chain, what caused it first, as Python prints it; members of a group follow it."""
    if id(error) in seen:
        return ""
    seen |= {id(error)}
    parts = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        link = "led to" if error.__cause__ else "was being handled when there was"
        parts += [told(before, seen=seen), f"\n… {link}:\n\n"]
    parts += [
        "Traceback (most recent call last):\n",
        *traceback.format_tb(error.__traceback__),
        cause_of(error),
    ]
    if isinstance(error, BaseExceptionGroup):
        parts += [f"\n\n… holds:\n\n{told(member, seen=seen)}" for member in error.exceptions]
    return "".join(parts)
