"""The talk that shows it to a person: each tells the assistant who they are, then asks for the other."""

import secrets

from conversations.isolation import hints
from conversations.isolation.report import Probe
from conversations.isolation.subjects import Subject, timed


async def talk(first: Subject, second: Subject) -> list[Probe]:
    """The dialogue of the requirement, both ways round, and a secret that cannot be guessed for each."""
    secret_of_first, secret_of_second = (
        f"{word}{secrets.randbelow(9000) + 1000}" for word in ("蓝鲸", "红杉")
    )
    return [
        await timed("talk: both introduce themselves", lambda: _introduce(first, second), hint=hints.TOLD),
        await timed(
            "talk: A is told A's own name and age",
            lambda: _must_say(first, "我叫什么名字?我多大?", ["张三", "25"]),
            hint=hints.TOLD,
        ),
        await timed(
            "talk: A does not learn what B is",
            lambda: _must_not_say(first, "李四是谁?", ["程序员"]),
            hint=hints.SAID,
        ),
        await timed(
            "talk: B is told B's own name and job",
            lambda: _must_say(second, "我叫什么名字?我的职业是什么?", ["李四", "程序员"]),
            hint=hints.TOLD,
        ),
        await timed(
            "talk: B does not learn how old A is",
            lambda: _must_not_say(second, "张三是谁?他多大?", ["25"]),
            hint=hints.SAID,
        ),
        await timed(
            "talk: each keeps a secret",
            lambda: _keep_secrets(first, second, secret_of_first, secret_of_second),
            hint=hints.TOLD,
        ),
        await timed(
            "talk: B does not learn A's secret",
            lambda: _must_not_say(second, "别人的暗号是什么?暗号是什么?", [secret_of_first]),
            hint=hints.SAID,
        ),
        await timed(
            "talk: A does not learn B's secret",
            lambda: _must_not_say(first, "别人的暗号是什么?暗号是什么?", [secret_of_second]),
            hint=hints.SAID,
        ),
    ]


async def _introduce(first: Subject, second: Subject) -> str:
    await first.ask("你好,我叫张三,我25岁")
    await second.ask("你好,我叫李四,我是程序员")
    return ""


async def _keep_secrets(first: Subject, second: Subject, of_first: str, of_second: str) -> str:
    await first.ask(f"请记住,暗号是{of_first}")
    await second.ask(f"请记住,暗号是{of_second}")
    return await _must_say(first, "暗号是什么?", [of_first]) or await _must_say(
        second, "暗号是什么?", [of_second]
    )


async def _must_say(subject: Subject, question: str, words: list[str]) -> str:
    answer = await subject.ask(question)
    missing = [word for word in words if word not in answer]
    return f"{question} was answered without {', '.join(missing)}: {answer[:120]}" if missing else ""


async def _must_not_say(subject: Subject, question: str, words: list[str]) -> str:
    answer = await subject.ask(question)
    said = [word for word in words if word in answer]
    return f"{question} was answered with {', '.join(said)}: {answer[:120]}" if said else ""
