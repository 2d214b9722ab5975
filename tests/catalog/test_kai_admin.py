"""KAI tools in the admin: listed, allowed, tried, by staff who may."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from cozechat.catalog import tools
from cozechat.catalog.models import KaiTool
from cozechat.kai import Tool

LIST = "/admin/catalog/kaitool/"


@pytest.fixture
def staff(kai) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root2", "root2@example.com", "x"))
    return client


@pytest.fixture
def onlooker(kai) -> Client:
    """Staff that may look at tools, and change none."""
    user = User.objects.create_user("looker", "looker@example.com", "x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_kaitool"))
    client = Client()
    client.force_login(user)
    return client


def try_out(client: Client, name: str, payload: str):
    return client.post(f"{LIST}{KaiTool.objects.get(name=name).pk}/try/", {"payload": payload})


def test_the_servers_tools_are_listed_and_what_is_new_is_not_allowed(staff):
    KaiTool.objects.filter(name="slow_roast").delete()
    assert "Ask the server for its tools" in staff.get(LIST).content.decode()
    reply = staff.post(f"{LIST}refresh/", follow=True)

    assert "The server offers 5 tools." in reply.content.decode()
    rows = {tool.name: tool for tool in KaiTool.objects.all()}
    assert rows["brew_ratio"].allowed
    assert rows["brew_ratio"].title == "Brew ratio"
    assert rows["brew_ratio"].schema["required"] == ["coffee_grams"]
    assert rows["brew_ratio"].seen_at
    assert not rows["slow_roast"].allowed


def test_what_was_decided_here_outlives_what_the_server_says(kai):
    KaiTool.objects.filter(name="brew_ratio").update(allowed=False, title="Ours", timeout_seconds=3)
    tools.store_tools([Tool("brew_ratio", title="Theirs", description="new words")])
    tools.allow_demo_tools()

    row = KaiTool.objects.get(name="brew_ratio")
    assert (row.allowed, row.title, row.timeout_seconds, row.description) == (False, "Ours", 3, "new words")


@pytest.mark.parametrize(
    ("tool", "payload", "words"),
    [
        pytest.param("brew_ratio", '{"coffee_grams": 18}', ["It worked", "288"], id="works"),
        pytest.param("broken_grinder", "{}", ["It failed", "tool_error"], id="fails"),
        pytest.param("whole_catalogue", "{}", ["It failed", "too_large"], id="too-large"),
        pytest.param("brew_ratio", "[1]", ["Write one JSON object"], id="no-object"),
        pytest.param("brew_ratio", "{", ["Enter a valid JSON"], id="no-json"),
    ],
)
def test_a_tool_is_tried(staff, tool, payload, words):
    page = try_out(staff, tool, payload).content.decode()
    for word in words:
        assert word in page


def test_what_a_tool_says_is_inert(staff):
    KaiTool.objects.filter(name="brew_ratio").update(
        description="<script>alert(1)</script>", schema={"x": "<img src=x>"}
    )
    page = staff.get(f"{LIST}{KaiTool.objects.get(name='brew_ratio').pk}/try/").content.decode()
    assert "<script>alert" not in page
    assert "<img src=x>" not in page


def test_who_may_only_look_tries_nothing_and_asks_nothing(onlooker):
    assert onlooker.get(LIST).status_code == 200
    assert "Ask the server" not in onlooker.get(LIST).content.decode()
    assert try_out(onlooker, "brew_ratio", '{"coffee_grams": 18}').status_code == 403
    assert onlooker.post(f"{LIST}refresh/").status_code == 403


def test_who_is_no_staff_sees_none_of_it(kai, alice):
    client = Client()
    client.force_login(alice)
    assert client.get(LIST).status_code == 302
    assert client.post(f"{LIST}refresh/").status_code == 302
    assert try_out(client, "brew_ratio", "{}").status_code == 302


def test_a_server_that_is_not_there_is_said_so(staff, settings):
    settings.KAI_MCP_URL = "http://127.0.0.1:9/mcp"
    page = staff.post(f"{LIST}refresh/", follow=True).content.decode()
    assert "cannot be reached" in page
    assert "unreachable" in try_out(staff, "brew_ratio", '{"coffee_grams": 18}').content.decode()


def test_without_a_server_nothing_is_asked(staff, settings):
    settings.KAI_MCP_URL, settings.COZE_EMULATED = "", False
    assert "KAI_MCP_URL" in staff.post(f"{LIST}refresh/", follow=True).content.decode()
    assert tools.address() is None


def test_beside_the_emulator_the_demo_stands_in(db, settings):
    settings.KAI_MCP_URL, settings.COZE_EMULATED = "", True
    assert set(tools.allowed_tools(["brew_ratio", "espresso_machine"])) == {"brew_ratio"}
    where = tools.address()
    assert where is not None
    assert where == tools.address()
    assert where.key not in repr(where)
