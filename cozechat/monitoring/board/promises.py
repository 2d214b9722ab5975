"""Whether the last 24 hours were as the documents promise."""

import enum
from dataclasses import dataclass

from django.utils.functional import Promise as Text
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from cozechat.monitoring import histograms, samples
from cozechat.monitoring.board.readings import Readings, Sums
from cozechat.monitoring.board.words import per_second, percent, took
from cozechat.usage.pages.wording import NOTHING, number

SUCCEED_PERCENT = 99
RESPOND_MS = 2000
REQUESTS_A_SECOND = 50
RECOVER_SECONDS = 30


class State(enum.Enum):
    """What came of a promise; each state has a word, a tone and a sign."""

    KEPT = "kept"
    BROKEN = "broken"
    UNTRIED = "untried"
    UNKNOWN = "unknown"

    @property
    def word(self) -> Text:
        """For people."""
        return _WORDS[self][0]

    @property
    def tone(self) -> str:
        """The class of its badge."""
        return _WORDS[self][1]


_WORDS: dict[State, tuple[Text, str]] = {
    State.KEPT: (pgettext_lazy("a promise", "kept"), "good"),
    State.BROKEN: (pgettext_lazy("a promise", "not kept"), "bad"),
    State.UNTRIED: (gettext_lazy("not put to the test"), ""),
    State.UNKNOWN: (gettext_lazy("no data yet"), ""),
}


@dataclass(frozen=True, slots=True)
class Promise:
    """One figure of the documents, and what was measured."""

    name: str
    promised: str
    measured: str
    state: State
    more: str = ""


def all_promises(readings: Readings) -> list[Promise]:
    """In the order of the documents."""
    return [
        _success(readings.day),
        _response(readings.day),
        _throughput(readings.busiest),
        _recovery(readings.day),
    ]


@dataclass(frozen=True, slots=True)
class Answers:
    """How the answers of a time have ended; what their askers stopped, or were refused, is neither."""

    succeeded: int
    failed: int

    @property
    def all(self) -> int:
        """Those that succeeded or failed."""
        return self.succeeded + self.failed


def answers(sums: Sums) -> Answers:
    """Of the chat page and of the gateway."""
    counts = {
        status: sum(sums.get(f"answers:{origin}:{status}", 0) for origin in samples.ORIGINS)
        for status in samples.STATUSES
    }
    return Answers(counts[samples.COMPLETED], sum(counts[status] for status in samples.FAILURES))


def _state(*, known: bool, good: bool) -> State:
    if not known:
        return State.UNKNOWN
    return State.KEPT if good else State.BROKEN


def _success(day: Sums) -> Promise:
    found = answers(day)
    good = found.succeeded * 100 >= found.all * SUCCEED_PERCENT
    more = _("%(failed)s of %(all)s answers failed") % {
        "failed": number(found.failed),
        "all": number(found.all),
    }
    return Promise(
        name=_("Answers that succeed"),
        promised=_("at least %(number)d %%") % {"number": SUCCEED_PERCENT},
        measured=percent(found.succeeded, found.all),
        state=_state(known=bool(found.all), good=good),
        more=more if found.all else "",
    )


def _response(day: Sums) -> Promise:
    mean, p95 = histograms.mean(day, "latency"), histograms.percentile(day, "latency", percent=95)
    return Promise(
        name=_("Mean response time"),
        promised=_("at most %(number)d s") % {"number": RESPOND_MS // 1000},
        measured=took(mean),
        state=_state(known=mean is not None, good=mean is not None and mean <= RESPOND_MS),
        more=_("95 %% within %(time)s") % {"time": took(p95)} if p95 is not None else "",
    )


def _throughput(busiest: int | None) -> Promise:
    """What nobody has asked for is no broken promise; what the site can do is measured by the load tests."""
    reached = (busiest or 0) >= REQUESTS_A_SECOND * 60
    state = State.KEPT if reached else State.UNTRIED if busiest else State.UNKNOWN
    return Promise(
        name=_("Requests a second"),
        promised=_("at least %(number)d") % {"number": REQUESTS_A_SECOND},
        measured=per_second(busiest, of_seconds=60) if busiest else NOTHING,
        state=state,
        more=_("in the busiest minute; nobody asked for more") if state is State.UNTRIED else "",
    )


def _recovery(day: Sums) -> Promise:
    count, late = day.get("counter:recovered_turns", 0), day.get("counter:recovered_late", 0)
    mean = day.get("counter:recovery_ms", 0) / count if count else None
    more = _("%(late)s of %(all)s answers took longer") % {"late": number(late), "all": number(count)}
    return Promise(
        name=_("Recovery after a process has died"),
        promised=_("at most %(number)d s") % {"number": RECOVER_SECONDS},
        measured=took(mean),
        state=_state(known=True, good=not late) if count else State.UNTRIED,
        more=more if count else _("no process left an answer behind"),
    )
