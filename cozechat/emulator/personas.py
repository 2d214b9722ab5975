"""What the assistants of the seed do beyond the mind: ask back, think aloud, have a tool run for them."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cozechat.emulator import mind, seed
from cozechat.emulator.mind import ASK_EN, ASK_ZH, Thought, Utterance

Threads = Sequence[Sequence[Utterance]]

_HAN = re.compile(r"[\u3400-\u9fff]")
_COFFEE = re.compile(
    r"咖啡|拿铁|浓缩|美式|手冲|豆子|豆机|烘焙|工具"
    r"|(?i:\b(?:coffee|espresso|latte|cappuccino|beans?|brew|grinder|roast|catalogue|tool)\b)"
)
_GRAMS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:克|(?i:g\b|grams?\b))")
_STEP_BY_STEP = re.compile(r"一步一步|(?i:\bstep by step\b)")
_ENDLESS = re.compile(r"没完没了|(?i:\bagain and again\b)")
_ALOUD = re.compile(r"边想边说|想清楚再|(?i:\bthink (?:aloud|hard|it over)\b)")
_SUGGEST_ZH = ("你能做什么?", "画一张表格", "我叫什么名字?")
_SUGGEST_EN = ("What can you do?", "Draw a table", "What is my name?")


@dataclass(frozen=True, slots=True)
class Plan:
    """What an assistant will say, and the tools that it wants run first."""

    thought: Thought
    reasoning: str = ""
    follow_ups: tuple[str, ...] = ()
    tools: tuple[tuple[str, str], ...] = ()
    """Names and arguments; with tools wanted, nothing is said yet."""


def plan(assistant_id: str, threads: Threads) -> Plan:
    """Pure: the same for the same assistant and words."""
    return PLANS.get(assistant_id, _plain)(threads)


def plan_with_outputs(outputs: Sequence[str], threads: Threads) -> Plan:
    """What is said once the tools have run, unless more of them are wanted."""
    asked = threads[-1][-1].content
    if _ENDLESS.search(asked):
        return Plan(Thought(""), tools=_tools_for(asked))
    if _STEP_BY_STEP.search(asked) and "water_grams" not in outputs[0]:
        return Plan(Thought(""), tools=(_call("brew_ratio", coffee_grams=18),))
    found = "\n".join(_readable(output) for output in outputs)
    quoted = "\n".join(f"> {line}" for line in found.splitlines()) or "> –"
    if _chinese(threads):
        return Plan(Thought(f"我查了**咖啡知识库**,里面说:\n\n{quoted}\n\n还想知道什么?"))
    return Plan(Thought(f"I looked it up in the **coffee knowledge base**:\n\n{quoted}\n\nWhat else?"))


def _plain(threads: Threads) -> Plan:
    if _ALOUD.search(threads[-1][-1].content):
        return _reasoner(threads)
    return Plan(mind.answer(threads))


def _questioner(threads: Threads) -> Plan:
    """Every second turn is a question."""
    own = threads[-1]
    if len(own) > 1 and own[-2].content in (ASK_ZH, ASK_EN):
        return _plain(threads)
    return Plan(Thought(ASK_ZH if _chinese(threads) else ASK_EN, asks_back=True))


def _reasoner(threads: Threads) -> Plan:
    thought = mind.answer(threads)
    words = len(threads[-1][-1].content)
    if _chinese(threads):
        reasoning = (
            f"用户说了{words}个字。\n\n先看看这个会话里说过什么:有没有提到名字、口味,或者上次没说完的事?\n\n"
            "再想想怎么回答最清楚:先说结论,再举例子,最后问一句还缺什么。"
        )
        return Plan(thought, reasoning=reasoning, follow_ups=_SUGGEST_ZH)
    reasoning = (
        f"The user wrote {words} characters.\n\nFirst, what was said here before: a name, a taste, something left open?"
        "\n\nThen a clear answer: the result first, an example after it, and a word about what is missing."
    )
    return Plan(thought, reasoning=reasoning, follow_ups=_SUGGEST_EN)


def _barista(threads: Threads) -> Plan:
    """Coffee is looked up by the caller's tool."""
    thought = mind.answer(threads)
    asked = threads[-1][-1].content
    if not _COFFEE.search(asked) or thought.asks_back:
        return Plan(thought)
    return Plan(replace(thought, text=""), tools=_tools_for(asked))


# What to say for a tool that is slow, fails, says too much or does not exist: to see what becomes of each.
_ODD_TOOLS = (
    (re.compile(r"慢烘|(?i:\bslow roast\b)"), "slow_roast"),
    (re.compile(r"坏(?:了的|掉的|的)?磨豆机|(?i:\bbroken grinder\b)"), "broken_grinder"),
    (re.compile(r"完整目录|(?i:\bwhole catalogue\b)"), "whole_catalogue"),
    (re.compile(r"没有的工具|(?i:\bmissing tool\b)"), "espresso_machine"),
)


def _tools_for(asked: str) -> tuple[tuple[str, str], ...]:
    """One call for each thing that is wanted; the knowledge base where nothing else is."""
    calls = [_call(name) for words, name in _ODD_TOOLS if words.search(asked)]
    grams = _GRAMS.search(asked)
    if grams:
        calls.append(_call("brew_ratio", coffee_grams=float(grams[1])))
    return tuple(calls) or (_call(seed.TOOL, query=asked),)


def _call(name: str, **arguments: object) -> tuple[str, str]:
    return name, json.dumps(arguments, ensure_ascii=False)


def _chinese(threads: Threads) -> bool:
    return _HAN.search(threads[-1][-1].content) is not None


def _readable(output: str) -> str:
    """The text of a tool's output: JSON with one string in it is shown as that string."""
    try:
        value = json.loads(output)
    except ValueError:
        return output
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return str(value["message"])
    texts = [item for item in value.values() if isinstance(item, str)] if isinstance(value, dict) else []
    return texts[0] if len(texts) == 1 else output


PLANS: dict[str, Callable[[Threads], Plan]] = {
    seed.QUESTION_WORKFLOW_ID: _questioner,
    seed.REASONING_WORKFLOW_ID: _reasoner,
    seed.TOOL_BOT_ID: _barista,
}
