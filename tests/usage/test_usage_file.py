"""The CSV file: exactly the rows of the log, sent as they are read, and nothing a spreadsheet would compute."""

import csv
import io
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cozechat import database
from cozechat.usage.models import UsageRecord
from cozechat.usage.pages import exporting, listing
from tests.usage.conftest import at_the_site
from tests.usage.pages import put, refused

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("host")]
AT = datetime(2026, 11, 5, 12, tzinfo=UTC)
FILE = "/accounts/usage/export.csv"
DAYS = {"range": "custom", "since": "2026-11-01", "until": "2026-11-20"}


async def fetched(user, **query) -> tuple[bytes, list[dict[str, str]]]:
    async with at_the_site(user) as (client,):
        answer = await client.get(FILE, {**DAYS, **query})
        assert answer.status_code == 200
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert answer["Content-Disposition"].startswith('attachment; filename="usage-2026-11-')
        whole = b"".join([part async for part in answer.streaming_content])
    return whole, list(csv.DictReader(io.StringIO(whole.decode("utf-8-sig"), newline="")))


async def test_the_file_holds_the_rows_of_the_log_in_its_order(alice, bob, settings, monkeypatch):
    monkeypatch.setattr(exporting, "ROWS_AT_ONCE", 7)
    dice = random.Random(2)

    def fill() -> list[str]:
        rows = [
            put(alice, AT + timedelta(hours=dice.randrange(50)), model=dice.choice(["flow", "gpt-4"]))
            for _ in range(40)
        ]
        put(bob, AT, model="flow")
        put(alice, AT - timedelta(days=30), model="flow")
        newest = sorted(rows, key=lambda row: (row.created_at, row.pk), reverse=True)
        return [row.request_id for row in newest if row.model == "flow"]

    wanted = await database.run(fill)
    whole, rows = await fetched(alice, model="flow")
    assert whole.startswith("\ufefftime,request_id,model".encode())
    assert [row["request_id"] for row in rows] == wanted


async def test_a_line_is_made_for_programs(alice, settings):
    settings.TIME_ZONE = ZoneInfo("Asia/Shanghai").key
    await database.run(
        put, alice, AT, request_id="req_1", input_tokens=45, output_tokens=123, cost=229_500, stream=True,
        model='a "quoted", name\nof 模型',
    )  # fmt: skip
    await database.run(refused, alice, AT - timedelta(hours=1), request_id="req_2")
    _whole, (first, second) = await fetched(alice)
    wanted = {
        "time": "2026-11-05T12:00:00+00:00", "request_id": "req_1", "model": 'a "quoted", name\nof 模型',
        "kind": "bot", "api_key_id": "7", "api_key": "laptop", "stream": "1", "input_tokens": "45",
        "output_tokens": "123", "cost": "0.0002295", "source": "upstream", "status": "completed",
        "latency_ms": "1000", "first_token_ms": "200", "group_ratio": "1",
    }  # fmt: skip
    assert first.items() >= wanted.items()
    assert (second["latency_ms"], second["cost"], second["error_code"]) == ("", "0.00", "insufficient_quota")


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t1", "\r1", "\n1", " =1", "＝1", "＋1", "－1", "＠x"],
    ids=[
        "equals", "plus", "minus", "at", "tab", "return", "line", "blank", "wide equals", "wide plus", "wide minus",
        "wide at",
    ],
)  # fmt: skip
async def test_no_cell_is_a_formula(name, alice):
    await database.run(
        put, alice, AT, model=name, api_key_name=name, error_code=name, request_id=name, log_id=name
    )
    _whole, (row,) = await fetched(alice)
    for column in ("model", "api_key", "error_code", "request_id", "log_id"):
        assert row[column] == f"'{name}"
    assert row["input_tokens"] == "10"


async def test_the_file_is_read_a_page_at_a_time(alice, monkeypatch):
    monkeypatch.setattr(exporting, "ROWS_AT_ONCE", 5)
    read = []
    page = listing.page

    def counted(rows, **more):
        read.append(more["limit"])
        return page(rows, **more)

    monkeypatch.setattr(listing, "page", counted)

    def fill() -> None:
        for _ in range(12):
            put(alice, AT)

    await database.run(fill)
    parts = exporting.as_csv(UsageRecord.objects.owned_by(alice))
    await anext(parts)
    assert read == []
    await anext(parts)
    assert read == [5]
    assert sum([part.count(b"\r\n") async for part in parts]) == 7
    assert read == [5, 5, 5]


async def test_bobs_file_holds_nothing_of_alices(alice, bob):
    await database.run(put, alice, AT, model="hers")
    whole, rows = await fetched(bob, model="hers", key="7")
    assert rows == []
    assert whole == (await fetched(bob, model="unknown", key="8"))[0]
