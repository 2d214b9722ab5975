"""Everything that goes wrong at Coze: each fault ends the turn once, in the right way, and in words for a person."""

import asyncio
import socket
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from accounts import tokens
from conversations.models import Conversation, Message, Turn
from conversations.turns import retrying
from cozechat import database
from cozechat.emulator.faults.catalog import FAULTS
from tests.tabs import TERMINAL, assemble

CHAT = "/v1/workflows/chat"
CREATE = "/v1/conversation/create"
EXCHANGE = "/api/permission/oauth2"


@dataclass
class Expected:
    """How a question ends when a fault strikes its chat."""

    status: str = "completed"
    code: str = ""
    text: str = ""
    """How the answer begins that is kept; "" when nothing is, "…" for a whole one."""
    ends: str = "30"
    posts: int = 1
    exchanges: int = 0
    settings: dict = field(default_factory=dict)
    retryable: bool = True

    @property
    def kind(self) -> str:
        return f"turn.{self.status}"


def failed(code: str, **more) -> Expected:
    return Expected("failed", code, **more)


FINAL = {"retryable": False}
FEW = "1 2 3"
ENDS = {
    "html-502": failed("upstream_error"),
    "rate-limited": failed("rate_limited", posts=2, settings={"seconds": 0.1}),
    "unauthorized": failed("auth", posts=2, exchanges=1, **FINAL),
    "token-invalid": failed("auth", posts=2, exchanges=1, **FINAL),
    "access-token-invalid": failed("auth", posts=2, exchanges=1, **FINAL),
    "json-error": failed("upstream_error"),
    "slow-first-byte": Expected(text="…", settings={"seconds": 0.5}),
    "reset-request": failed("unreachable"),
    "huge-delta": Expected(text="…"),
    "many-deltas": Expected(text="…", ends="19999 20000 "),
    "empty-answer": Expected(),
    "several-answers": Expected(text="…", ends="第3个回答。"),
    "reasoning": Expected(text="…"),
    "follow-ups": Expected(text="…"),
    "line-separators": Expected(text="…"),
    "interrupt": Expected("requires_action", text="中午吃啥了"),
    "requires-action": Expected("requires_action", text="中午吃啥了"),
    "wrong-conversation": failed("internal", **FINAL),
    "one-byte-writes": Expected(text="…"),
    "stall": failed("timeout", text=FEW),
    "truncate": failed("truncated", text=FEW),
    "half-frame": failed("truncated", text=FEW),
    "reset": failed("truncated", text=FEW),
    "no-done": Expected(text="…"),
    "invalid-utf8": Expected(text="…"),
    "ping": Expected(text="…"),
    "garbage-frame": failed("bad_response", text=FEW),
    "unknown-event": Expected(text="…"),
    "error-event": failed("upstream_error", text=FEW),
    "chat-failed": failed("upstream_error", text=FEW),
    "chat-failed-bare": failed("internal", text=FEW, **FINAL),
}
AT_THE_EXCHANGE = {"exchange-error", "expires-in-relative", "clock-skew"}
OF_OTHER_CALLS = {"omit-data", "run-failed"}


@pytest.fixture
def impatient(settings):
    """A site that waits for silence a second instead of a minute."""
    settings.COZE_SILENCE_SECONDS = 1.0


def chat_posts(coze) -> int:
    return coze.ledger()["requests"].get(f"POST {CHAT}", 0)


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def row(turn: str):
    return Turn.objects.get(pk=turn), Message.objects.get(turn_id=turn, role="assistant")


async def both_ends(alice, tab):
    """Ask in one tab while another, a Chinese one, looks on; returns what each heard last."""
    async with tab(alice) as page, tab(alice, accept_language="zh-CN") as other:
        asked = await page.ask("count to 30")
        await other.send("turn.resume", turn=asked.turn, seq=0)
        end = await asked.end()
        chinese = await other.until(*TERMINAL, turn=asked.turn)
        texts = {assemble(each.seen, asked.turn) for each in (page, other)}
    assert len(texts) == 1
    return asked.turn, end, chinese, texts.pop()


def test_every_fault_of_the_emulator_has_its_end_here():
    assert set(FAULTS) == set(ENDS) | AT_THE_EXCHANGE | OF_OTHER_CALLS


@pytest.mark.parametrize("name", ENDS)
async def test_a_fault_ends_its_turn_once_and_the_next_question_is_answered(
    coze, alice, tab, impatient, name
):
    expected = ENDS[name]
    async with tab(alice) as page, tab(alice, accept_language="zh-CN") as other:
        first = await page.say("hello")
        await other.send("conversation.open", conversation=first.conversation)
        await other.until("conversation.state")
        coze.reset_ledger()
        coze.arm(name, path=CHAT, **expected.settings)
        asked = await page.ask("count to 30", conversation=first.conversation)
        end = await asked.end()
        chinese = await other.until(*TERMINAL, turn=asked.turn)
        posts, exchanges = chat_posts(coze), coze.ledger()["exchanges"].get(alice.session_name, 0)
        turn, answer = await database.run(row, asked.turn)

        assert (end["type"], chinese["type"], turn.status) == (expected.kind, expected.kind, expected.status)
        assert (posts, exchanges) == (expected.posts, expected.exchanges)
        assert asked.text == assemble(other.seen, asked.turn) == answer.content
        assert (turn.error_code, turn.log_id != "") == (expected.code, name != "reset-request")
        if expected.text == "…":
            assert answer.content.endswith(expected.ends)
        else:
            assert answer.content.startswith(expected.text)
            assert len(answer.content) < 40
            assert bool(answer.content) == bool(expected.text)
        if expected.status == "failed":
            told, told_in_chinese = end["error"], chinese["error"]
            assert (told["code"], told["retryable"]) == (expected.code, expected.retryable)
            assert told.get("log_id", "") == turn.log_id
            assert not is_chinese(told["message"])
            assert is_chinese(told_in_chinese.pop("message"))
            assert told_in_chinese.items() <= told.items()

        coze.disarm()
        assert await answered_after_a_while(page, first.conversation)
        assert sum(frame["type"] in TERMINAL and frame["turn"] == asked.turn for frame in page.seen) == 1


async def answered_after_a_while(page, conversation: str) -> bool:
    """Whether the next question is answered; what was left running at Coze may make it busy for a moment."""
    for _each in range(10):
        again = await page.say("count to 3", conversation=conversation)
        if again.last["type"] == "turn.completed":
            return "3" in again.text
        if again.last["error"]["code"] != "busy":
            return False
        await asyncio.sleep(0.2)
    return False


@pytest.mark.parametrize(
    ("number", "code", "retryable"),
    [
        (4000, "internal", False),
        (4006, "not_found", False),
        (4011, "quota", False),
        (4013, "busy", True),
        (4014, "content_refused", False),
        (4020, "rate_limited", True),
        (4028, "quota", False),
        (4101, "auth", False),
        (4200, "not_published", False),
        (5000, "upstream_error", True),
        (720702085, "timeout", True),
        (999_999, "upstream_error", True),
    ],
)
async def test_cozes_codes_become_ours(coze, alice, tab, monkeypatch, number, code, retryable):
    monkeypatch.setattr(retrying, "UNKNOWN_WAIT", 0.0)
    monkeypatch.setattr(retrying, "SPREAD", 0.0)
    coze.arm("json-error", code=number, msg="what Coze says")
    async with tab(alice) as page:
        asked = await page.say("hello")
    turn, _answer = await database.run(row, asked.turn)

    assert asked.last["error"]["code"] == code
    assert asked.last["error"]["retryable"] == retryable
    assert "what Coze says" not in str(asked.tab.seen)
    assert str(number) in turn.coze_error
    assert chat_posts(coze) == (2 if number in (4013, 4020) else 1)


async def test_a_chat_that_still_runs_at_coze_is_waited_for(coze, alice, tab, monkeypatch):
    monkeypatch.setattr(retrying, "BUSY_PAUSES", (0.01, 0.01))
    coze.arm("json-error", code=4016, times=2)
    async with tab(alice) as page:
        asked = await page.say("hello")
        assert asked.last["type"] == "turn.completed"
        assert chat_posts(coze) == 3

        coze.arm("json-error", code=4016)
        again = await page.say("hello", conversation=asked.conversation)
        assert (again.last["type"], again.last["error"]["code"]) == ("turn.failed", "busy")
        assert chat_posts(coze) == 6


@pytest.mark.parametrize("msg", ["a\x00b", "half \ud83d of it", "x" * 5000, "名" * 400])
async def test_whatever_coze_says_about_its_failure_the_turn_ends(coze, alice, tab, msg):
    coze.arm("json-error", code=5000, msg=msg)
    async with tab(alice) as page:
        asked = await page.say("hello")
    turn, _answer = await database.run(row, asked.turn)
    assert asked.last["error"]["code"] == "upstream_error"
    assert turn.status == "failed"
    assert "\x00" not in turn.coze_error


@pytest.mark.parametrize("name", ["unauthorized", "token-invalid", "access-token-invalid"])
async def test_a_refused_token_is_thrown_away_and_the_question_asked_again(coze, alice, tab, name):
    async with tab(alice) as page:
        first = await page.say("hello")
        coze.arm(name, path=CHAT, times=1)
        asked = await page.say("count to 3", conversation=first.conversation)

    assert asked.last["type"] == "turn.completed"
    assert coze.ledger()["exchanges"] == {alice.session_name: 2}
    assert chat_posts(coze) == 3


@pytest.mark.parametrize(
    ("fault", "path", "code"),
    [
        ("html-502", CREATE, "upstream_error"),
        ("reset-request", CREATE, "unreachable"),
        ("unauthorized", CREATE, "auth"),
        ("exchange-error", EXCHANGE, "upstream_error"),
        ("reset-request", EXCHANGE, "unreachable"),
        ("html-502", EXCHANGE, "upstream_error"),
    ],
)
async def test_what_fails_before_the_chat_fails_the_turn_and_asks_nothing(
    coze, alice, tab, monkeypatch, fault, path, code
):
    monkeypatch.setattr(tokens, "FAILURE_SECONDS", 0.0)
    coze.arm(fault, path=path)
    turn, end, chinese, text = await both_ends(alice, tab)
    stored, answer = await database.run(row, turn)

    assert (end["type"], end["error"]["code"], stored.error_code) == ("turn.failed", code, code)
    assert is_chinese(chinese["error"]["message"])
    assert text == answer.content == ""
    assert chat_posts(coze) == 0
    coze.disarm()
    async with tab(alice) as page:
        assert (await page.say("hello", conversation=end["conversation"])).last["type"] == "turn.completed"


@pytest.mark.parametrize("error", ["invalid_client", "access_deny", "invalid_request"])
async def test_a_refused_sign_in_is_the_operators_to_mend(coze, alice, tab, error):
    coze.arm("exchange-error", error=error)
    async with tab(alice) as page:
        asked = await page.say("hello")
    assert asked.last["error"]["code"] == "auth"
    assert asked.last["error"]["retryable"] is False


async def test_a_token_life_as_a_duration_is_a_token_all_the_same(coze, alice, tab):
    coze.arm("expires-in-relative")
    async with tab(alice) as page:
        first = await page.say("hello")
        second = await page.say("hello", conversation=first.conversation)
    assert second.last["type"] == "turn.completed"
    assert coze.ledger()["exchanges"] == {alice.session_name: 1}


async def test_a_coze_that_is_not_there_is_unreachable_and_comes_back(coze, alice, tab, settings):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.COZE_API_BASE = f"http://127.0.0.1:{closed.getsockname()[1]}"
        _turn, end, chinese, _text = await both_ends(alice, tab)
    assert (end["type"], end["error"]["code"]) == ("turn.failed", "unreachable")
    assert is_chinese(chinese["error"]["message"])
    assert end["error"]["retryable"] is True

    settings.COZE_API_BASE = coze.base_url
    async with tab(alice) as page:
        assert (await page.say("hello", conversation=end["conversation"])).last["type"] == "turn.completed"


async def test_a_clock_that_is_wrong_is_the_operators_to_mend_too(coze, alice, tab):
    coze.arm("clock-skew", seconds=7200)
    async with tab(alice) as page:
        asked = await page.say("hello")
    assert asked.last["error"]["code"] == "auth"


async def test_what_coze_suggests_next_comes_after_the_answer_and_its_thoughts_are_no_part_of_it(
    coze, alice, tab
):
    coze.arm("follow-ups", count=3)
    coze.arm("reasoning")
    async with tab(alice) as page:
        asked = await page.say("count to 3")
        suggested = await page.until("turn.suggestions")
    assert (suggested["turn"], len(suggested["items"])) == (asked.turn, 3)
    assert "think" not in asked.text


def other_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.mark.parametrize("key", [other_key(), "no key at all"], ids=["somebody else's", "no key"])
async def test_a_wrong_key_is_an_operators_matter_and_nothing_is_shown_of_it(coze, alice, tab, settings, key):
    own = coze.credentials
    settings.COZE_EMULATED = False
    settings.COZE_CLIENT_ID, settings.COZE_PUBLIC_KEY_ID = own.client_id, own.public_key_id
    settings.COZE_WORKFLOW_ID, settings.COZE_APP_ID = own.workflow_id, own.app_id
    settings.COZE_PRIVATE_KEY = key
    async with tab(alice) as page:
        asked = await page.say("hello")
    turn, _answer = await database.run(row, asked.turn)

    assert (asked.last["error"]["code"], asked.last["error"]["retryable"]) == ("auth", False)
    assert key.strip().splitlines()[-1] not in str(page.seen) + turn.coze_error
    assert chat_posts(coze) == 0


@pytest.mark.parametrize("form", ["interrupt", "requires-action"])
async def test_the_next_message_answers_a_flow_that_waits(coze, alice, tab, form):
    async with tab(alice) as page:
        coze.arm(form, times=1)
        asked = await page.say("order lunch")
        assert asked.last["type"] == "turn.requires_action"
        assert asked.text == "中午吃啥了"
        reply = await page.say("noodles", conversation=asked.conversation)

    assert reply.last["type"] == "turn.completed"
    coze_id = await database.run(lambda: Conversation.objects.get().coze_conversation_id)
    assert coze.ledger()["chats"] == {coze_id: 2}


async def test_a_flow_that_asks_back_by_itself_goes_on_with_the_reply(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("ask me a question")
        assert asked.last["type"] == "turn.requires_action"
        assert "coffee" in asked.text
        reply = await page.say("tea", conversation=asked.conversation)
    assert reply.last["type"] == "turn.completed"
    assert "tea" in reply.text


async def test_every_frame_of_a_huge_answer_fits_and_nothing_of_it_is_lost(coze, alice, tab):
    coze.arm("huge-delta", size=1_000_000)
    async with tab(alice) as page:
        asked = await page.ask("count to 30")
        await asked.end()
        assert asked.text.count("x") == 1_000_000
        page.seen.clear()
        await page.send("turn.resume", turn=asked.turn, seq=0)
        end = await page.until("turn.completed")
    _turn, answer = await database.run(row, asked.turn)
    assert assemble(page.seen, asked.turn) == answer.content
    assert end["length"] == len(answer.content)
    assert all(len(str(frame).encode()) < 64 * 1024 for frame in page.seen)


async def test_an_answer_that_never_ends_is_ended(coze, alice, tab, settings):
    settings.TURN_SECONDS = 1
    coze.arm("stall", after=3, seconds=30, times=1)
    async with tab(alice) as page:
        asked = await page.ask("count to 30")
        end = await asked.end(timeout=6)
    _turn, answer = await database.run(row, asked.turn)
    assert (end["type"], end["error"]["code"]) == ("turn.failed", "timeout")
    assert asked.text == answer.content
    assert answer.content.startswith(FEW)


async def test_an_answer_longer_than_this_site_takes_is_cut_and_said_to_be(coze, alice, tab, settings):
    settings.TURN_ANSWER_LIMIT = 50
    async with tab(alice) as page:
        asked = await page.say("count to 100")
    _turn, answer = await database.run(row, asked.turn)
    assert (asked.last["type"], asked.last["error"]["code"]) == ("turn.failed", "truncated")
    assert asked.last["error"]["retryable"] is False
    assert 30 < len(answer.content) <= 50
    assert asked.text == answer.content
