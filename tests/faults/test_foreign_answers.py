"""U16, U19: an answer that belongs to somebody else, and a Coze that sends us elsewhere."""

import logging

from cozechat import database
from tests.coze.wire import CREATED, DONE, chunked, delta, event, response, stub
from tests.faults.steps import CHAT, chats_of, raw_coze, requests_to, stored_answer, turn_row


def foreign(name: str) -> bytes:
    return event(
        name, {"id": "1", "conversation_id": "conv_of_bob", "content": "Bob's secret", "type": "answer"}
    )


async def test_an_answer_of_another_conversation_is_not_shown_and_the_operator_is_alarmed(
    coze, alice, tab, settings, caplog
):
    streams = [
        [foreign("conversation.chat.created"), delta("Bob's secret")],
        [CREATED, foreign("conversation.message.delta")],
        [CREATED, foreign("conversation.message.completed")],
    ]
    async with raw_coze(settings, *(chunked(*each, DONE) for each in streams)) as raw, tab(alice) as page:
        turns = [await page.say("hello")]
        for _each in streams[1:]:
            turns.append(await page.say("hello", conversation=turns[0].conversation))
        assert chats_of(raw) == len(streams)
    for asked in turns:
        told = asked.last["error"]
        assert (asked.last["type"], told["code"], told["retryable"]) == ("turn.failed", "internal", False)
        assert asked.text == await database.run(stored_answer, asked.turn) == ""
        assert (await database.run(turn_row, asked.turn)).coze_error.startswith("WrongConversation")
    assert "Bob" not in str(page.seen)
    alarms = [each.getMessage() for each in caplog.records if each.levelno == logging.CRITICAL]
    assert [alarm.split(" was ")[0] for alarm in alarms] == [
        f"isolation alarm: turn {asked.turn}" for asked in turns
    ]


async def test_nobody_is_followed_elsewhere(coze, alice, tab, settings):
    kinds = ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
    async with stub(response(b"{}")) as elsewhere:
        place = f"Location: {elsewhere.base_url}/x\r\n"
        away = [response(b"", status=kind, mime="text/html", headers=place) for kind in kinds]
        async with raw_coze(settings, *away) as raw, tab(alice) as page:
            first = await page.say("hello")
            turns = [
                first,
                *[await page.say("hello", conversation=first.conversation) for _each in kinds[1:]],
            ]
            assert {(turn.last["type"], turn.last["error"]["code"]) for turn in turns} == {
                ("turn.failed", "bad_response")
            }
            assert chats_of(raw) == len(kinds)
        async with stub(away[0]) as raw, tab(alice) as page:
            settings.COZE_API_BASE = raw.base_url
            assert (await page.say("hello")).last["type"] == "turn.failed"
        assert (elsewhere.connections, elsewhere.requests) == (0, [])


async def test_an_alarm_is_no_reason_to_ask_again(coze, alice, tab):
    coze.arm("wrong-conversation", path=CHAT)
    async with tab(alice) as page:
        await page.say("hello")
    assert requests_to(coze, CHAT) == 1
