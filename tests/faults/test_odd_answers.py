"""U5, U9, U10, U11: answers that are none, that break off, that are garbage, or that come twice."""

from cozechat import database
from tests.coze.wire import (
    COMPLETED,
    CREATED,
    DONE,
    chunked,
    delta,
    event,
    response,
    too_short,
    until_close,
)
from tests.faults.steps import chats_of, raw_coze, stored_answer, turn_row
from tests.tabs import TERMINAL

PAGE = b"<html><body>Traceback: upstream-secret-detail " + b"x" * 200_000 + b"</body></html>"


async def asked_each(page, count: int) -> list:
    """As many questions in one conversation, one after the other."""
    asked = [await page.say("hello")]
    for _each in range(count - 1):
        asked.append(await page.say("hello", conversation=asked[0].conversation))
    return asked


async def test_a_failure_of_a_gateway_is_said_in_our_words_and_asked_once(coze, alice, tab, settings):
    told = {
        "500 Internal Server Error": "upstream_error",
        "502 Bad Gateway": "upstream_error",
        "503 Service Unavailable": "busy",
        "504 Gateway Timeout": "timeout",
    }
    pages = [response(PAGE, status=status, mime="text/html") for status in told]
    async with raw_coze(settings, *pages) as raw, tab(alice) as page:
        turns = await asked_each(page, len(told))
        assert chats_of(raw) == len(told)
    errors = [turn.last["error"] for turn in turns]
    assert {turn.last["type"] for turn in turns} == {"turn.failed"}
    assert [(error["code"], error["retryable"]) for error in errors] == [
        (code, True) for code in told.values()
    ]
    assert all(error["message"] for error in errors)
    stored = [(await database.run(turn_row, turn.turn)).coze_error for turn in turns]
    assert "secret-detail" not in str(page.seen) + str(stored)


HALF = CREATED + delta("So far")


async def test_an_answer_that_breaks_off_is_never_called_complete(coze, alice, tab, settings):
    broken = {
        "chunks end": chunked(HALF),
        "no last chunk": chunked(HALF, ended=False),
        "closed": until_close(HALF),
        "too short": too_short(HALF),
        "done alone": until_close(HALF + DONE),
    }
    async with raw_coze(settings, *broken.values()) as raw, tab(alice) as page:
        turns = await asked_each(page, len(broken))
        assert chats_of(raw) == len(broken)
    for name, turn in zip(broken, turns, strict=True):
        assert (turn.last["type"], turn.last["error"]["code"]) == ("turn.failed", "truncated"), name
        assert turn.text == await database.run(stored_answer, turn.turn) == "So far", name


RAW = b'event: conversation.message.delta\ndata: {"id":"1","type":"answer","content":%b}\n\n'


async def test_odd_bytes_become_a_text_that_can_be_shown_and_stored(coze, alice, tab, settings):
    odd = {
        "no UTF-8": (RAW % b'"a\xff\xfeb"', "a\ufffd\ufffdb"),
        "odd line ends": (delta("a\u2028b\u0085c\x0cd"), "a\u2028b\u0085c\x0cd"),
        "NUL": (delta("a\x00b"), "a\ufffdb"),
        "CRLF": (delta("a").replace(b"\n", b"\r\n"), "a"),
        "CR": (delta("a").replace(b"\n", b"\r"), "a"),
        "byte order mark": (b"\xef\xbb\xbf" + delta("a"), "a"),
        "half an emoji": (RAW % rb'"\ud83d"', "\ufffd"),
    }
    async with (
        raw_coze(settings, *(chunked(sent, COMPLETED, DONE) for sent, _text in odd.values())),
        tab(alice) as page,
    ):
        turns = await asked_each(page, len(odd))
    for (name, (_sent, text)), turn in zip(odd.items(), turns, strict=True):
        assert turn.last["type"] == "turn.completed", name
        assert turn.text == await database.run(stored_answer, turn.turn) == text, name


async def test_garbage_is_the_end_and_what_came_before_is_kept(coze, alice, tab, settings):
    garbage = [b"\x00\x01\x02", b"[" * 100_000, b"NaN", b'{"a": 1}', b'"a']
    async with (
        raw_coze(settings, *(chunked(HALF, RAW % each, COMPLETED, DONE) for each in garbage)),
        tab(alice) as page,
    ):
        turns = await asked_each(page, len(garbage))
    for sent, turn in zip(garbage, turns, strict=True):
        assert (turn.last["type"], turn.last["error"]["code"]) == ("turn.failed", "bad_response"), sent[:20]
        assert turn.text == await database.run(stored_answer, turn.turn) == "So far", sent[:20]


async def test_what_comes_twice_or_after_the_end_is_shown_and_ended_once(coze, alice, tab, settings):
    message = event(
        "conversation.message.completed",
        {"id": "id_2222", "conversation_id": "conv_111111111", "type": "answer", "content": "Once."},
    )
    unknown = event("conversation.somebody.sang", {"id": "1"})
    stream = [CREATED, CREATED, unknown, delta("Once."), message, message, COMPLETED, COMPLETED]
    late = [delta(" Late."), DONE, DONE, delta(" Later."), COMPLETED]
    async with raw_coze(settings, chunked(*stream, *late)), tab(alice) as page:
        asked = await page.say("hello")
        await page.send("ping")
        await page.until("pong")
    assert asked.last["type"] == "turn.completed"
    assert asked.text == await database.run(stored_answer, asked.turn) == "Once."
    assert sum(frame["type"] in TERMINAL for frame in page.seen) == 1
