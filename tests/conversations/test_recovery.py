"""A process dies in the middle of an answer: another one asks Coze for the rest, and never asks twice."""

import asyncio
import signal
import time
import uuid
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from conversations import turns
from conversations.models import Message, Turn
from conversations.turns.processes import orphans, recovering
from cozechat import database
from tests.processes import http, site, stored_answer, tab_at
from tests.tabs import TERMINAL, assemble

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
WITHIN = 30


# --- Real processes -----------------------------------------------------------------------------------


async def test_an_answer_whose_process_is_killed_is_completed_in_the_tabs_of_another(tmp_path):
    with site(tmp_path) as two:
        home, other = two.start(), two.start()
        alice, bob = two.member(), two.member()
        async with tab_at(home, alice) as here, tab_at(other, alice) as there, tab_at(home, bob) as bobs:
            # Bob's answer dies at Coze as well; Alice's goes on there.
            two.coze.arm("stall", after=60, finish=0, times=1)
            lost = await bobs.ask("count to 80")
            await lost.words()
            asked = await here.ask("count to 80")
            await asked.words()
            await there.send("conversation.open", conversation=asked.conversation)
            await there.until("turn.sync")
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await lost.end()
            home.kill()
            killed_at = time.monotonic()
            ended = await there.until(*TERMINAL, timeout=WITHIN)
            assert time.monotonic() - killed_at < WITHIN
            assert ended["type"] == "turn.completed"
            whole = assemble(there.seen, asked.turn)
            assert whole.split()[-1].startswith("80")
            assert await stored_answer(other, alice, asked.conversation) == ("completed", whole)

            async with tab_at(other, bob) as back:
                await back.send("turn.resume", turn=lost.turn, seq=0)
                left = WITHIN - (time.monotonic() - killed_at)
                ended = await back.until(*TERMINAL, timeout=left)
                assert ended["type"] == "turn.interrupted"
                kept = assemble(back.seen, lost.turn)
                assert await stored_answer(other, bob, lost.conversation) == ("interrupted", kept)
                # 40 words a second: what one second brought may be lost, and no more.
                assert len(kept.split()) >= len(lost.text.split()) - 45
                again = await back.say("count to 3", conversation=lost.conversation)
                assert again.last["type"] == "turn.completed"
        assert two.chats() == 3


async def test_the_restarted_process_completes_an_answer_with_nobody_looking(tmp_path):
    with site(tmp_path) as one:
        first, alice = one.start(), one.member()
        async with tab_at(first, alice) as here:
            asked = await here.ask("count to 60")
            await asked.words()
            await asyncio.sleep(0.5)
        first.kill()
        killed_at = time.monotonic()
        second = one.start()
        status = "in_progress"
        while status in ("created", "in_progress") and time.monotonic() - killed_at < WITHIN:
            await asyncio.sleep(0.5)
            status, text = await stored_answer(second, alice, asked.conversation)
        assert status == "completed"
        assert text.split()[-1].startswith("60")
        assert one.chats() == 1


@pytest.mark.slow
async def test_a_process_that_is_told_to_end_hands_its_answers_over_without_a_word_lost(tmp_path):
    with site(tmp_path) as two:
        home, other = two.start(), two.start()
        alice = two.member()
        async with tab_at(home, alice) as here:
            # The answer takes longer than a process that ends has patience.
            two.coze.arm("stall", after=40, seconds=60, times=1)
            asked = await here.ask("count to 80")
            await asked.words()
            home.signal(signal.SIGTERM)
            assert await here.close_code(timeout=30) == 4012
            shown = assemble(here.seen, asked.turn)
        came_back = time.monotonic()
        async with tab_at(other, alice) as back:
            await back.send("conversation.open", conversation=asked.conversation)
            await back.until("conversation.state")
            page = await http(other, alice, f"/api/conversations/{asked.conversation}/messages")
            assert page["items"][-1]["content"].startswith(shown)
            if page["items"][-1]["status"] == "in_progress":
                ended = await back.until(*TERMINAL, timeout=10)
                assert ended["type"] == "turn.completed"
            assert time.monotonic() - came_back < 5
            status, text = await stored_answer(other, alice, asked.conversation)
            assert status == "completed"
            assert text.startswith(shown)
            assert text.split()[-1].startswith("80")
        assert home.wait() == 0
        assert two.chats() == 1


# --- What Coze says when it is asked ------------------------------------------------------------------


def left_behind(turn: str, *, kept: str) -> None:
    """The row as a process left it that died a while ago, with what it had saved."""
    lapsed = timezone.now() - timedelta(seconds=1)
    Turn.objects.filter(pk=turn).update(
        status="in_progress", ended_at=None, lease=uuid.uuid4(), lease_until=lapsed
    )
    Message.objects.filter(turn_id=turn, role="assistant").update(content=kept, breaks=[], html="")


async def recovered(turn: str, *, kept: str) -> tuple[str, str]:
    await database.run(left_behind, turn, kept=kept)
    for orphan in await database.run(orphans.claim):
        await turns.engine().recover(orphan)
    return await database.run(stored, turn)


def stored(turn: str) -> tuple[str, str]:
    return Turn.objects.get(pk=turn).status, Message.objects.get(turn_id=turn, role="assistant").content


@pytest.fixture
def hasty(monkeypatch):
    """Coze is asked for two seconds, not for eight and more."""
    monkeypatch.setattr(recovering, "_AT_LEAST", timedelta(seconds=2))
    monkeypatch.setattr(recovering, "_ENDED_WITHIN", timedelta(0))


async def test_several_answers_are_recovered_with_the_breaks_between_them(coze, alice, tab):
    coze.arm("several-answers", count=3, times=1)
    async with tab(alice) as page:
        asked = await page.say("count to 9")
        before = await database.run(
            Message.objects.filter(role="assistant").values_list("breaks", "html").get
        )
        assert before[0]
        assert await recovered(asked.turn, kept=asked.text[:5]) == ("completed", asked.text)
    after = await database.run(Message.objects.filter(role="assistant").values_list("breaks", "html").get)
    assert after == before
    assert sum(coze.ledger()["chats"].values()) == 1


async def test_open_tabs_hear_of_the_recovered_answer_once(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("count to 30")
    await turns.engine().aclose()  # what begins now is a process that never heard of it
    await database.run(left_behind, asked.turn, kept=asked.text[:10])
    async with tab(alice) as page, tab(alice) as other:
        await page.send("conversation.open", conversation=asked.conversation)
        assert (await page.until("turn.completed"))["turn"] == asked.turn
        assert assemble(page.seen, asked.turn) == asked.text
        while (await other.until("conversation.updated"))["conversation"]["running"]:
            pass
        assert (await page.until("conversation.updated"))["conversation"]["running"] is False
        assert await page.quiet(seconds=1.5)


async def test_an_answer_that_coze_never_finished_is_interrupted_with_what_was_kept(coze, alice, tab, hasty):
    coze.arm("truncate", after=5, finish=0, times=1)
    async with tab(alice) as page:
        asked = await page.say("count to 30")
        assert asked.text
        started = time.monotonic()
        assert await recovered(asked.turn, kept=asked.text) == ("interrupted", asked.text)
        assert 1 < time.monotonic() - started < 8
    assert sum(coze.ledger()["chats"].values()) == 1


async def test_an_answer_that_is_shorter_at_coze_than_what_was_shown_is_not_the_whole(
    coze, alice, tab, hasty
):
    async with tab(alice) as page:
        asked = await page.say("count to 9")
        more = asked.text + " and another answer"
        assert await recovered(asked.turn, kept=more) == ("interrupted", more)


async def test_an_answer_that_coze_still_gives_is_waited_for(coze, alice, tab):
    coze.arm("truncate", after=5, times=1)
    async with tab(alice) as page:
        asked = await page.say("count to 800")
        assert asked.last["type"] == "turn.failed"
        status, text = await recovered(asked.turn, kept=asked.text)
        assert status == "completed"
        assert text.startswith(asked.text)
        assert text.split()[-1].startswith("800")


async def test_a_question_that_never_reached_coze_is_not_asked_there(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("hello")
        await database.run(Turn.objects.filter(pk=asked.turn).update, coze_chat_id="")
        coze.reset_ledger()
        assert await recovered(asked.turn, kept="") == ("interrupted", "")
    assert not coze.ledger()["requests"]


async def test_a_refused_token_and_a_coze_that_is_away_for_a_moment_are_survived(coze, alice, tab):
    async with tab(alice) as page:
        asked = await page.say("count to 9")
        coze.revoke_tokens()
        coze.arm("html-502", path="/v1/conversation/message/list", times=2)
        assert await recovered(asked.turn, kept="") == ("completed", asked.text)


LIST, COUNTS = "/v1/conversation/message/list", "/v3/chat/retrieve"


async def test_a_coze_that_takes_the_question_and_stays_silent_does_not_keep_an_orphan(
    coze, alice, tab, hasty, monkeypatch
):
    monkeypatch.setattr(recovering, "_OVER", 1.0)
    async with tab(alice) as page:
        asked = await page.say("count to 9")
        coze.arm("slow-first-byte", path=LIST, seconds=600)
        async with asyncio.timeout(40):  # one call may take sixty
            assert await recovered(asked.turn, kept=asked.text[:3]) == ("interrupted", asked.text[:3])


async def test_counts_that_coze_does_not_say_do_not_keep_an_answer(coze, alice, tab, monkeypatch):
    monkeypatch.setattr(recovering, "_COUNT_WITHIN", 0.5)
    async with tab(alice) as page:
        asked = await page.say("count to 9")
        coze.arm("slow-first-byte", path=COUNTS, seconds=600)
        async with asyncio.timeout(40):
            assert await recovered(asked.turn, kept="") == ("completed", asked.text)


async def test_a_process_does_not_claim_again_what_it_is_recovering(coze, alice, tab, hasty):
    async with tab(alice) as page:
        asked = await page.say("count to 9")
    await turns.engine().aclose()
    coze.arm("slow-first-byte", path=LIST, seconds=600)
    await database.run(left_behind, asked.turn, kept="")
    engine, row = turns.engine(), Turn.objects.filter(pk=asked.turn)
    await engine._claim()
    await asyncio.sleep(0)
    lease = await database.run(row.values_list("lease", flat=True).get)
    await database.run(row.update, lease_until=timezone.now() - timedelta(seconds=1))
    await engine._claim()
    assert await database.run(row.values_list("lease", flat=True).get) == lease


async def test_what_its_owner_stops_meanwhile_stays_stopped(coze, alice, tab, hasty):
    coze.arm("truncate", after=5, finish=0, times=1)
    async with tab(alice) as page:
        asked = await page.say("count to 30")
    await turns.engine().aclose()
    await database.run(left_behind, asked.turn, kept=asked.text)
    (orphan,) = await database.run(orphans.claim)
    async with tab(alice) as page:
        await page.send("conversation.open", conversation=asked.conversation)
        await page.until("turn.sync")
        recovery = asyncio.ensure_future(turns.engine().recover(orphan))
        await asyncio.sleep(0.3)
        await page.send("turn.stop", turn=asked.turn)
        assert (await page.until(*TERMINAL))["type"] == "turn.canceled"
        assert await recovery is None
        assert await database.run(stored, asked.turn) == ("canceled", asked.text)


async def test_nothing_of_bobs_is_taken_for_alices_answer(coze, alice, bob, tab, hasty):
    """Even if her row named his chat: she asks with her own token, in her own conversation."""
    async with tab(alice) as alices, tab(bob) as bobs:
        asked = await alices.say("count to 9")
        secret = await bobs.say("count to 20")
        his = await database.run(lambda: Turn.objects.get(pk=secret.turn).coze_chat_id)
        await database.run(Turn.objects.filter(pk=asked.turn).update, coze_chat_id=his)
        assert await recovered(asked.turn, kept="1") == ("interrupted", "1")


async def test_reconcile_does_the_same_by_hand(coze, alice, tab, capsys):
    async with tab(alice) as page:
        asked = await page.say("count to 9")
    await database.run(left_behind, asked.turn, kept="1")
    await asyncio.to_thread(call_command, "reconcile")
    told = "1 orphaned turns ended: 1 completed.\n0 deserted calls settled.\n"
    assert capsys.readouterr().out == told
    assert await database.run(stored, asked.turn) == ("completed", asked.text)
    await asyncio.to_thread(call_command, "reconcile")
    assert capsys.readouterr().out == "0 orphaned turns ended.\n0 deserted calls settled.\n"
