"""The client at the demo server: what its tools answer, and every way in which one can fail."""

import asyncio
import json
import socket
import time

import pytest

from cozechat.kai import errors


async def test_a_tool_answers_with_one_json_object(kai_process, connect):
    async with connect(kai_process.url, key=kai_process.key) as kai:
        text = await kai.invoke_tool("coffee_knowledge_query", {"query": "拿铁怎么做"}, timeout=20)

    assert "蒸汽牛奶" in json.loads(text)["answer"]
    assert "\\u" not in text


async def test_the_tools_are_listed_with_their_schemas(kai_process, connect):
    async with connect(kai_process.url, key=kai_process.key) as kai:
        tools = {tool.name: tool for tool in await kai.list_tools()}

    assert set(tools) == {
        "coffee_knowledge_query",
        "brew_ratio",
        "slow_roast",
        "broken_grinder",
        "whole_catalogue",
    }
    assert tools["brew_ratio"].title == "Brew ratio"
    assert tools["brew_ratio"].schema["required"] == ["coffee_grams"]
    assert "How much water" in tools["brew_ratio"].description


@pytest.mark.parametrize(
    ("tool", "payload", "error"),
    [
        pytest.param("broken_grinder", {}, errors.ToolFailed, id="fails"),
        pytest.param("brew_ratio", {"coffee_grams": -1}, errors.ToolFailed, id="refuses-its-payload"),
        pytest.param("brew_ratio", {}, errors.ToolFailed, id="misses-a-field"),
        pytest.param("espresso_machine", {}, errors.UnknownTool, id="is-not-there"),
        pytest.param("whole_catalogue", {}, errors.TooLarge, id="says-too-much"),
        pytest.param("whole_catalogue", {"kilobytes": 4096}, errors.TooLarge, id="says-far-too-much"),
    ],
)
async def test_a_failure_has_its_name(kai_process, connect, tool, payload, error):
    async with connect(kai_process.url, key=kai_process.key) as kai:
        with pytest.raises(error) as caught:
            await kai.invoke_tool(tool, payload, timeout=20)

    assert type(caught.value) is error
    assert kai_process.key not in str(caught.value)


async def test_a_slow_tool_is_given_up_and_the_next_one_works(kai_process, connect):
    async with connect(kai_process.url, key=kai_process.key) as kai:
        await kai.list_tools()
        began = time.monotonic()
        with pytest.raises(errors.ToolTimeout):
            await kai.invoke_tool("slow_roast", {"seconds": 30}, timeout=0.3)
        assert time.monotonic() - began < 10

        assert "288" in await kai.invoke_tool("brew_ratio", {"coffee_grams": 18}, timeout=20)


async def test_a_slow_tool_does_not_hold_up_others(kai_process, connect):
    async with connect(kai_process.url, key=kai_process.key) as kai:
        slow = asyncio.create_task(kai.invoke_tool("slow_roast", {"seconds": 30}, timeout=40))
        quick = [kai.invoke_tool("brew_ratio", {"coffee_grams": 18}, timeout=20) for _ in range(40)]
        assert len(await asyncio.gather(*quick)) == 40

        assert not slow.done()
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow


async def test_calls_that_are_cancelled_cost_no_connection(kai_process, connect):
    async with connect(kai_process.url, key=kai_process.key) as kai:
        for _round in range(3):
            calls = [
                asyncio.create_task(kai.invoke_tool("slow_roast", {"seconds": 30}, timeout=40))
                for _ in range(40)
            ]
            await asyncio.sleep(0.2)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

        assert "288" in await kai.invoke_tool("brew_ratio", {"coffee_grams": 18}, timeout=20)


async def test_a_wrong_key_is_named(kai_process, connect):
    async with connect(kai_process.url, key="some-other-key") as kai:
        with pytest.raises(errors.Unauthorized) as caught:
            await kai.invoke_tool("brew_ratio", {"coffee_grams": 18}, timeout=20)
        with pytest.raises(errors.Unauthorized):
            await kai.list_tools()

    assert "some-other-key" not in str(caught.value)


async def test_a_server_that_is_not_there_is_unreachable(connect):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with connect(f"http://127.0.0.1:{port}/mcp") as kai:
        with pytest.raises(errors.Unreachable):
            await kai.invoke_tool("brew_ratio", {"coffee_grams": 18}, timeout=20)


async def test_a_listing_serves_for_a_minute(kai_process, connect, caplog):
    now = [1_000.0]
    async with connect(kai_process.url, key=kai_process.key, clock=lambda: now[0]) as kai:
        first = await kai.list_tools()
        now[0] += 59
        assert await kai.list_tools() is first
        now[0] += 2
        assert await kai.list_tools() is not first
        assert await kai.list_tools(fresh=True) == first


async def test_nothing_is_left_running(kai_process, connect):
    before = asyncio.all_tasks()
    async with connect(kai_process.url, key=kai_process.key) as kai:
        with pytest.raises(errors.ToolTimeout):
            await kai.invoke_tool("slow_roast", {"seconds": 30}, timeout=0.2)
    assert asyncio.all_tasks() == before
