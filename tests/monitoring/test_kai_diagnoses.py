"""`/diagnostics/kai`, `check_coze` and `/health` about the tool server: what is wrong, what to mend, and no secret."""

import io
import json
import socket

import pytest
from django.core.management import call_command
from django.test import AsyncClient

from accounts.models import User
from cozechat.catalog.models import KaiTool
from cozechat.kai import process
from cozechat.monitoring.pulse import Pulse
from cozechat.monitoring.tooling import diagnose_kai
from tests.kai.conftest import RawServer
from tests.operators import configure

pytestmark = pytest.mark.django_db(transaction=True)
UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
NO_MCP = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"


def steps(diagnosis) -> dict[str, bool | None]:
    return {finding.step: finding.ok for finding in diagnosis.findings}


def hint(diagnosis) -> str:
    return next(finding.hint for finding in diagnosis.findings if finding.hint)


async def test_a_server_that_works_is_tried_to_the_end(kai):
    found = await diagnose_kai()

    assert found.ok
    assert found.configured
    assert steps(found) == {"configuration": True, "session": True, "tools": True, "allowed": True}
    assert "coffee_knowledge_query" in found.findings[2].detail
    assert found.findings[3].detail == "5 of 5"
    assert found.findings[1].seconds > 0
    assert kai.key not in json.dumps(found.as_json())


async def test_a_key_that_is_wrong(kai, settings):
    settings.KAI_API_KEY = "a-wrong-key-of-somebody"
    found = await diagnose_kai()

    assert steps(found) == {"configuration": True, "session": False, "tools": None, "allowed": None}
    assert "KAI_API_KEY" in hint(found)
    assert "a-wrong-key" not in json.dumps(found.as_json())


async def test_nothing_there(settings):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    settings.KAI_MCP_URL, settings.KAI_API_KEY = f"http://somebody:secret@127.0.0.1:{port}/mcp?token=x", "key"
    found = await diagnose_kai()

    assert steps(found)["session"] is False
    assert "KAI_MCP_URL" in hint(found)
    assert found.url == f"http://127.0.0.1:{port}/mcp"


@pytest.mark.parametrize(("answer", "word"), [(UNAUTHORIZED, "KAI_API_KEY"), (NO_MCP, "MCP server")])
async def test_something_else_is_there(settings, answer, word):
    async with RawServer(answer) as server:
        settings.KAI_MCP_URL, settings.KAI_API_KEY = server.url, "key"
        found = await diagnose_kai()
    assert not found.ok
    assert word in hint(found)


async def test_a_tool_that_is_allowed_and_gone(kai):
    await KaiTool.objects.acreate(name="left_us", allowed=True)
    found = await diagnose_kai()

    assert steps(found)["allowed"] is False
    assert found.findings[3].detail == "left_us"
    assert "admin" in hint(found)


async def test_a_site_without_tools_is_not_ill(settings):
    settings.KAI_MCP_URL, settings.COZE_EMULATED = "", False
    found = await diagnose_kai()

    assert not found.configured
    assert found.as_json()["ok"] is None
    assert "KAI_MCP_URL" in hint(found)


async def get(user=None, **headers: str):
    client = AsyncClient()
    if user is not None:
        await client.aforce_login(user)
    return await client.get("/diagnostics/kai", headers=headers, HTTP_HOST="localhost")


async def test_staff_and_the_token_are_let_in_and_nobody_else(kai, settings, alice, bob, visitor):
    settings.DIAGNOSTICS_TOKEN = "let-me-in"
    alice.is_staff = True
    await User.objects.filter(pk=alice.pk).aupdate(is_staff=True)

    assert (await get()).status_code == 401
    assert (await get(bob)).status_code == 403
    assert (await get(visitor)).status_code == 403
    assert (await get(Authorization="Bearer wrong")).status_code == 401
    for answer in (await get(alice), await get(Authorization="Bearer let-me-in")):
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert json.loads(answer.content)["ok"] is True


def check(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with pytest.raises(SystemExit) as left:
        call_command("check_coze", *arguments, stdout=out, stderr=out, no_color=True)
    return int(left.value.code or 0), out.getvalue()


def test_check_coze_tries_the_tools_of_an_operator_too(coze, kai, settings):
    configure(settings, coze)
    code, out = check("--no-turn")
    assert code == 0
    assert "KAI tools at http://127.0.0.1" in out
    assert "5 tools" in out

    settings.KAI_API_KEY = "wrong"
    code, out = check("--no-turn")
    assert code == 1
    assert "Coze answers as it should." in out
    assert "session        FAILED" in out
    assert json.loads(check("--no-turn", "--json")[1])["kai"]["ok"] is False


async def test_health_knows_the_tool_server_where_there_is_one(coze, settings):
    assert "kai" not in (await Pulse().health()).services
    running = process.start()
    try:
        settings.KAI_MCP_URL, settings.KAI_API_KEY = running.url, running.key
        assert (await Pulse().health()).services["kai"] == "ok"
    finally:
        running.stop()
    found = await Pulse().health()
    assert found.services["kai"] == "failing"
    assert found.status == "degraded"
    assert found.is_serving
