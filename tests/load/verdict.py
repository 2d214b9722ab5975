"""Three books laid side by side: what people saw, what our database keeps, what Coze's emulator did."""

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from cozechat.emulator.tokenizer import split_tokens
from tests.load.books import Chat, Row
from tests.load.sites import Weather
from tests.load.talkers import Crowd, Person
from tests.reader import ENDS, Tally

RECOVERY_SECONDS = 30.0
# How long after a blow a connection may break because of it.
_AFTERMATH = 45.0
_LOG_SIGNS = ("database is locked", "PoolTimeout", "over capacity", "Traceback (most recent call last)")


@dataclass(frozen=True, slots=True)
class Line:
    """Something that must be 0, in so many chances for it to happen."""

    what: str
    count: int
    chances: int
    of: str


@dataclass(slots=True)
class Books:
    """All that is known at the end."""

    people: list[Person]
    crowd: Crowd
    weather: Weather
    rows: list[Row]
    chats: list[Chat]
    ledger_chats: int
    logs: list[Path]
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        self.tally = self.crowd.tally


def judge(books: Books) -> list[Line]:
    """Every line of the verdict; the soak has passed if each counts 0."""
    return [
        *_questions(books),
        *_answers(books),
        *_strangers(books),
        *_ends(books),
        *_around(books),
    ]


def _questions(books: Books) -> list[Line]:
    breach, chats = books.tally.breach, Counter(chat.question for chat in books.chats)
    rows = Counter(row.question for row in books.rows)
    known = {(row.turn, row.client_id) for row in books.rows}
    asked = [question for person in books.people for question in person.questions.values()]
    accepted = [question for question in asked if question.turn]
    for question in asked:
        text = question.content[:40]
        if not question.turn and question.sent:
            breach("never accepted", text)
        if question.turn and (question.turn, question.client_id) not in known:
            breach("lost", f"{text}: accepted, and not in the database")
        if rows[question.content] > 1:
            breach("doubled rows", f"{text}: {rows[question.content]} rows")
        if chats[question.content] > 1:
            breach("doubled POSTs", f"{text}: Coze was asked {chats[question.content]} times")
    if books.ledger_chats != len(books.chats):
        breach("doubled POSTs", f"{books.ledger_chats} chats in the ledger, {len(books.chats)} stored")
    counts = books.tally.counts
    return [
        Line("lost questions (accepted, no row)", counts["lost"], len(accepted), "accepted"),
        Line("questions never accepted", counts["never accepted"], len(asked), "asked"),
        Line("doubled questions (two rows, two turns)", counts["doubled rows"] + counts["doubled turns"],
             len(books.rows), "rows"),
        Line("doubled POSTs (Coze asked twice)", counts["doubled POSTs"], len(books.chats), "chats at Coze"),
    ]  # fmt: skip


def _answers(books: Books) -> list[Line]:
    breach, sent = books.tally.breach, {chat.id: chat for chat in books.chats}
    stored = {row.turn: row for row in books.rows}
    compared = deltas = shown_count = 0
    for row in books.rows:
        chat = sent.get(row.chat)
        if chat is None or not chat.answer:
            if row.answer:
                breach("not what Coze sent", f"{row.turn}: {row.status}, with text and without a chat")
            continue
        compared += 1
        deltas += len(list(split_tokens(chat.answer)))
        whole = row.answer == chat.answer
        if not (whole if row.status == "completed" else chat.answer.startswith(row.answer)):
            breach(
                "not what Coze sent", f"{row.turn} ({row.status}): {len(row.answer)} of {len(chat.answer)}"
            )
    for tab in (tab for person in books.people for tab in person.tabs):
        for shown in tab.shown.values():
            shown_count += 1
            kept = stored.get(shown.turn)
            if kept is not None and (shown.text, shown.ended) != (kept.answer, kept.status):
                ends = f"{shown.ended or 'no end'} shown, {kept.status} kept"
                breach("not what is stored", f"{shown.turn}: {ends}, {len(shown.text)} of {len(kept.answer)}")
    counts = books.tally.counts
    counts["deltas at Coze"] = deltas
    return [
        Line("answers shown otherwise than stored", counts["not what is stored"], shown_count, "shown"),
        Line("answers stored otherwise than Coze sent them", counts["not what Coze sent"], compared,
             f"answers, {deltas} deltas"),
        Line("answers that changed under a reader", counts["rewritten"] + counts["after the end"],
             counts["syncs"] + counts["deltas"], "syncs and deltas"),
    ]  # fmt: skip


def _strangers(books: Books) -> list[Line]:
    breach = books.tally.breach
    owners = {("turn", row.turn): row.owner for row in books.rows}
    owners |= {("conversation", row.conversation): row.owner for row in books.rows}
    for number, kind, seen in sorted(books.crowd.seen):
        if owners.get((kind, seen)) not in (f"bench-{number}", None):
            breach("foreign frames", f"user {number} saw a {kind} of {owners[kind, seen]}")
    names = {row.chat: row for row in books.rows if row.chat}
    for chat in books.chats:
        row = names.get(chat.id)
        if row and (row.session_name, row.coze_conversation) != (chat.session_name, chat.conversation):
            breach("foreign at Coze", f"{row.turn}: asked as {chat.session_name} in {chat.conversation}")
        if row and row.question != chat.question:
            breach("foreign at Coze", f"{row.turn}: another question")
    counts = books.tally.counts
    return [
        Line("foreign frames", counts["foreign frames"], counts["frames"], "frames"),
        Line("foreign session or conversation at Coze", counts["foreign at Coze"], len(books.chats), "chats"),
    ]


def _ends(books: Books) -> list[Line]:
    counts, breach = books.tally.counts, books.tally.breach
    for row in books.rows:
        if row.status not in ENDS:
            breach("never ended", f"{row.turn} is {row.status}")
        elif row.status == "failed":
            breach("failed", f"{row.turn}: {row.question[:40]}")
    slow = [(blow, seconds) for blow, seconds in recoveries(books) if seconds > RECOVERY_SECONDS]
    for blow, seconds in slow:
        breach("slow recoveries", f"{blow} took {seconds:.1f} s")
    return [
        Line("double ends", counts["double ends"], len(books.rows), "turns"),
        Line("turns that never ended", counts["never ended"], len(books.rows), "turns"),
        Line("failed answers (Coze never failed)", counts["failed"], len(books.rows), "turns"),
        Line(f"recoveries over {RECOVERY_SECONDS:.0f} s", len(slow), len(books.weather.blows), "blows"),
    ]


def recoveries(books: Books) -> list[tuple[str, float]]:
    """For each blow, the seconds until whoever was hit by it was well again.

    Every answer under way has ended, every question on its way is accepted, every connection is back.
    """
    asked = [question for person in books.people for question in person.questions.values()]
    spans = [(row.asked_at, row.ended_at) for row in books.rows if row.ended_at]
    spans += [(question.asked_at, question.accepted_at) for question in asked if question.accepted_at]
    back: list[tuple[str, float]] = []
    for blow in books.weather.blows:
        waits = [until - blow.at for since, until in spans if since <= blow.at < until]
        waits += [returned - blow.at for returned in _returned(books, at=blow.at, url=blow.url)]
        back.append((f"{blow.kind} {blow.url}", max(waits, default=0.0)))
    return back


def _returned(books: Books, *, at: float, url: str) -> list[float]:
    """When the tabs that were connected to `url` were connected again, to whichever process."""
    again: list[float] = []
    for tab in (tab for person in books.people for tab in person.tabs):
        spans = sorted(tab.connections)
        for before, after in itertools.pairwise(spans):
            if before.url == url and before.since <= at < before.until < at + _AFTERMATH:
                again.append(after.since)
    return again


def _around(books: Books) -> list[Line]:
    counts, breach = books.tally.counts, books.tally.breach
    closes = [each for person in books.people for tab in person.tabs for each in tab.connections]
    closes = [each for each in closes if each.code != "dropped"]
    for close in closes:
        hit = [blow for blow in books.weather.blows if blow.url == close.url]
        near = any(blow.at - 1 <= close.until <= blow.at + _AFTERMATH for blow in hit)
        if close.code not in ("1006", "4012") or not near:
            breach("unexplained closes", f"{close.code} from {close.url}")
    lines = 0
    for log in books.logs:
        text = log.read_text(errors="replace")
        lines += text.count("\n")
        for sign in _LOG_SIGNS:
            for _each in range(text.count(sign)):
                breach("logged", f"{log.name}: {sign}")
    return [
        Line("unexplained closes (1011 and all else)", counts["unexplained closes"], len(closes), "closes"),
        Line("locked, pool time-outs, tracebacks in the logs", counts["logged"], lines, "lines"),
    ]


def statuses(rows: list[Row]) -> dict[str, int]:
    """How the turns ended."""
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        found[row.status] += 1
    return dict(found)
