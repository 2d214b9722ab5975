"""Frames that no page of ours would send: each gets a clear answer, and the socket lives on."""

import asyncio
import json
import logging
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations import consumers, frames, turns
from conversations.frames import Refused
from conversations.models import Conversation, Message, Turn
from cozechat import database

ID = "0b7e1c52-6f0a-4d53-9f0e-1d2c3b4a5968"
NOBODYS = "9d1f6a0e-3a54-4c39-8a3b-0c9f3f6b7e21"


def start(**fields):
    return json.dumps({"type": "turn.start", "client_id": ID, "conversation": None, "content": "hi"} | fields)


def raw_parameters(value: str) -> str:
    """A question whose parameters hold a value that `json.dumps` would not write."""
    return start(parameters={"x": "HERE"}).replace('"HERE"', value)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


NO_OBJECTS = {
    "nothing": ("", "bad_frame", None),
    "200 kB that are no JSON": ("x" * 200_000, "bad_frame", None),
    "a frame of 300 kB": (start(content="x" * 300_000), "too_long", ID),
    "control characters": ("\x00\x01\x02\x7f", "bad_frame", None),
    "bytes": (b'{"type":"ping"}', "bad_frame", None),
    "bytes that are no text": (b"\xff\xfe\x00", "bad_frame", None),
    "half an object": ('{"type":', "bad_frame", None),
    "single quotes": ("{'type':'ping'}", "bad_frame", None),
    "two objects": ('{"type":"ping"}{"type":"ping"}', "bad_frame", None),
    "a list": ("[]", "bad_frame", None),
    "a list of frames": ('[{"type":"ping"}]', "bad_frame", None),
    "null": ("null", "bad_frame", None),
    "a number": ("1", "bad_frame", None),
    "a string": ('"ping"', "bad_frame", None),
    "100000 brackets": ("[" * 100_000, "bad_frame", None),
    "50000 objects": ('{"type":' * 28_000, "bad_frame", None),
}
NUMBERS_AND_NESTS = {
    "a number of 5000 digits": (raw_parameters("9" * 5000), "bad_frame", ID),
    "NaN": (raw_parameters("NaN"), "bad_frame", ID),
    "an infinity": (raw_parameters("-Infinity"), "bad_frame", ID),
    "a number beyond all floats": (raw_parameters("1e999"), "bad_frame", ID),
    "lists in lists": (raw_parameters(nested(30)), "bad_frame", ID),
    "many lists in lists": (raw_parameters(nested(500)), "bad_frame", ID),
}
TYPES = {
    "half a character as client_id": (r'{"type":"turn.start","client_id":"\ud83d"}', "bad_frame", None),
    "half a character as type": (r'{"type":"\ud83d","client_id":"' + ID + '"}', "bad_frame", ID),
    "no type": ("{}", "bad_frame", None),
    "an empty type": ('{"type":""}', "bad_frame", None),
    "an unknown type": (json.dumps({"type": "turn.explode", "client_id": ID}), "bad_frame", ID),
    "a type of ours": (json.dumps({"type": "turn.completed", "client_id": ID}), "bad_frame", ID),
    "a number as type": ('{"type":7}', "bad_frame", None),
    "a list as type": ('{"type":["ping"]}', "bad_frame", None),
    "an object as type": ('{"type":{"ping":1}}', "bad_frame", None),
}
QUESTIONS = {
    "a question without client_id": ('{"type":"turn.start","content":"hi"}', "bad_frame", None),
    "a word as client_id": (start(client_id="mine"), "bad_frame", "mine"),
    "a number as client_id": (start(client_id=5), "bad_frame", None),
    "a long client_id": (start(client_id="1" * 100), "bad_frame", None),
    "an edit that names no turn": (start(conversation=ID, edits="x"), "bad_frame", ID),
    "an edit of a list": (start(conversation=ID, edits=[ID]), "bad_frame", ID),
    "an edit in no conversation": (start(edits=ID), "bad_frame", ID),
    "an edit without words": (start(conversation=ID, edits=ID, content=""), "empty", ID),
    "an answer asked for again that is a number": (start(conversation=ID, regenerates=7), "bad_frame", ID),
    "an answer asked for again in no conversation": (start(regenerates=ID), "bad_frame", ID),
    "an edit that asks again": (start(conversation=ID, edits=ID, regenerates=ID), "bad_frame", ID),
    "going on with what does not exist": (start(conversation=ID, continues=ID), "not_found", ID),
    "going on with an object": (start(conversation=ID, continues={}), "bad_frame", ID),
    "a question without content": (json.dumps({"type": "turn.start", "client_id": ID}), "bad_frame", ID),
    "a number as content": (start(content=7), "bad_frame", ID),
    "a list as content": (start(content=["hi"]), "bad_frame", ID),
    "a word as queue": (start(queue="yes"), "bad_frame", ID),
    "empty content": (start(content=""), "empty", ID),
    "blank content": (start(content=" \n\t\u3000 "), "empty", ID),
    "content of control characters": (start(content="\x00\x01\x1b"), "empty", ID),
    "content of 200 kB": (start(content="x" * 200_000), "too_long", ID),
    "one character too many": (start(content="字" * 32_769), "too_long", ID),
}
CHOICES = {
    "a word as conversation": (start(conversation="first"), "bad_frame", ID),
    "an empty conversation": (start(conversation=""), "bad_frame", ID),
    "a number as conversation": (start(conversation=1), "bad_frame", ID),
    "a conversation that never was": (start(conversation=NOBODYS), "not_found", ID),
    "an unknown assistant": (start(assistant=999_999), "not_found", ID),
    "an unknown assistant's digits": (start(assistant="999999"), "not_found", ID),
    "a word as assistant": (start(assistant="coze"), "bad_frame", ID),
    "other digits as assistant": (start(assistant="٣"), "bad_frame", ID),
    "a truth as assistant": (start(assistant=True), "bad_frame", ID),
    "a fraction as assistant": (start(assistant=1.5), "bad_frame", ID),
    "a negative assistant": (start(assistant=-1), "bad_frame", ID),
    "a gigantic assistant": (start(assistant=10**30), "bad_frame", ID),
    "a list as parameters": (start(parameters=[1]), "bad_frame", ID),
    "a string as parameters": (start(parameters="x"), "bad_frame", ID),
    "20 kB of parameters": (start(parameters={"x": "y" * 20_000}), "bad_frame", ID),
}
OTHERS = {
    "a stop without turn": ('{"type":"turn.stop"}', "bad_frame", None),
    "a stop of a word": ('{"type":"turn.stop","turn":"all"}', "bad_frame", None),
    "a stop of nobody's turn": (json.dumps({"type": "turn.stop", "turn": NOBODYS}), "not_found", None),
    "an edit without turn": ('{"type":"turn.edit","content":"hi"}', "bad_frame", None),
    "an edit without content": (json.dumps({"type": "turn.edit", "turn": NOBODYS}), "bad_frame", None),
    "an edit into nothing": (
        json.dumps({"type": "turn.edit", "turn": NOBODYS, "content": " "}),
        "empty",
        None,
    ),
    "an edit of nobody's turn": (
        json.dumps({"type": "turn.edit", "turn": NOBODYS, "content": "hi"}),
        "not_found",
        None,
    ),
    "a resume without turn": ('{"type":"turn.resume","seq":0}', "bad_frame", None),
    "a resume after -1": (json.dumps({"type": "turn.resume", "turn": NOBODYS, "seq": -1}), "bad_frame", None),
    "a resume after a word": (
        json.dumps({"type": "turn.resume", "turn": NOBODYS, "seq": "1"}),
        "bad_frame",
        None,
    ),
    "a resume of nobody's turn": (
        json.dumps({"type": "turn.resume", "turn": NOBODYS, "seq": 10**4000}),
        "not_found",
        None,
    ),
    "an opening of nothing": ('{"type":"conversation.open"}', "bad_frame", None),
    "an opening of null": ('{"type":"conversation.open","conversation":null}', "bad_frame", None),
    "an opening of nobody's conversation": (
        json.dumps({"type": "conversation.open", "conversation": NOBODYS}),
        "not_found",
        None,
    ),
}


async def send(page, frame) -> None:
    kind = "text" if isinstance(frame, str) else "bytes"
    await page.communicator.send_input({"type": "websocket.receive", kind: frame})


async def hear(page):
    """The next frame, and that a real socket could carry it."""
    message = await page.communicator.receive_output(20)
    assert message["type"] == "websocket.send", message
    assert len(message["text"].encode()) <= 64 * 1024
    return json.loads(message["text"])


def rows() -> tuple[int, int, int]:
    return Conversation.objects.count(), Turn.objects.count(), Message.objects.count()


FAMILIES = {
    "what is no object": NO_OBJECTS,
    "numbers and nests": NUMBERS_AND_NESTS,
    "types": TYPES,
    "questions": QUESTIONS,
    "choices": CHOICES,
    "stops, edits, resumes, openings": OTHERS,
}


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_bad_frame_is_told_what_is_wrong_and_stores_nothing(coze, alice, tab, caplog, family):
    expected, told, alive = FAMILIES[family], {}, set()
    async with tab(alice) as page:
        for name, (frame, _code, _client_id) in expected.items():
            await send(page, frame)
            error = await hear(page)
            told[name] = (frame, error.get("code"), error.get("client_id"))
            assert (error["type"], bool(error["message"])) == ("error", True), name
            await send(page, '{"type":"ping"}')
            alive.add((await hear(page))["type"])

    assert told == expected
    assert alive == {"pong"}
    assert await database.run(rows) == (0, 0, 0)
    assert coze.ledger()["chats"] == {}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_every_type_of_frame_has_bad_examples_here():
    texts = [frame for family in FAMILIES.values() for frame, _code, _id in family.values()]
    assert [kind for kind in frames._PARSERS if not any(f'"{kind}"' in str(text) for text in texts)] == []


async def test_what_is_wrong_is_said_in_the_language_of_the_tab(coze, alice, tab):
    async with tab(alice, accept_language="zh-CN,zh;q=0.9") as page:
        await send(page, "[]")
        assert any("\u4e00" <= character <= "\u9fff" for character in (await hear(page))["message"])


async def test_half_characters_and_control_characters_in_a_question_are_replaced(coze, alice, tab):
    async with tab(alice) as page:
        await send(page, r'{"type":"turn.start","client_id":"' + ID + r'","content":"a\ud800b\u0000c"}')
        assert (await hear(page))["type"] == "turn.accepted"
        await page.until("turn.completed")
    question = await database.run(Message.objects.get, role="user")
    assert question.content == "a\ufffdbc"


async def test_fields_that_no_frame_has_are_ignored(coze, alice, tab):
    async with tab(alice) as page:
        await page.send("ping", client_id=ID, user=1, content="x", __class__="y")
        assert await page.frame() == {"type": "pong"}


async def test_a_flood_is_told_to_slow_down_and_is_heard_again_later(coze, alice, tab):
    async with tab(alice) as page:
        for _each in range(90):
            await send(page, '{"type":"ping"}')
        answers = [await hear(page) for _each in range(90)]

        told = [answer for answer in answers if answer["type"] == "error"]
        assert {error["code"] for error in told} == {"rate_limited"}
        assert 60 <= len(answers) - len(told) < 90
        await asyncio.sleep(2)
        await send(page, '{"type":"ping"}')
        assert await hear(page) == {"type": "pong"}


async def test_a_question_that_drowns_in_a_flood_is_told_so_by_its_name(coze, alice, tab):
    async with tab(alice, accept_language="zh-CN") as page:
        for _each in range(75):
            await send(page, '{"type":"ping"}')
        await send(page, start(client_id=ID))
        told = [answer for answer in [await hear(page) for _each in range(76)] if answer["type"] == "error"]

        named = [error for error in told if "client_id" in error]
        assert [(error["code"], error["client_id"]) for error in named] == [("rate_limited", ID)]
        assert any("\u4e00" <= character <= "\u9fff" for character in named[0]["message"])
    assert await database.run(rows) == (0, 0, 0)


async def test_a_flood_without_end_is_closed_as_one(coze, alice, tab):
    async with tab(alice) as page:
        for _each in range(400):
            await send(page, '{"type":"ping"}')
        assert await page.close_code() == 4029


async def test_another_socket_does_not_suffer_from_a_flood(coze, alice, bob, tab):
    async with tab(alice) as alices, tab(bob) as bobs:
        for _each in range(100):
            await send(alices, start(content="x" * 30_000, parameters="wrong"))
        asked = await bobs.say("hello")
        assert asked.last["type"] == "turn.completed"


# --- Whatever comes -----------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
field = anything | st.just(ID) | st.just(NOBODYS) | st.uuids().map(str)
near_miss = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(frames._PARSERS))},
    optional=dict.fromkeys(
        ("client_id", "conversation", "content", "assistant", "parameters", "turn", "seq"), field
    ),
)
text_frame = st.one_of(
    anything.map(json.dumps), near_miss.map(json.dumps), st.text(st.characters(), max_size=200)
)


@given(text_frame)
def test_whatever_the_text_parsing_it_gives_a_frame_or_a_refusal(text):
    try:
        frames.parse(text)
    except Refused as refused:
        frames.error(refused).encode()


def test_however_deep_the_nesting_it_is_refused_in_order():
    # Somewhere below the recursion limit is a depth that can be read and not be written again.
    for depth in range(30, 1_100):
        with pytest.raises(Refused):
            frames.parse(raw_parameters(nested(depth)))


def test_whatever_comes_the_socket_stays_open(coze, alice, tab, caplog, monkeypatch):
    monkeypatch.setattr(consumers, "_FRAMES_AT_ONCE", 1e9)
    seen = []

    async def answered(page, frame) -> None:
        await send(page, frame)
        await send(page, '{"type":"ping"}')
        while (answer := await hear(page))["type"] != "pong":
            seen.append(answer)

    with asyncio.Runner() as runner:
        context = tab(alice)
        page = runner.run(context.__aenter__())

        @given(text_frame | st.binary(max_size=50))
        def try_it(frame):
            runner.run(answered(page, frame))

        try:
            try_it()
        finally:
            runner.run(context.__aexit__(None, None, None))
            runner.run(_close())
    accepted = {frame["turn"] for frame in seen if frame["type"] == "turn.accepted"}
    assert Turn.objects.count() == len(accepted)
    assert {frame["code"] for frame in seen if frame["type"] == "error"} <= {
        *("bad_frame", "not_found", "busy", "rate_limited", "quota", "too_long", "empty")
    }
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def _close() -> None:
    from accounts import tokens
    from cozechat.catalog.clients import close_clients

    await turns.engine().drain(grace=10)
    await tokens.aclose()
    await close_clients()


async def test_many_questions_with_wrong_names_start_nothing(coze, alice, tab):
    async with tab(alice) as page:
        for _each in range(20):
            await send(page, start(client_id=str(uuid.uuid4()), conversation=str(uuid.uuid4())))
        codes = {(await hear(page))["code"] for _each in range(20)}
    assert codes == {"not_found"}
    assert await database.run(rows) == (0, 0, 0)
