"""This process's clients of Coze: made as the settings say, and watched."""

import asyncio

import pytest

from cozechat import counters
from cozechat.catalog.clients import coze_client
from cozechat.catalog.models import CozeApp
from cozechat.coze.errors import CozeError, NoFreeConnection, TimedOut
from cozechat.coze.types import Caller

pytestmark = pytest.mark.django_db(transaction=True)
CALLER = Caller(token="token", session_name="alice")


class Silence:
    """A server that takes connections and says nothing."""

    async def __aenter__(self) -> str:
        self._writers: list[asyncio.StreamWriter] = []
        self._server = await asyncio.start_server(
            lambda _r, writer: self._writers.append(writer), "127.0.0.1"
        )
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_error: object) -> None:
        for writer in self._writers:
            writer.close()
        self._server.close()


@pytest.fixture
def app(settings):
    settings.COZE_EMULATED = False
    return CozeApp.objects.create(
        name="Silent", base_url="http://127.0.0.1:1", client_id="1", public_key_id="k"
    )


async def outcome(client) -> type[BaseException]:
    try:
        await client.list_conversations(CALLER, bot_id="1")
    except CozeError as error:
        return type(error)
    return BaseException


async def test_the_pool_is_as_large_as_the_settings_say_and_its_line_can_be_seen(app, settings):
    settings.COZE_POOL_SIZE, settings.COZE_POOL_TIMEOUT, settings.COZE_SILENCE_SECONDS = 2, 0.6, 2.0
    async with Silence() as base_url:
        app.base_url = base_url
        client = coze_client(app)
        calls = [asyncio.ensure_future(outcome(client)) for _each in range(5)]
        await asyncio.sleep(0.3)
        assert client.taken[0] == 2
        gauges = counters.gauged()
        assert (gauges["connections_waiting"], gauges["streams_waiting"]) == (3, 0)
        assert (gauges["connections_most"], gauges["streams_most"]) == (2, 200)
        outcomes = await asyncio.gather(*calls)
    assert sorted(outcomes, key=str) == sorted([NoFreeConnection] * 3 + [TimedOut] * 2, key=str)
    assert counters.gauged()["connections_waiting"] == 0
