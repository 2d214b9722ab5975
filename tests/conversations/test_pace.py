"""How much one person may ask: ten at once, sixty a minute, so many a day; and nobody else is slower for it."""

import asyncio
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from django.test import Client

from accounts.models import User
from conversations import turns
from conversations.frames import Refused, TurnStart
from conversations.models import Conversation, Turn, TurnDay
from conversations.turns import allowances, pacing
from cozechat import buckets, counters, database
from cozechat.buckets import Memory
from tests.conversations import rows
from tests.private_redis import private_redis

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_buckets(monkeypatch, settings):
    """Nobody's bucket has been taken from; the site's own limits hold."""
    monkeypatch.setattr(buckets, "_memory", Memory())
    settings.REDIS_URL = ""
    settings.TURNS_PER_MINUTE, settings.TURNS_BURST, settings.TURNS_PER_DAY = 60, 10, 0


def question(**fields) -> dict:
    return {"client_id": str(uuid.uuid4()), "conversation": None, "content": "hello", "queue": True} | fields


async def verdict(page, **fields) -> dict:
    """What becomes of a question: accepted, or the refusal."""
    asked = question(**fields)
    await page.send("turn.start", **asked)
    return await page.until("error", "turn.accepted")


async def verdicts(page, count: int) -> list[str]:
    said = [await verdict(page) for _each in range(count)]
    return [frame.get("code", "accepted") for frame in said]


def start(**fields) -> TurnStart:
    return TurnStart(client_id=uuid.uuid4(), conversation=None, content="hello", **fields)


def stop_the_refill(settings) -> None:
    settings.TURNS_PER_MINUTE, settings.TURNS_BURST = 10, 10
    settings.TURNS_AT_ONCE = 1000


# --- A minute -------------------------------------------------------------------------------------------


async def test_the_eleventh_question_at_once_is_told_when_to_come_back_and_nothing_of_it_is_stored(
    coze, alice, tab, settings
):
    stop_the_refill(settings)
    before = counters.counted().get("limits_refused:minute", 0)
    async with tab(alice) as page:
        assert await verdicts(page, 10) == ["accepted"] * 10
        asked = question()
        await page.send("turn.start", **asked)
        refused = await page.until("error", "turn.accepted")
    seconds = refused.pop("retry_after")
    assert 1 <= seconds <= 6
    assert refused == {
        "type": "error", "code": "rate_limited", "message": "You are sending too fast.",
        "client_id": asked["client_id"], "limit": "minute",
    }  # fmt: skip
    assert await database.run(Turn.objects.count) == 10
    assert await database.run(Conversation.objects.count) == 10
    assert counters.counted()["limits_refused:minute"] == before + 1


async def test_who_came_back_in_time_is_heard(coze, alice, tab, settings):
    settings.TURNS_PER_MINUTE, settings.TURNS_BURST = 60, 1
    async with tab(alice) as page:
        assert await verdicts(page, 1) == ["accepted"]
        asked = question()
        refused = await verdict(page, **asked)
        assert (refused["code"], refused["retry_after"]) == ("rate_limited", 1)
        await asyncio.sleep(1.05)
        assert (await verdict(page, **asked))["type"] == "turn.accepted"


async def test_a_question_that_is_said_again_never_counts_and_is_never_refused(coze, alice, tab, settings):
    stop_the_refill(settings)
    async with tab(alice) as page:
        asked = question()
        accepted = [await verdict(page, **asked) for _each in range(15)]
        assert {frame["turn"] for frame in accepted} == {accepted[0]["turn"]}
        assert await verdicts(page, 10) == ["accepted"] * 9 + ["rate_limited"]
        # Long after it was forgotten that this one was counted.
        buckets._memory._counted_until.clear()
        assert (await verdict(page, **asked))["turn"] == accepted[0]["turn"]


async def test_what_was_refused_for_another_reason_does_not_count_again(coze, alice, tab, settings):
    stop_the_refill(settings)
    async with tab(alice) as page:
        asked = question(assistant=987654)
        for _each in range(12):
            assert (await verdict(page, **asked))["code"] == "not_found"
        assert await verdicts(page, 10) == ["accepted"] * 9 + ["rate_limited"]


async def test_a_queued_question_counts_when_it_is_accepted(coze, alice, tab, settings):
    settings.TURNS_PER_MINUTE, settings.TURNS_BURST = 1, 2
    await database.run(User.objects.filter(pk=alice.pk).update, turns_per_minute=2)
    coze.arm("stall", after=1, seconds=600, times=1)
    async with tab(alice) as page:
        running = await page.ask("count to 9")
        await running.words()
        waits = await verdict(page, conversation=running.conversation)
        assert waits["queued"]
        assert (await verdict(page, conversation=running.conversation))["code"] == "rate_limited"
        await page.send("turn.stop", turn=running.turn)
        assert await page.until("turn.completed", turn=waits["turn"])


@pytest.mark.usefixtures("coze")
def test_of_two_hundred_at_once_exactly_the_burst_goes_through(alice, settings):
    stop_the_refill(settings)
    assert _crowd(alice, 200) == 10


def _crowd(user, count: int) -> int:
    """So many questions at once, from many threads; how many were let in."""

    def ask(_number: int) -> bool:
        try:
            pacing.admit(user, frame=start())
        except Refused as refused:
            assert refused.code == "rate_limited"
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as threads:
        return sum(threads.map(ask, range(count)))


def test_so_it_is_on_redis(alice, settings):
    stop_the_refill(settings)
    with private_redis() as redis:
        settings.REDIS_URL = redis.url
        assert _crowd(alice, 200) == 10


async def test_with_redis_away_people_are_still_heard(coze, alice, tab, settings):
    stop_the_refill(settings)
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    async with tab(alice) as page:
        assert await verdicts(page, 11) == ["accepted"] * 10 + ["rate_limited"]


async def test_bob_and_a_visitor_are_not_slower_for_alices_haste(coze, alice, bob, visitor, tab, settings):
    stop_the_refill(settings)
    settings.TURNS_BURST = 2
    async with tab(alice) as alices, tab(bob) as bobs, tab(visitor) as visitors:
        assert await verdicts(alices, 3) == ["accepted"] * 2 + ["rate_limited"]
        assert await verdicts(bobs, 2) == ["accepted"] * 2
        assert await verdicts(visitors, 3) == ["accepted"] * 2 + ["rate_limited"]


async def test_a_second_tab_is_no_second_bucket(coze, alice, tab, settings):
    stop_the_refill(settings)
    settings.TURNS_BURST = 2
    async with tab(alice) as one, tab(alice) as other:
        assert await verdicts(one, 1) == ["accepted"]
        assert await verdicts(other, 2) == ["accepted", "rate_limited"]


async def test_with_no_limit_nothing_is_counted(coze, alice, tab, settings):
    settings.TURNS_PER_MINUTE = 0
    settings.TURNS_AT_ONCE = 1000
    async with tab(alice) as page:
        assert await verdicts(page, 30) == ["accepted"] * 30
    assert buckets._memory._full_at == {}


async def test_the_sites_own_questions_are_not_held_up(coze, alice, tab, settings):
    settings.TURNS_PER_MINUTE, settings.TURNS_BURST, settings.TURNS_PER_DAY = 1, 1, 1
    async with tab(alice) as page:
        assert await verdicts(page, 1) == ["accepted"]
        assert (await turns.ask(alice, frame=start())).status == "completed"
    assert await database.run(pacing.turns_today, alice.pk) == {
        "used": 1, "limit": 1, "left": 0, "resets_at": _midnight().isoformat(),
    }  # fmt: skip


# --- What staff set for one person ----------------------------------------------------------------------


async def test_a_persons_own_limits_count_from_the_next_question_on(coze, alice, bob, tab, settings):
    stop_the_refill(settings)
    async with tab(alice) as page, tab(bob) as bobs:
        assert await verdicts(page, 1) == ["accepted"]
        await database.run(User.objects.filter(pk=alice.pk).update, turns_per_minute=2, turns_per_day=3)
        assert await verdicts(page, 1) == ["accepted"]
        assert (await verdict(page))["limit"] == "minute"
        await database.run(User.objects.filter(pk=alice.pk).update, turns_per_minute=0)
        assert await verdicts(page, 2) == ["accepted", "quota"]
        assert await verdicts(bobs, 5) == ["accepted"] * 5


async def test_staff_are_held_to_the_limits_unless_their_row_says_otherwise(coze, alice, tab, settings):
    stop_the_refill(settings)
    settings.TURNS_BURST = 2
    alice.is_staff = alice.is_superuser = True
    await database.run(alice.save)
    async with tab(alice) as page:
        assert await verdicts(page, 3) == ["accepted"] * 2 + ["rate_limited"]
        await database.run(User.objects.filter(pk=alice.pk).update, turns_per_minute=0)
        assert await verdicts(page, 5) == ["accepted"] * 5


def test_staff_set_a_persons_limits_in_the_admin(alice, bob, admin_client):
    page = admin_client.get(f"/admin/accounts/user/{alice.pk}/change/")
    form = page.context["adminform"].form
    fields = {name: value for name, value in form.initial.items() if value is not None}
    moments = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    sent = {**fields, **moments, "turns_per_minute": "5", "turns_per_day": ""}
    sent = {name: value for name, value in sent.items() if value not in (False, [])}
    sent.pop("last_login", None)
    assert admin_client.post(f"/admin/accounts/user/{alice.pk}/change/", sent).status_code == 302
    assert pacing.pace_of(alice.pk) == pacing.Pace(per_minute=5, per_day=0)
    assert pacing.pace_of(bob.pk) == pacing.Pace(per_minute=60, per_day=0)
    refused = admin_client.post(f"/admin/accounts/user/{alice.pk}/change/", {**sent, "turns_per_day": "-1"})
    assert refused.status_code == 200


def test_bob_cannot_set_his_own(bob):
    client = Client()
    client.force_login(bob)
    client.post("/accounts/profile/", {"display_name": "Bob", "language": "", "turns_per_minute": "0"})
    bob.refresh_from_db()
    assert (bob.display_name, bob.turns_per_minute) == ("Bob", None)


# --- A day ----------------------------------------------------------------------------------------------


def _midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


async def test_beyond_the_days_questions_the_refusal_says_when_to_come_back(coze, alice, tab, settings):
    settings.TURNS_PER_DAY = 2
    async with tab(alice) as page:
        first = await page.say("hello")
        told = await page.until("usage.updated")
        assert told == {
            "type": "usage.updated", "quota": None,
            "turns": {"used": 1, "limit": 2, "left": 1, "resets_at": _midnight().isoformat()},
        }  # fmt: skip
        await page.say("hello", conversation=first.conversation)
        refused = await verdict(page, conversation=first.conversation)
        assert (refused["code"], refused["limit"]) == ("quota", "day")
        assert refused["resets_at"] == _midnight().isoformat()
        assert 0 < refused["retry_after"] <= 86_400
        assert refused["message"] == "Today's questions are used up."
        # Reading and looking go on.
        await page.send("conversation.open", conversation=first.conversation)
        assert len((await page.until("conversation.state"))["messages"]) == 4
    assert await database.run(Turn.objects.count) == 2


async def test_the_same_question_again_is_not_one_more(coze, alice, tab, settings):
    settings.TURNS_PER_DAY = 1
    async with tab(alice) as page:
        asked = question()
        accepted = [await verdict(page, **asked) for _each in range(3)]
        assert [frame["turn"] for frame in accepted] == [accepted[0]["turn"]] * 3
    assert (await database.run(pacing.turns_today, alice.pk))["used"] == 1


@pytest.mark.usefixtures("coze")
def test_of_many_at_once_exactly_the_days_number_is_stored(alice, settings):
    settings.TURNS_PER_MINUTE, settings.TURNS_PER_DAY, settings.TURNS_AT_ONCE = 0, 5, 1000
    rows.assistant()

    def ask(_number: int) -> bool:
        try:
            turns.begin(alice, frame=start(), per_day=5)
        except Refused as refused:
            assert refused.code == "quota"
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(40))) == 5
    assert Turn.objects.count() == 5


async def test_deleting_what_was_asked_gives_no_question_back(coze, alice, tab, settings):
    settings.TURNS_PER_DAY = 1
    async with tab(alice) as page:
        asked = await page.say("hello")
        await database.run(turns.delete_conversation, alice, conversation_id=uuid.UUID(asked.conversation))
        assert (await verdict(page))["code"] == "quota"


async def test_a_question_that_was_withdrawn_is_given_back_once(coze, alice, tab, settings):
    settings.TURNS_PER_DAY = 2
    coze.arm("stall", after=1, seconds=600, times=1)
    async with tab(alice) as page:
        running = await page.ask("count to 9")
        await running.words()
        waits = await verdict(page, conversation=running.conversation)
        for _each in range(2):
            await page.send("turn.stop", turn=waits["turn"])
            await page.until("turn.canceled", turn=waits["turn"])
        assert (await database.run(pacing.turns_today, alice.pk))["used"] == 1
        await page.send("turn.stop", turn=running.turn)
        await running.end()


async def test_a_question_that_coze_never_took_is_given_back(coze, alice, tab, settings):
    settings.TURNS_PER_DAY = 2
    settings.COZE_API_BASE = "http://127.0.0.1:1"
    async with tab(alice) as page:
        assert (await page.say("hello")).last["type"] == "turn.failed"
    assert (await database.run(pacing.turns_today, alice.pk))["used"] == 0


async def test_bobs_day_is_his_own(coze, alice, bob, visitor, tab, settings):
    settings.TURNS_PER_DAY = 1
    async with tab(alice) as alices, tab(bob) as bobs, tab(visitor) as visitors:
        assert await verdicts(alices, 2) == ["accepted", "quota"]
        assert await verdicts(bobs, 1) == ["accepted"]
        assert await verdicts(visitors, 2) == ["accepted", "quota"]


def test_a_day_is_the_sites_and_begins_at_its_midnight(alice, settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    zone = ZoneInfo("Asia/Shanghai")
    evening, night = (datetime(2026, 3, 1, hour, 59, tzinfo=zone) for hour in (23, 0))
    night += timedelta(days=1)
    assert TurnDay.objects.count_one(alice.pk, limit=1, now=evening)
    assert not TurnDay.objects.count_one(alice.pk, limit=1, now=evening)
    assert TurnDay.objects.count_one(alice.pk, limit=1, now=night)
    assert TurnDay.objects.used(alice.pk, now=night) == 1
    # The day before is over and forgotten.
    assert TurnDay.objects.count() == 1


def test_a_limit_that_is_younger_than_the_day_counts_what_is_there(alice, settings):
    thread = rows.conversation(alice)
    for _each in range(3):
        rows.turn(thread, "hello", "hi")
    settings.TURNS_PER_DAY = 3
    assert pacing.turns_today(alice.pk)["used"] == 3
    with pytest.raises(Refused) as refused:
        turns.begin(alice, frame=start(assistant=thread.assistant_id), per_day=3)
    assert refused.value.code == "quota"


def test_the_page_comes_with_the_days_count(alice, settings):
    client = Client()
    client.force_login(alice)
    assert _config_of(client)["turns"] is None
    settings.TURNS_PER_DAY = 4
    assert _config_of(client)["turns"] == {
        "used": 0, "limit": 4, "left": 4, "resets_at": _midnight().isoformat(),
    }  # fmt: skip


def _config_of(client) -> dict:
    text = client.get("/").content.decode()
    found = text.partition('<script id="page-config" type="application/json">')[2].partition("</script>")[0]
    config: dict = json.loads(found)
    return config


def test_without_a_limit_a_turn_changes_no_meter(alice):
    assert allowances.news_of(alice.pk) is None


async def test_the_refusals_speak_the_readers_language(coze, alice, tab, settings):
    settings.TURNS_PER_MINUTE, settings.TURNS_BURST, settings.TURNS_PER_DAY = 0, 1, 1
    async with tab(alice, accept_language="zh-CN") as page:
        assert await verdicts(page, 1) == ["accepted"]
        assert (await verdict(page))["message"] == "今日提问已用完。"
        settings.TURNS_PER_MINUTE = 1
        assert await verdicts(page, 1) == ["quota"]
        assert (await verdict(page))["message"] == "发送过快。"
