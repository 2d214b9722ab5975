"""What the database adds up for a page: in one pass over an index, whatever the page then shows of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, QuerySet, Sum, Value

from cozechat.usage.models import UsageRecord
from cozechat.usage.money import Nano
from cozechat.usage.pages.ranges import Range

Status = UsageRecord.Status
FAILURES = (Status.FAILED, Status.LOST)


@dataclass(frozen=True, slots=True)
class Cell:
    """The calls of one slot, key, model and status together."""

    slot: int
    key: int | None
    model: str
    status: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost: Nano

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.input_tokens + self.output_tokens


def cells(records: QuerySet[UsageRecord], *, over: Range) -> list[Cell]:
    """The sums of each slot: one statement, so that all of them see the same rows."""
    parts = [
        records.filter(created_at__gte=slot.start, created_at__lt=slot.end)
        .order_by()
        .annotate(slot=Value(number))
        .values("slot", "api_key_id", "model", "status")
        .annotate(
            calls=Count("*"), ins=Sum("input_tokens"), outs=Sum("output_tokens"), spent=Sum("cost")
        )
        .values_list("slot", "api_key_id", "model", "status", "calls", "ins", "outs", "spent")
        for number, slot in enumerate(over.slots)
    ]  # fmt: skip
    # PostgreSQL sums whole numbers to decimals.
    return [
        Cell(slot, key, model, status, calls, int(ins), int(outs), int(spent))
        for slot, key, model, status, calls, ins, outs, spent in parts[0].union(*parts[1:], all=True)
    ]


@dataclass(frozen=True, slots=True)
class Totals:
    """All calls of a range, or of as much of it as is asked for."""

    calls: int = 0
    failed: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Nano = 0


def totals(of: Iterable[Cell]) -> Totals:
    """The sum of these cells."""
    found = list(of)
    return Totals(
        calls=sum(cell.calls for cell in found),
        failed=sum(cell.calls for cell in found if cell.status in FAILURES),
        refused=sum(cell.calls for cell in found if cell.status == Status.REFUSED),
        input_tokens=sum(cell.input_tokens for cell in found),
        output_tokens=sum(cell.output_tokens for cell in found),
        cost=sum(cell.cost for cell in found),
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """How long it takes usually, and in the slowest twentieth of the calls at least."""

    median: int
    p95: int


def spread(records: QuerySet[UsageRecord], *, column: str) -> Spread | None:
    """Of the calls that have a time, the smallest that is not exceeded by a half and by 95 %; None without any."""
    rows = records.exclude(**{column: None}).order_by(column).values_list(column)
    counted = [(took, calls) for took, calls in rows.annotate(calls=Count("*"))]
    total = sum(calls for _took, calls in counted)
    return (
        Spread(_reached(counted, calls=-(-total // 2)), _reached(counted, calls=-(-total * 19 // 20)))
        if total
        else None
    )


def _reached(counted: list[tuple[int, int]], *, calls: int) -> int:
    """The time within which so many calls had ended."""
    so_far = 0
    for took, more in counted:
        so_far += more
        if so_far >= calls:
            return took
    raise ValueError(calls)
