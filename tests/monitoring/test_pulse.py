"""The looks behind `/health`: shared by all who ask, and never waited for longer than they may take."""

import asyncio
import socket

import pytest

from conversations import turns
from cozechat.monitoring import pulse as pulses
from cozechat.monitoring.pulse import Health, Pulse

pytestmark = pytest.mark.django_db(transaction=True)


def health(**services: str) -> Health:
    return Health(services, draining=False, at=None, taken=0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("services", "status", "serving"),
    [
        ({"database": "ok", "coze": "ok"}, "ok", True),
        ({"database": "ok", "coze": "failing"}, "degraded", True),
        ({"database": "ok", "redis": "failing"}, "degraded", True),
        ({"database": "failing", "coze": "ok"}, "unavailable", False),
        ({"database": "ok", "storage": "failing"}, "unavailable", False),
    ],
)
def test_what_is_needed_decides_whether_anybody_is_sent_here(services, status, serving):
    assert (health(**services).status, health(**services).is_serving) == (status, serving)


async def test_a_hundred_who_ask_at_once_share_one_look(coze):
    own = Pulse()
    told = await asyncio.gather(*(own.health() for _ in range(100)))

    assert len({each.taken for each in told}) == 1
    assert told[0].status == "ok"


async def test_draining_is_told_at_once(coze):
    own = Pulse()
    assert (await own.health()).status == "ok"
    turns.engine().draining = True
    try:
        assert (await own.health()).status == "draining"
        assert not (await own.health()).is_serving
    finally:
        turns.engine().draining = False


async def test_a_service_that_accepts_and_never_answers_is_failing_in_time(settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        found = await asyncio.wait_for(Pulse().health(), 10)

    assert found.services["redis"] == "failing"
    assert found.services["database"] == "ok"


async def test_an_address_that_is_none_is_failing_and_no_fault_of_ours(coze):
    from cozechat.catalog.models import CozeApp

    await CozeApp.objects.acreate(name="typo", base_url="https://api.coze.cn:99999")
    assert (await Pulse().health()).status == "degraded"


async def test_a_database_that_hangs_keeps_nobody_waiting(coze, monkeypatch):
    """The one thing that no transport can fake for SQLite: a query that does not come back."""
    stuck = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang() -> bool:
        asyncio.run_coroutine_threadsafe(stuck.wait(), loop).result(30)
        return True

    monkeypatch.setattr(pulses, "_database_answers", hang)
    try:
        found = await asyncio.wait_for(Pulse().health(), 10)
        assert found.status == "unavailable"
    finally:
        stuck.set()
