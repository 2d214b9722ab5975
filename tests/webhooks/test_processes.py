"""Real processes: what was accepted is there after a kill -9, and every tab in every process is told."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Process, Site, http, site, tab_at
from tests.webhooks.sending import TOKENS, look, make_conversations, send_all
from tests.webhooks.telling import bearer, encoded, message_event

HANDLED_WITHIN = 100.0
_COZE_ID = """
from conversations.models import Conversation
print(Conversation.objects.get(pk="{id}").coze_conversation_id)
"""


@pytest.fixture
def running_site(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as made:
        made.environment |= TOKENS
        yield made


def post(process: Process, event: dict[str, Any]) -> int:
    import urllib.request

    request = urllib.request.Request(
        f"{process.url}/webhook/coze", data=encoded(event), headers=bearer(), method="POST"
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=20) as reply:
        return int(reply.status)


def when_all_are_handled(made: Site) -> dict[str, dict[str, Any]]:
    until = time.monotonic() + HANDLED_WITHIN
    while "waiting" in (found := look(made))["events"].values():
        assert time.monotonic() < until, found["events"]
        time.sleep(1.0)
    return found


@pytest.mark.slow
def test_nothing_that_was_accepted_is_lost_or_doubled_when_its_process_is_killed(running_site: Site) -> None:
    coze_ids = make_conversations(running_site, count=5)
    first = running_site.start()

    def blow() -> None:
        time.sleep(1.5)
        first.kill()

    sent = send_all([first.url], coze_ids=coze_ids, seconds=3.0, senders=8, meanwhile=blow)
    assert len(sent.accepted) > 20
    assert sent.broken
    assert not sent.refused
    stored = look(running_site)["events"]
    assert set(sent.accepted) <= set(stored)
    assert "waiting" in stored.values(), "the blow came too late to prove anything"
    running_site.start()
    found = when_all_are_handled(running_site)
    assert set(found["events"].values()) == {"handled"}
    assert found["messages"] == dict.fromkeys(found["events"], 1)


async def test_a_message_that_one_process_takes_appears_in_the_tabs_of_another(running_site: Site) -> None:
    first, second = running_site.start(), running_site.start()
    alice, bob = running_site.member(), running_site.member()
    async with tab_at(first, alice) as near, tab_at(second, alice) as far, tab_at(second, bob) as bobs:
        asked = await near.say("count to 3")
        await bobs.say("count to 3")
        await far.send("conversation.open", conversation=asked.conversation)
        await far.until("conversation.state")
        code = _COZE_ID.format(id=asked.conversation)
        shell = await asyncio.to_thread(running_site.run, "manage.py", "shell", "-v", "0", "-c", code)
        event = message_event(shell.split()[-1], "Told to one, seen in both")
        assert await asyncio.to_thread(post, first, event) == 202
        for alices in (near, far):
            frame = await alices.until("message.created")
            assert frame["message"]["content"] == "Told to one, seen in both"
        with suppress(TimeoutError):
            while True:
                await bobs.frame(timeout=2)
        assert not [frame for frame in bobs.seen if "Told to one" in str(frame)]
        assert "message.created" not in {frame["type"] for frame in bobs.seen}
        path = f"/api/conversations/{asked.conversation}/messages"
        page = await http(second, alice, path)
        assert [item["content"] for item in page["items"]][-1] == "Told to one, seen in both"
        assert await http(second, bob, path) == 404
