"""Faults that change what is said."""

from collections.abc import Callable
from typing import Protocol

from cozechat.emulator.faults.board import Fault
from cozechat.emulator.runs import AskBack, Run, question_call
from cozechat.emulator.speech import Speech, answer

LINE_ENDS = "一行\u2028two\u2029三\u0085four "
QUESTION = "中午吃啥了"
THOUGHTS = "Let me think. 先想一想,再回答。"
SUGGESTIONS = ("And then?", "为什么?", "Is that all?", "还有呢?", "Are you sure?")


class Pieced(Protocol):
    """Whatever is said in pieces."""

    interval: float
    raw_line_ends: bool

    @property
    def answer(self) -> Speech: ...


def change(run: Run, *, faults: list[Fault]) -> None:
    change_pieces(run, faults=faults)
    for fault in faults:
        if fault.name in CHANGES:
            CHANGES[fault.name](run, fault)


def change_pieces(run: Pieced, *, faults: list[Fault]) -> None:
    for fault in faults:
        if fault.name in PIECES:
            PIECES[fault.name](run, fault)


def _huge_delta(run: Pieced, fault: Fault) -> None:
    run.answer.tokens.insert(fault.settings["after"], "x" * fault.settings["size"])


def _many_deltas(run: Pieced, fault: Fault) -> None:
    run.answer.tokens[:] = [f"{number} " for number in range(1, fault.settings["count"] + 1)]
    run.interval = 0.0


def _line_separators(run: Pieced, fault: Fault) -> None:
    run.answer.tokens.insert(0, LINE_ENDS)
    run.raw_line_ends = True


def _empty(run: Run, fault: Fault) -> None:
    run.answer.tokens.clear()


def _several(run: Run, fault: Fault) -> None:
    for number in range(2, fault.settings["count"] + 1):
        run.speeches.append(answer(run.world.ids.next(), text=f"Answer {number}. 第{number}个回答。"))


def _reason(run: Run, fault: Fault) -> None:
    run.answer.reasoning[:] = answer("", text=THOUGHTS).tokens


def _suggest(run: Run, fault: Fault) -> None:
    run.follow_ups = SUGGESTIONS[: fault.settings["count"]]


def _ask_back(run: Run, fault: Fault) -> None:
    run.answer.tokens[:] = [QUESTION]
    run.asks_back = AskBack.VERBOSE
    if fault.name == "requires-action":
        run.asks_back = AskBack.REQUIRES_ACTION
        run.calls = [question_call(QUESTION, call_id=run.world.ids.next())]


def _wrong_conversation(run: Run, fault: Fault) -> None:
    run.shown_conversation_id = run.world.ids.next()


def _doom(run: Run, fault: Fault) -> None:
    run.doom = (fault.settings["code"], fault.settings["msg"])


def _die(run: Run, fault: Fault) -> None:
    if not fault.settings["finish"]:
        run.doom = (5000, "event interval error")


PIECES: dict[str, Callable[[Pieced, Fault], None]] = {
    "huge-delta": _huge_delta,
    "many-deltas": _many_deltas,
    "line-separators": _line_separators,
}
CHANGES: dict[str, Callable[[Run, Fault], None]] = {
    "empty-answer": _empty,
    "several-answers": _several,
    "reasoning": _reason,
    "follow-ups": _suggest,
    "interrupt": _ask_back,
    "requires-action": _ask_back,
    "wrong-conversation": _wrong_conversation,
    **dict.fromkeys(("error-event", "chat-failed", "chat-failed-bare"), _doom),
    **dict.fromkeys(("stall", "truncate", "half-frame", "reset"), _die),
}
