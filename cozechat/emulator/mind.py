"""What the emulator says: pure, and the same words for the same conversation every time."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from cozechat.emulator import showpieces
from cozechat.emulator.memory import Utterance, is_question, plain, remember
from cozechat.emulator.recall import EN, ZH, facts_of, recall

__all__ = ["Thought", "Utterance", "answer"]

SLOW = 0.2
MOST_NUMBERS = 10_000
ASK_ZH = "先问你一个问题:你更喜欢**茶**还是**咖啡**?"
ASK_EN = "One question first: do you prefer **tea** or **coffee**?"

_HAN = re.compile(r"[\u3400-\u9fff]")
_SLOWLY = re.compile(r"慢慢|慢一点|慢点|(?i:\bslowly\b)")
_COUNT = re.compile(r"数(?:数)?到\s*(\d+)|(?i:\bcount\s+(?:from\s+1\s+)?(?:up\s+)?to\s+(\d+))")
_ASK_ME = re.compile(r"问我一个问题|反问我|(?i:\bask me (?:a question|something)\b)")
_GREETING = re.compile(
    r"^(?:你好|您好|嗨|早上好|晚上好)[!。\s]*$|(?i:^(?:hi|hello|hey|good morning)[!.\s]*$)"
)

_HEARD_ZH = ("好的,我记下了", "明白了,我会记得", "很高兴认识你,我记住了")
_HEARD_EN = ("Noted", "Thank you, I will remember", "Good to know")
_ECHO_ZH = (
    "你说的是:\n\n> {said}\n\n这很有意思。{facts}你可以接着说,或者让我画一张**表格**、写一段**代码**。",
    "我听到了:“{said}”。\n\n- 我是扣子的本地替身;\n- 我会记住你在**这个会话**里告诉我的事。\n\n{facts}",
    "### 关于“{said}”\n\n我没有真的知识,不过可以陪你聊。{facts}\n\n输入 **你能做什么** 看看我会的。",
)
_ECHO_EN = (
    "You said:\n\n> {said}\n\nInteresting. {facts}Go on, or ask me for a **table**, some **code** or a poem.",
    'I heard: "{said}".\n\n- I am a local stand-in for Coze;\n- I remember **this conversation**.\n\n{facts}',
    '### About "{said}"\n\nI know nothing for real. {facts}\n\nSay **help** to see what I can do.',
)


@dataclass(frozen=True, slots=True)
class Thought:
    """An answer, its pace against the usual one, and whether the flow now waits for its user."""

    text: str
    pace: float = 1.0
    asks_back: bool = False


def answer(threads: Sequence[Sequence[Utterance]]) -> Thought:
    """Answers the last message of the last thread; the other threads are what a leaky memory adds."""
    own = threads[-1]
    question = own[-1].content
    text = plain(question)
    chinese = _HAN.search(text) is not None
    if len(own) > 1 and own[-2].content in (ASK_ZH, ASK_EN):
        return Thought(_resumed(text, chinese=chinese))
    if _ASK_ME.search(text):
        return Thought(ASK_ZH if chinese else ASK_EN, asks_back=True)
    said = _say(threads, text=text, chinese=chinese)
    return Thought(said, pace=SLOW if _SLOWLY.search(text) else 1.0)


def _say(threads: Sequence[Sequence[Utterance]], *, text: str, chinese: bool) -> str:
    words = ZH if chinese else EN
    memory = remember(threads)
    recalled = recall(text, memory, words=words) if is_question(text) else None
    if recalled is not None:
        return recalled
    counted = _COUNT.search(text)
    if counted:
        return count(int((counted[1] or counted[2])[:6]))
    piece = showpieces.find(text, chinese=chinese)
    if piece is not None:
        return piece
    facts = facts_of(memory.me, words=words)
    if memory.news:
        return _acknowledge(facts, text=text, chinese=chinese)
    return _echo(facts, text=text, chinese=chinese)


def count(number: int) -> str:
    return " ".join(str(each) for each in range(1, min(number, MOST_NUMBERS) + 1))


def _resumed(text: str, *, chinese: bool) -> str:
    if chinese:
        return f"原来你选的是:**{text[:80]}**。谢谢,流程继续,到这里就完成了。"
    return f"So it is **{text[:80]}**. Thank you; the flow went on and has finished."


def _acknowledge(facts: str, *, text: str, chinese: bool) -> str:
    opening = _pick(_HEARD_ZH if chinese else _HEARD_EN, text)
    if chinese:
        return f"{opening}:{facts}。\n\n你可以随时问我,比如“我叫什么名字?”"
    return f"{opening}: {facts}.\n\nAsk me about it at any time, for example *what is my name?*"


def _echo(facts: str, *, text: str, chinese: bool) -> str:
    if _GREETING.search(text):
        return showpieces.greeting(facts, chinese=chinese)
    short = " ".join(text.split())
    said = short if len(short) <= 120 else short[:120] + "…"
    if facts:
        facts = f"我记得你:{facts}。" if chinese else f"I remember you: {facts}. "
    return _pick(_ECHO_ZH if chinese else _ECHO_EN, text).format(said=said, facts=facts).strip()


def _pick(choices: Sequence[str], text: str) -> str:
    return choices[zlib.crc32(text.encode()) % len(choices)]
