"""Opening a conversation while things happen in it; and stopping what has ended."""

import asyncio
import uuid
from contextlib import AsyncExitStack

from conversations.models import Conversation
from cozechat import database
from tests.conversations import rows
from tests.tabs import TERMINAL, Tab, log_in


def much_said(conversation: str) -> None:
    for number in range(25):
        rows.turn(Conversation.objects.get(pk=conversation), f"question {number}", f"answer {number} " * 100)


async def until_state(page: Tab) -> list[str]:
    """What kinds of frames come before the state."""
    kinds = []
    while (kind := (await page.frame())["type"]) != "conversation.state":
        kinds.append(kind)
    return kinds


async def test_the_state_is_the_first_that_a_tab_hears_of_a_conversation_even_as_an_answer_begins(
    coze, alice, tab
):
    """Many tabs open it just then, so that some are between reading and following."""
    session = await database.run(log_in, alice)
    async with tab(alice, session_key=session) as asker:
        thread = (await asker.say("count to 3")).conversation
        await database.run(much_said, thread)
        for asked_after in (3, 6, 10):
            async with AsyncExitStack() as stack:
                pages = [await stack.enter_async_context(tab(alice, session_key=session)) for _ in range(20)]
                for number, page in enumerate(pages):
                    if number == asked_after:
                        question = {"client_id": str(uuid.uuid4()), "content": "count to 60"}
                        await asker.send("turn.start", conversation=thread, **question)
                    await page.send("conversation.open", conversation=thread)
                before = await asyncio.gather(*(until_state(page) for page in pages))
                assert {kind for kinds in before for kind in kinds} <= {"conversation.updated"}
                await asker.until("turn.completed")


async def test_stopping_what_has_ended_is_answered_to_the_one_who_asked_alone(coze, alice, tab):
    async with tab(alice) as page, tab(alice) as other:
        asked = await page.say("count to 3")
        await other.send("conversation.open", conversation=asked.conversation)
        await other.until("conversation.state")
        await page.until("conversation.updated")
        assert await page.quiet()
        await other.send("turn.stop", turn=asked.turn)
        assert (await other.until(*TERMINAL))["type"] == "turn.completed"
        assert await page.quiet()
