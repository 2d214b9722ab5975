"""A conversation that Coze has lost goes on in a new one; a refusal for another reason makes no new one."""

import asyncio
import uuid

import pytest

from conversations import turns
from conversations.models import Conversation
from conversations.turns import mirroring
from cozechat import database
from cozechat.emulator import process
from tests.faults.steps import CHAT, CREATE, RETRIEVE, Stopwatch, coze_id_of, requests_to

LOST = "7999999999999999999"


@pytest.fixture(scope="module", params=[4002, 4200, 4101])
def coze_of_that_code(request, tmp_path_factory):
    """One that says it with this code, for missing and foreign conversations alike."""
    directory = tmp_path_factory.mktemp("coze")
    options = ["--conversation-error", str(request.param)]
    with process.start(directory, in_memory=True, pace=400, arguments=options) as running:
        running.state_dir = directory
        yield running


@pytest.fixture
def particular_coze(coze_of_that_code, settings):
    settings.COZE_API_BASE = coze_of_that_code.base_url
    settings.COZE_EMULATOR_DIR = coze_of_that_code.state_dir
    coze_of_that_code.reset_ledger()
    yield coze_of_that_code
    coze_of_that_code.disarm()


def lose(conversation: str, *, known_as: str = LOST) -> None:
    Conversation.objects.filter(pk=conversation).update(coze_conversation_id=known_as)


async def test_what_coze_has_lost_goes_on_in_a_new_conversation_that_knows_what_was_said(
    particular_coze, alice, tab
):
    async with tab(alice) as page:
        first = await page.say("My name is Alice")
        await database.run(lose, first.conversation)
        again = await page.say("What is my name?", conversation=first.conversation)
        assert again.last["type"] == "turn.completed"
        assert "Alice" in again.text
        new = await database.run(coze_id_of, first.conversation)
        assert new not in ("", LOST)
        third = await page.say("What is my name?", conversation=first.conversation)
        assert "Alice" in third.text
    assert await database.run(coze_id_of, first.conversation) == new
    assert requests_to(particular_coze, CREATE) == 2
    assert requests_to(particular_coze, CHAT) == 4


async def test_bobs_conversation_is_as_lost_to_alice_as_one_that_never_was(particular_coze, alice, bob, tab):
    async with tab(alice) as page, tab(bob) as bobs:
        secret = await bobs.say("My name is Bob")
        first = await page.say("hello")
        bobs_own = await database.run(coze_id_of, secret.conversation)
        # Coze's id stands in one row only: the database refuses a second.
        await database.run(lose, secret.conversation)
        await database.run(lose, first.conversation, known_as=bobs_own)
        again = await page.say("What is my name?", conversation=first.conversation)
    assert again.last["type"] == "turn.completed"
    assert "Bob" not in again.text
    assert await database.run(coze_id_of, first.conversation) != bobs_own


async def test_the_history_is_told_even_if_the_new_conversation_has_to_be_asked_twice(
    particular_coze, alice, tab
):
    async with tab(alice) as page:
        first = await page.say("My name is Alice")
        await database.run(lose, first.conversation)
        particular_coze.arm("rate-limited", path=CHAT, times=1, seconds=0.1)
        particular_coze.arm("unauthorized", path=CREATE, times=1)
        again = await page.say("What is my name?", conversation=first.conversation)
    assert again.last["type"] == "turn.completed"
    assert "Alice" in again.text


@pytest.mark.parametrize("code", [4002, 4200])
async def test_what_coze_has_lost_need_not_be_deleted_there(coze, alice, tab, monkeypatch, code):
    monkeypatch.setattr(mirroring, "EVERY", 0.1)
    coze.arm("json-error", path="/v1/conversations/", code=code)
    async with tab(alice) as page:
        asked = await page.say("hello")
        await database.run(turns.delete_conversation, alice, conversation_id=uuid.UUID(asked.conversation))
        watch = Stopwatch()
        while await database.run(Conversation.objects.exists):
            assert watch.seconds < 5
            await asyncio.sleep(0.05)
    assert requests_to(coze, "/v1/conversations/", method="DELETE") == 1


ONLY_THE_FLOW, LOOKING_TOO, EVERYTHING = f"{CHAT}$", f"{CHAT}$|{RETRIEVE}", "/v"


@pytest.mark.parametrize(
    ("code", "told", "refused"),
    [
        (4200, "not_published", ONLY_THE_FLOW),
        (4101, "auth", ONLY_THE_FLOW),
        (4006, "not_found", ONLY_THE_FLOW),
        (4200, "not_published", LOOKING_TOO),
        (4101, "auth", LOOKING_TOO),
        (4101, "auth", EVERYTHING),
    ],
)
async def test_a_refusal_for_another_reason_keeps_the_conversation(coze, alice, tab, code, told, refused):
    async with tab(alice) as page:
        first = await page.say("My name is Alice")
        known = await database.run(coze_id_of, first.conversation)
        coze.reset_ledger()
        coze.arm("json-error", path=refused, code=code)
        again = await page.say("What is my name?", conversation=first.conversation)
        assert (again.last["type"], again.last["error"]["code"]) == ("turn.failed", told)
        assert await database.run(coze_id_of, first.conversation) == known
        assert requests_to(coze, CHAT) == 1
        made, deleted = requests_to(coze, CREATE), requests_to(coze, "/v1/conversations/", method="DELETE")
        # What was made to find out is gone again.
        assert (made, deleted) == {ONLY_THE_FLOW: (0, 0), LOOKING_TOO: (1, 1), EVERYTHING: (1, 0)}[refused]

        coze.disarm()
        third = await page.say("What is my name?", conversation=first.conversation)
        assert "Alice" in third.text


async def test_a_first_question_that_is_refused_asks_no_more(coze, alice, tab):
    coze.arm("json-error", path=CHAT, code=4200)
    async with tab(alice) as page:
        asked = await page.say("hello")
    assert asked.last["error"]["code"] == "not_published"
    assert requests_to(coze, CREATE) == requests_to(coze, CHAT) == 1
    assert requests_to(coze, RETRIEVE, method="GET") == 0
