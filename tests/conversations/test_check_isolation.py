"""`manage.py check_isolation`: it finds every planted leak, says what to look at, and leaves nothing behind."""

import asyncio
import gc
import io
import json
import socket
import sqlite3
from contextlib import contextmanager

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import AsyncClient, Client

from accounts.models import AccessToken, User
from conversations.models import Conversation, Message, Turn
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant, CozeApp
from cozechat.emulator import process
from tests.operators import configure
from tests.tabs import HOST


@contextmanager
def a_coze(directory, *, leaky=(), **options):
    """A Coze of its own, whose memory can be looked into afterwards."""
    directory.mkdir(exist_ok=True)
    with process.start(directory, leaky=leaky, pace=0, **options) as running:
        running.state_dir = directory
        yield running


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(SystemExit) as left:
        call_command("check_isolation", *arguments, stdout=out, stderr=err, no_color=True)
    return left.value.code, out.getvalue(), err.getvalue()


def report(*arguments: str) -> dict:
    code, out, _err = run("--json", *arguments)
    found = json.loads(out)
    assert found["exit_code"] == code
    return found


def kept() -> dict[str, int]:
    models = (User, Conversation, Turn, Message, AccessToken, CozeApp, Assistant)
    return {model.__name__: model.objects.count() for model in models}


def kept_at(running) -> int:
    """How many conversations Coze still has."""
    state = sqlite3.connect(running.state_dir / "state.sqlite3")
    try:
        return state.execute("SELECT count(*) FROM conversations").fetchone()[0]
    finally:
        state.close()


def leaks(found: dict) -> dict[str, str]:
    return {probe["name"]: probe["hint"] for probe in found["probes"] if probe["outcome"] == "leak"}


def test_a_coze_that_isolates_passes_and_nothing_is_left_behind(transactional_db, settings, tmp_path):
    assert default_assistant()
    before = kept()
    with a_coze(tmp_path / "coze") as running:
        settings.COZE_API_BASE, settings.COZE_EMULATOR_DIR = running.base_url, running.state_dir
        found = report()
        ledger = running.ledger()
        assert kept_at(running) == 0

    assert (found["outcome"], found["exit_code"], found["base_url"]) == ("isolated", 0, running.base_url)
    assert {probe["outcome"] for probe in found["probes"]} == {"isolated"}
    names = [probe["name"] for probe in found["probes"]]
    assert {name.split(":")[0] for name in names} == {
        "talk",
        "here",
        "visitors",
        "gateway",
        "coze",
        "control",
    }
    assert sum(name.startswith("control:") for name in names) == 4
    assert len(names) == len(set(names)) > 30
    assert len(set(found["users"])) == 2
    assert len(ledger["exchanges"]) == 2
    assert ledger["session_name_mismatches"] == []
    assert kept() == before


@pytest.mark.parametrize(
    ("leak", "found_by"), [("memory", "talk:"), ("ownership", "coze:"), ("wrong-conversation", "talk:")]
)
def test_a_coze_that_leaks_is_found_out_and_the_report_says_what_to_look_at(
    transactional_db, settings, tmp_path, leak, found_by
):
    with a_coze(tmp_path / "coze", leaky=[leak]) as running:
        configure(settings, running)
        assert default_assistant()
        before = kept()
        found = report()
        assert kept_at(running) == 0

    assert (found["outcome"], found["exit_code"]) == ("leak", 1)
    assert [name for name in leaks(found) if name.startswith(found_by)]
    assert all(leaks(found).values())
    assert not [probe for probe in found["probes"] if probe["name"].startswith("here:") and probe["hint"]]
    assert running.credentials.private_key.splitlines()[1] not in json.dumps(found)
    assert kept() == before


def test_a_shared_default_conversation_is_no_leak_here_for_every_chat_names_its_own(
    transactional_db, settings, tmp_path
):
    with a_coze(tmp_path / "coze", leaky=["default-conversation"]) as running:
        configure(settings, running)
        assert report()["outcome"] == "isolated"


def test_a_leak_is_printed_for_a_person_with_its_hint(transactional_db, settings, tmp_path):
    with a_coze(tmp_path / "coze", leaky=["memory"]) as running:
        configure(settings, running)
        code, out, _err = run()
    lines = out.splitlines()
    leaking = [number for number, line in enumerate(lines) if "  LEAK" in line]
    assert code == 1
    assert leaking
    assert all("→" in lines[number + 1] for number in leaking)
    assert lines[-1].startswith("LEAK")


def test_a_coze_that_is_not_there_is_no_verdict(transactional_db, settings, tmp_path):
    with a_coze(tmp_path / "coze") as running:
        configure(settings, running)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.COZE_API_BASE = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert default_assistant()
        before = kept()
        found = report()

    assert (found["outcome"], found["exit_code"]) == ("error", 2)
    assert "unreachable" in found["probes"][0]["detail"]
    assert kept() == before


def test_wrong_credentials_are_no_verdict_either(transactional_db, settings, tmp_path):
    with a_coze(tmp_path / "coze") as running, a_coze(tmp_path / "other") as other:
        configure(settings, running)
        settings.COZE_PRIVATE_KEY = other.credentials.private_key
        found = report()
    assert (found["outcome"], found["exit_code"]) == ("error", 2)


def test_a_failure_half_way_is_never_called_isolated(transactional_db, settings, tmp_path):
    with a_coze(tmp_path / "coze") as running:
        configure(settings, running)
        running.arm("html-502", path="/v1/conversation/message/list")
        found = report()
        running.disarm()
    assert (found["outcome"], found["exit_code"]) == ("error", 2)
    assert {probe["name"] for probe in found["probes"] if probe["outcome"] == "error"} == {
        "coze: list messages, A on B",
        "coze: list messages, B on A",
        "coze: list messages (branch), A on B",
        "coze: list messages (branch), B on A",
    }


def test_the_app_to_check_is_chosen_by_its_name(transactional_db, settings, tmp_path):
    with a_coze(tmp_path / "good") as good, a_coze(tmp_path / "bad", leaky=["ownership"]) as bad:
        configure(settings, good)
        own = bad.credentials
        app = CozeApp.objects.create(
            name="Second",
            base_url=bad.base_url,
            client_id=own.client_id,
            public_key_id=own.public_key_id,
            private_key=own.private_key,
        )
        Assistant.objects.create(app=app, name="Second", workflow_id=own.workflow_id, coze_app_id=own.app_id)
        first, second = report(), report("--app", "Second")
    assert (first["exit_code"], first["base_url"]) == (0, good.base_url)
    assert (second["exit_code"], second["app"], second["base_url"]) == (1, "Second", bad.base_url)


def test_an_app_that_is_not_there_cannot_be_checked(transactional_db, coze):
    code, out, err = run("--app", "Nobody's")
    assert (code, out) == (2, "")
    assert "app" in err


# --- In the admin -------------------------------------------------------------------------------------


def chosen(*users) -> dict:
    return {"action": "check_isolation", "_selected_action": [user.pk for user in users]}


def root() -> User:
    return User.objects.create_superuser("root", "root@example.com", "x")


def words(response) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def test_staff_prove_it_for_two_users_of_their_choice(coze, alice, bob, settings):
    client = Client(headers={"host": HOST, "accept-language": "en"})
    client.force_login(root())
    reply = client.post("/admin/accounts/user/", chosen(alice, bob), follow=True)

    gc.collect()  # a connection that was left open would be complained of here
    assert "Isolated: all" in words(reply)
    assert set(coze.ledger()["exchanges"]) == {alice.session_name, bob.session_name}
    assert not Conversation.objects.filter(deleted_at=None).exists()
    assert not Message.objects.exists()


async def test_the_site_goes_on_talking_while_staff_prove_it(coze, alice, bob, tab):
    client = AsyncClient(headers={"host": HOST, "accept-language": "en"})
    await client.aforce_login(await sync_to_async(root)())
    async with tab(alice) as page:
        proving = asyncio.ensure_future(client.post("/admin/accounts/user/", chosen(alice, bob), follow=True))
        asked = await page.say("count to 20")
        assert asked.last["type"] == "turn.completed"
        reply = await proving
        assert "Isolated: all" in words(reply)
        left = await sync_to_async(lambda: list(Conversation.objects.values_list("pk", flat=True)))()
        assert [str(each) for each in left] == [asked.conversation]


def test_a_leak_shows_in_the_admin_with_its_hint(coze, alice, bob, settings, tmp_path):
    with a_coze(tmp_path / "coze", leaky=["memory"]) as running:
        settings.COZE_API_BASE, settings.COZE_EMULATOR_DIR = running.base_url, running.state_dir
        client = Client(headers={"host": HOST, "accept-language": "en"})
        client.force_login(root())
        told = words(client.post("/admin/accounts/user/", chosen(alice, bob), follow=True))
    assert "Isolated" not in told
    assert "static conversation" in told


@pytest.mark.parametrize("count", [1, 3])
def test_it_takes_exactly_two_users(coze, alice, bob, visitor, count):
    client = Client(headers={"host": HOST, "accept-language": "en"})
    client.force_login(root())
    reply = client.post("/admin/accounts/user/", chosen(*[alice, bob, visitor][:count]), follow=True)
    assert words(reply) == "Choose exactly two users."
    assert coze.ledger()["exchanges"] == {}


def test_who_may_only_look_at_users_does_not_act_in_their_names(coze, alice, bob):
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_user"))
    client = Client(headers={"host": HOST, "accept-language": "en"})
    client.force_login(clerk)
    client.post("/admin/accounts/user/", chosen(alice, bob), follow=True)
    assert coze.ledger()["exchanges"] == {}
