"""What the tests of the users' pages share: calls at given moments, and pages read as tables."""

import re
from datetime import datetime
from html.parser import HTMLParser
from itertools import count
from typing import Any

from cozechat.usage.models import UsageRecord
from cozechat.usage.pricing import Snapshot, Tokens, cost

PRICE = Snapshot(input_price=1_000_000, output_price=2_000_000)
_numbers = count(1)


def put(user: Any, at: datetime, **more: Any) -> UsageRecord:
    """One call that has ended; by default 10 tokens in and 5 out, of `flow`, with the key `laptop`."""
    wanted = {
        "request_id": f"req_{next(_numbers):04d}", "owner": user, "created_at": at, "model": "flow", "api_key_id": 7,
        "api_key_name": "laptop", "kind": "bot", "price": PRICE.as_json(), "input_tokens": 10, "output_tokens": 5,
        "usage_source": "upstream", "status": "completed", "latency_ms": 1000, "first_token_ms": 200,
    } | more  # fmt: skip
    if "cost" not in wanted:
        tokens = Tokens(wanted["input_tokens"], wanted["output_tokens"])
        free = wanted["usage_source"] == "none"
        wanted["cost"] = 0 if free else cost(PRICE, ratio=1, tokens=tokens)
    return UsageRecord.objects.create(**wanted)


def refused(user: Any, at: datetime, **more: Any) -> UsageRecord:
    """A call that was turned away before it was priced."""
    nothing = {
        "status": "refused", "usage_source": "none", "price": {}, "input_tokens": 0, "output_tokens": 0,
        "latency_ms": None, "first_token_ms": None, "error_code": "insufficient_quota",
    }  # fmt: skip
    return put(user, at, **(nothing | more))


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"td", "th"}:
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"} and self._cell is not None:
            self.tables[-1][-1].append(" ".join(" ".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)


def tables(page: str) -> list[list[list[str]]]:
    """The texts of every table, row by row."""
    parser = _Tables()
    parser.feed(page)
    return parser.tables


def plotted(page: str) -> dict[str, list[str]]:
    """The table below the plot: what stands beside each time."""
    return {row[0]: row[1:] for row in tables(page)[0]}


def figures(page: str) -> dict[str, str]:
    """The large numbers, each by its name."""
    pairs = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", page, re.DOTALL)
    return {name.strip(): value.strip() for name, value in pairs}


def listed(page: str) -> list[str]:
    """The request ids of the log, from above."""
    return re.findall(r'class="lines-id"[^>]*href="/accounts/usage/calls/([^/]+)/"', page)


def read(browser: Any, path: str = "/accounts/usage/", **query: Any) -> str:
    """The page, which must be there."""
    answer = browser.get(path, query)
    assert answer.status_code == 200, answer.status_code
    return str(answer.content.decode())
