"""The tally of ever in Prometheus' text format, and how it is now; the same whichever process is asked."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cozechat.coze.calls import DEFAULT_LIMITS
from cozechat.monitoring import histograms
from cozechat.monitoring.board.readings import Now, Sums
from cozechat.monitoring.models import Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "cozechat_"
# Counters of processes: what they are called here, what is said of them, what their label means.
_COUNTERS = {
    "requests": ("http_requests", "HTTP requests that came in.", ""),
    "token_exchanges": ("token_exchanges", "Access tokens asked of Coze.", ""),
    "token_exchange_failures": ("token_exchange_failures", "Access tokens that Coze did not give.", ""),
    "limits_refused": ("limits_refused", "Questions and calls refused by a limit of this site.", "limit"),
    "answer_cache_hits": ("answer_cache_hits", "Answers given from the cache.", ""),
    "answer_cache_misses": ("answer_cache_misses", "Answers looked for in the cache in vain.", ""),
    "webhooks_accepted": ("webhooks_accepted", "Events of webhooks that were stored.", ""),
    "kai_calls": ("kai_calls", "Tools invoked.", ""),
    "kai_failures": ("kai_failures", "Tools that were invoked in vain.", "kind"),
    "recovered_turns": ("recovered_turns", "Answers of processes that died, brought to their end.", ""),
    "recovered_late": ("recovered_late", "Of these, answers that took longer than 30 seconds.", ""),
}


@dataclass(slots=True)
class Family:
    """One metric with all its samples."""

    name: str
    kind: str
    help: str
    samples: list[tuple[str, dict[str, str], float]] = field(default_factory=list)

    def add(self, value: float, *, suffix: str = "", **labels: str) -> "Family":
        """One sample more."""
        self.samples.append((self.name + suffix, labels, value))
        return self

    def lines(self) -> Iterator[str]:
        """As the format wants it."""
        yield f"# HELP {self.name} {_escaped(self.help)}"
        yield f"# TYPE {self.name} {self.kind}"
        for name, labels, value in self.samples:
            inner = ",".join(f'{key}="{_escaped(text, quotes=True)}"' for key, text in labels.items())
            yield f"{name}{{{inner}}} {_number(value)}" if inner else f"{name} {_number(value)}"


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quotes else text


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def exposition(sums: Sums, *, now: Now) -> str:
    """All families as text."""
    families = [*_answers(sums), *_times(sums), *_counted(sums), *_gauges(now)]
    return "\n".join(line for family in families for line in family.lines()) + "\n"


def sums_of_ever() -> Sums:
    """What the tally of ever holds: it only grows, whatever becomes of processes and rows."""
    found = Tally.objects.filter(grain=Tally.Grain.EVER).values_list("sums", flat=True).first()
    return found or {}


def _answers(sums: Sums) -> Iterator[Family]:
    answers = Family(
        _PREFIX + "answers_total", "counter", "Answers that ended, by where they were asked for."
    )
    for (origin, status), count in _split(sums, "answers", parts=2):
        answers.add(count, origin=origin, status=status)
    yield answers
    failures = Family(_PREFIX + "answer_failures_total", "counter", "Answers that failed, by public code.")
    for (code,), count in _split(sums, "errors"):
        failures.add(count, code=code)
    yield failures
    numbers = Family(_PREFIX + "coze_errors_total", "counter", "Answers that failed, by Coze's code.")
    for (code,), count in _split(sums, "coze"):
        numbers.add(count, code=code)
    yield numbers
    tokens = Family(_PREFIX + "tokens_total", "counter", "Tokens spent.")
    yield tokens.add(sums.get("tokens:input", 0), kind="input").add(
        sums.get("tokens:output", 0), kind="output"
    )
    credits = Family(_PREFIX + "credits_total", "counter", "Credits spent.")
    yield credits.add(sums.get("cost", 0) / 10**9)


def _split(sums: Sums, name: str, *, parts: int = 1) -> Iterator[tuple[tuple[str, ...], int]]:
    for key, count in sorted(sums.items()):
        first, *rest = key.split(":")
        if first == name and len(rest) == parts:
            yield tuple(rest), count


def _times(sums: Sums) -> Iterator[Family]:
    for name, what in (("latency", "response"), ("first", "first_token")):
        family = Family(
            f"{_PREFIX}{what}_seconds", "histogram", f"Completed answers: time to the {_END[name]}."
        )
        for bound, count in histograms.cumulative(sums, name):
            family.add(count, suffix="_bucket", le=_number(bound))
        family.add(sums.get(f"{name}:count", 0), suffix="_bucket", le="+Inf")
        family.add(sums.get(f"{name}:sum", 0) / 1000, suffix="_sum")
        yield family.add(sums.get(f"{name}:count", 0), suffix="_count")


_END = {"latency": "end", "first": "first words"}


def _counted(sums: Sums) -> Iterator[Family]:
    for counter, (name, text, label) in _COUNTERS.items():
        family = Family(f"{_PREFIX}{name}_total", "counter", text)
        if label:
            for (_counter, value), count in _labelled(sums, counter):
                family.add(count, **{label: value})
        else:
            family.add(sums.get(f"counter:{counter}", 0))
        yield family
    seconds = Family(_PREFIX + "recovery_seconds_total", "counter", "Time that recovering took, together.")
    yield seconds.add(sums.get("counter:recovery_ms", 0) / 1000)


def _labelled(sums: Sums, counter: str) -> Iterable[tuple[tuple[str, ...], int]]:
    return [(rest, count) for rest, count in _split(sums, "counter", parts=2) if rest[0] == counter]


def _gauges(now: Now) -> Iterator[Family]:
    count = len(now.living)
    texts = {
        "processes": ("Processes that have reported within 30 seconds.", count),
        "turns_running": ("Answers of the chat page under way.", now.running),
        "turns_queued": ("Questions that wait for the one before them.", now.queued),
        "webhooks_pending": ("Events that wait to be handled.", now.webhooks_pending),
        "sockets": ("Open sockets.", now.gauge("sockets")),
        "coze_connections": ("Connections to Coze in use by calls.", now.gauge("connections")),
        "coze_connections_limit": (
            "Connections to Coze that calls may use.",
            DEFAULT_LIMITS.max_connections * count,
        ),
        "coze_streams": ("Connections to Coze in use by streams.", now.gauge("streams")),
        "coze_streams_limit": (
            "Connections to Coze that streams may use.",
            DEFAULT_LIMITS.max_streams * count,
        ),
        "resident_memory_bytes": ("Memory of all processes.", now.gauge("memory")),
        "cpu_processors": ("Processors that all processes keep busy.", now.gauge("cpu") / 1000),
    }
    for name, (text, value) in texts.items():
        yield Family(_PREFIX + name, "gauge", text).add(value)
