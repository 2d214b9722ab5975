"""A bot asks for tools: they are invoked, shown as steps, and the answer goes on; whatever they do has a name."""

import asyncio
import json
import time
from typing import Any

import pytest
from django.test import Client

from conversations.models import Step, Turn
from conversations.turns import tools
from cozechat import database
from cozechat.catalog.environment import default_assistant
from cozechat.catalog.models import Assistant, KaiTool
from cozechat.emulator import seed
from tests.tabs import log_in

SUBMIT = "/v3/chat/submit_tool_outputs"


@pytest.fixture
def barista(coze: Any, kai: Any) -> int:
    """The bot that has its tools invoked here."""
    default_assistant()
    return Assistant.objects.get(bot_id=seed.TOOL_BOT_ID).pk


def steps_of(page: Any, turn: str) -> dict[int, list[dict[str, Any]]]:
    """What a tab was told of each step, in order."""
    found: dict[int, list[dict[str, Any]]] = {}
    for frame in page.seen:
        if frame["type"] == "turn.step" and frame["turn"] == turn:
            found.setdefault(frame["step"]["id"], []).append(frame["step"])
    return found


def last_steps(page: Any, turn: str) -> dict[str, dict[str, Any]]:
    return {told[-1]["tool"]: told[-1] for told in steps_of(page, turn).values()}


def calls_that_run() -> int:
    running = {getattr(task.get_coro(), "__name__", "") for task in asyncio.all_tasks()}
    return len(running & {tools._one.__name__, "_session"})


def set_timeout(name: str, seconds: float) -> None:
    KaiTool.objects.filter(name=name).update(timeout_seconds=seconds)


async def say(page: Any, content: str, barista: int) -> Any:
    asked = await page.ask(content, assistant=barista)
    await asked.end(timeout=40)
    return asked


async def test_a_tool_is_invoked_and_its_outcome_is_in_the_answer(alice, tab, barista):
    async with tab(alice) as page:
        asked = await say(page, "拿铁咖啡怎么做?", barista)

        assert asked.last["type"] == "turn.completed"
        assert asked.last["steps"] == 1
        assert "蒸汽牛奶" in asked.text
        (told,) = steps_of(page, asked.turn).values()
        assert [step["status"] for step in told] == ["running", "completed"]
        assert told[0]["tool"] == "coffee_knowledge_query"
        assert json.loads(told[0]["payload"]) == {"query": "拿铁咖啡怎么做?"}
        assert "蒸汽牛奶" in told[1]["outcome"]
        assert told[1]["seconds"] > 0
        stored = await database.run(lambda: Step.objects.get().described())
        assert stored == told[1]


async def test_several_tools_run_together(alice, tab, barista):
    async with tab(alice) as page:
        await database.run(set_timeout, "slow_roast", 1)
        asked = await say(
            page, "18 g of coffee, a slow roast, a broken grinder, the whole catalogue", barista
        )

        assert asked.last["type"] == "turn.completed"
        steps = last_steps(page, asked.turn)
        assert {name: step["status"] for name, step in steps.items()} == {
            "brew_ratio": "completed",
            "slow_roast": "timed_out",
            "broken_grinder": "failed",
            "whole_catalogue": "failed",
        }
        first = [told[0]["status"] for told in steps_of(page, asked.turn).values()]
        assert first == ["running"] * 4


@pytest.mark.parametrize(
    ("question", "status", "error"),
    [
        pytest.param("use the broken grinder", "failed", "tool_error", id="fails"),
        pytest.param("show the whole catalogue", "failed", "too_large", id="says-too-much"),
        pytest.param("use a missing tool", "failed", "unknown_tool", id="is-not-there"),
        pytest.param("do a slow roast", "timed_out", "tool_timeout", id="takes-too-long"),
    ],
)
async def test_the_turn_goes_on_after_a_tool_that(question, status, error, alice, tab, barista):
    async with tab(alice) as page:
        await database.run(set_timeout, "slow_roast", 0.5)
        asked = await say(page, question, barista)

        assert asked.last["type"] == "turn.completed"
        (step,) = last_steps(page, asked.turn).values()
        assert step["status"] == status
        told = json.loads(step["outcome"])
        assert told["error"] == error
        assert told["message"] in asked.text


async def test_a_tool_that_nobody_allows_is_not_invoked(alice, tab, barista):
    await database.run(KaiTool.objects.update, allowed=False)
    async with tab(alice) as page:
        asked = await say(page, "espresso?", barista)

        assert asked.last["type"] == "turn.completed"
        (step,) = last_steps(page, asked.turn).values()
        assert json.loads(step["outcome"])["error"] == "unknown_tool"
        assert "18 g" not in asked.text


async def test_where_no_server_can_be_reached_the_turn_goes_on(alice, tab, barista, settings):
    settings.KAI_MCP_URL = "http://127.0.0.1:9/mcp"
    async with tab(alice) as page:
        asked = await say(page, "espresso?", barista)

        assert asked.last["type"] == "turn.completed"
        (step,) = last_steps(page, asked.turn).values()
        assert json.loads(step["outcome"])["error"] == "unreachable"


async def test_tools_may_be_wanted_in_several_rounds(alice, tab, barista, coze):
    async with tab(alice) as page:
        asked = await say(page, "Coffee, step by step", barista)

        assert asked.last["type"] == "turn.completed"
        assert list(last_steps(page, asked.turn)) == ["coffee_knowledge_query", "brew_ratio"]
        assert "288" in asked.text
    assert sum(coze.ledger()["chats"].values()) == 1


async def test_a_bot_that_never_has_enough_fails_by_name(alice, tab, barista):
    async with tab(alice) as page:
        asked = await say(page, "Tell me about coffee again and again", barista)

        assert asked.last["type"] == "turn.failed"
        assert asked.last["error"]["code"] == "tool_failed"
        assert asked.last["steps"] == tools.ROUNDS


async def test_where_coze_does_not_go_on_the_turn_fails_by_name(alice, tab, barista, coze):
    coze.arm("json-error", path=SUBMIT)
    async with tab(alice) as page:
        asked = await say(page, "espresso?", barista)

        assert asked.last["type"] == "turn.failed"
        assert asked.last["error"]["code"] == "tool_failed"
        (step,) = last_steps(page, asked.turn).values()
        assert step["status"] == "completed"


async def test_stopping_while_a_tool_runs_works_at_once(alice, tab, barista):
    async with tab(alice) as page:
        await database.run(set_timeout, "slow_roast", 60)
        asked = await page.ask("do a slow roast", assistant=barista)
        await page.until("turn.step", turn=asked.turn)
        began = time.monotonic()
        await page.send("turn.stop", turn=asked.turn)
        ended = await asked.end()

        assert ended["type"] == "turn.canceled"
        assert time.monotonic() - began < 10
        for _look in range(200):
            if calls_that_run():
                await asyncio.sleep(0.05)
        assert not calls_that_run()

        step = await database.run(Step.objects.get)
        assert step.described(turn_runs=False)["status"] == "stopped"


async def test_every_tab_sees_the_steps_and_so_does_one_that_comes_later(alice, tab, barista):
    async with tab(alice) as one, tab(alice) as other:
        await database.run(set_timeout, "slow_roast", 60)
        asked = await one.ask("do a slow roast", assistant=barista)
        await one.until("turn.step", turn=asked.turn)
        await other.send("conversation.open", conversation=asked.conversation)
        late = await other.until("turn.step", turn=asked.turn)
        await one.send("turn.stop", turn=asked.turn)
        await other.until("turn.canceled", turn=asked.turn)

        assert late["step"]["status"] == "running"


async def test_steps_come_with_the_messages_and_in_full_over_http(alice, tab, barista):
    async with tab(alice) as page:
        asked = await say(page, "espresso?", barista)
        (step,) = last_steps(page, asked.turn).values()
        await page.send("conversation.open", conversation=asked.conversation)
        state = await page.until("conversation.state")

        brief = {key: value for key, value in step.items() if key not in {"payload", "outcome"}}
        assert state["messages"][-1]["steps"] == [brief]
        client = Client()
        await database.run(client.force_login, alice)
        reply = await database.run(client.get, f"/api/conversations/{asked.conversation}/messages")
        assert reply.json()["items"][-1]["steps"] == [step]


async def test_bob_never_sees_alices_steps(alice, bob, tab, barista):
    async with tab(alice) as alices, tab(bob) as bobs:
        await database.run(set_timeout, "slow_roast", 60)
        asked = await alices.ask("do a slow roast", assistant=barista)
        await alices.until("turn.step", turn=asked.turn)
        await bobs.send("conversation.open", conversation=asked.conversation)
        refused = await bobs.until("error")
        await bobs.send("turn.resume", turn=asked.turn, seq=0)
        also = await bobs.until("error")
        await alices.send("turn.stop", turn=asked.turn)
        await asked.end()

        assert (refused["code"], also["code"]) == ("not_found", "not_found")
        assert await bobs.quiet()
        assert "turn.step" not in {frame["type"] for frame in bobs.seen}
        client = Client()
        await database.run(client.force_login, bob)
        there, nowhere = await database.run(
            lambda: [
                client.get(f"/api/conversations/{name}/messages").status_code
                for name in (asked.conversation, "00000000-0000-4000-8000-000000000000")
            ]
        )
        assert there == nowhere == 404


async def test_a_question_node_waits_for_its_person_as_ever(alice, tab, barista):
    async with tab(alice) as page:
        asked = await page.say("ask me a question")
        assert asked.last["type"] == "turn.requires_action"
        assert steps_of(page, asked.turn) == {}
        bots = await say(page, "ask me a question", barista)
        assert bots.last["type"] == "turn.requires_action"
        reply = await page.say("tea", conversation=bots.conversation)
        assert reply.last["type"] == "turn.completed"


async def test_a_turn_that_was_taken_away_invokes_nothing(alice, tab, barista, monkeypatch):
    real, taken = tools._store, []

    def lost(running: Any, calls: Any) -> Any:
        Turn.objects.filter(pk=running.id).update(
            status="interrupted", lease=None, lease_until=None, ended_at="2026-01-01T00:00:00Z"
        )
        taken.append(running)
        return real(running, calls)

    monkeypatch.setattr(tools, "_store", lost)
    async with tab(alice) as page:
        asked = await say(page, "espresso?", barista)

        assert asked.last["type"] == "turn.interrupted"
        assert taken
    assert not await database.run(Step.objects.exists)


async def test_a_page_shows_the_steps_without_any_script(alice, tab, barista):
    async with tab(alice) as page:
        asked = await say(page, "拿铁咖啡怎么做?<b>", barista)
    client = Client()
    client.cookies["sessionid"] = await database.run(log_in, alice)
    page = await database.run(client.get, f"/c/{asked.conversation}/")
    html = page.content.decode()

    assert "Coffee knowledge" in html or "coffee_knowledge_query" in html
    assert "蒸汽牛奶" in html
    assert "咖啡怎么做?<b>" not in html
