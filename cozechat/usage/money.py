"""Money: whole numbers of 10⁻⁹ credits, and how people write them.

Decimals are for prices and for display; a balance is never anything but an integer. (On SQLite a decimal column
is a REAL, and 3000 subtractions of 0.0002295 from a million end at 999999.311499996.)
"""

import re
from typing import TypeAlias

Nano: TypeAlias = int

DIGITS = 9
CREDIT: Nano = 10**DIGITS
# A balance stays far below 2⁶³, beyond which SQLite would go on in floating point.
LARGEST: Nano = 4 * 10**18
# One call never costs a million credits: counts that say so are wrong.
LARGEST_CHARGE: Nano = 10**15
# What one top-up or adjustment may move: a hundred million credits.
LARGEST_CREDIT: Nano = 10**17

_WRITTEN = re.compile(r"([+-]?)(\d{1,10})(?:\.(\d{1,9}))?", re.ASCII)


class NotMoney(ValueError):
    """The text is no amount of credits with at most nine decimals."""


class UnfitAmount(ValueError):
    """Nothing, or too much, or less than nothing where only more makes sense."""


def parse(text: str) -> Nano:
    """`12.5` is 12500000000. Raises NotMoney, also for more than nine decimals: nothing is rounded away."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise NotMoney(text)
    sign, whole, decimals = found[1], found[2], found[3] or ""
    amount = int(whole) * CREDIT + int(decimals.ljust(DIGITS, "0"))
    if amount > LARGEST:
        raise NotMoney(text)
    return -amount if sign == "-" else amount


def exact(amount: Nano) -> str:
    """All nine decimals: `0.000229500`."""
    whole, rest = divmod(abs(amount), CREDIT)
    return f"{'-' if amount < 0 else ''}{whole}.{rest:0{DIGITS}d}"


def short(amount: Nano) -> str:
    """Without the zeros at the end, but with two decimals: `12.50`, `0.0002295`. Nothing is rounded."""
    whole, decimals = exact(amount).split(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"
