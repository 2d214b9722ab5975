"""Usage records as a CSV file: for programs and spreadsheets, in any language the same."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from datetime import UTC
from typing import Any

from django.db.models import QuerySet

from cozechat.usage.models import UsageRecord
from cozechat.usage.money import short
from cozechat.usage.pages.listing import pages

BOM = "\ufeff"
ROWS_AT_ONCE = 500
COLUMNS = (
    "time", "request_id", "model", "kind", "api_key_id", "api_key", "end_user", "stream", "input_tokens",
    "output_tokens", "cost", "source", "status", "error_code", "latency_ms", "first_token_ms", "group_ratio",
    "coze_chat_id", "coze_conversation_id", "execute_id", "log_id",
)  # fmt: skip
# A spreadsheet takes a cell that begins so for a formula, also behind blanks and in full width.
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CONTROLS = ("\t", "\r", "\n")


def safe(value: Any) -> Any:
    """The cell as it is, unless a spreadsheet would compute it: then with an apostrophe in front."""
    if not isinstance(value, str) or not value:
        return value
    return f"'{value}" if value.startswith(_CONTROLS) or value.strip().startswith(_FORMULA) else value


def cells_of(record: UsageRecord) -> tuple[Any, ...]:
    """One line of the file: ISO times in UTC, plain numbers, credits with a point; empty for what is not known."""
    return (
        record.created_at.astimezone(UTC).isoformat(), record.request_id, record.model, record.kind,
        record.api_key_id, record.api_key_name, record.end_user, int(record.stream), record.input_tokens,
        record.output_tokens, short(record.cost), record.usage_source, record.status, record.error_code,
        record.latency_ms, record.first_token_ms, f"{record.group_ratio.normalize():f}", record.coze_chat_id,
        record.coze_conversation_id, record.execute_id, record.log_id,
    )  # fmt: skip


async def as_csv(records: QuerySet[UsageRecord]) -> AsyncIterator[bytes]:
    """The file, newest first, a page of rows at a time."""
    yield (BOM + _written([COLUMNS])).encode()
    async with aclosing(pages(records, limit=ROWS_AT_ONCE)) as found:  # type: ignore[type-var]
        async for rows in found:
            yield _written(map(safe, cells_of(row)) for row in rows).encode()


def _written(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()
