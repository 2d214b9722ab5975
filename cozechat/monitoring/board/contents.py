"""What the page holds, from top to bottom: tiles, promises, plots, causes of failures, counters, processes."""

from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any

from django.utils.translation import gettext as _

from cozechat.coze.calls import DEFAULT_LIMITS
from cozechat.coze.codes import kind_of
from cozechat.monitoring import histograms, samples
from cozechat.monitoring.board import plots
from cozechat.monitoring.board.plots import Axis, Kind, Plot, Spark, counting, lines, on_average, stacked
from cozechat.monitoring.board.promises import SUCCEED_PERCENT, all_promises, answers
from cozechat.monitoring.board.readings import Readings, Span, Sums
from cozechat.monitoring.board.words import CODES, STATUSES, per_second, percent, size, took
from cozechat.monitoring.models import ProcessReport
from cozechat.usage.money import short
from cozechat.usage.pages.wording import NOTHING, clock, number

# Colours of how answers end: green, grey, red, amber, blue.
_RANKS = (5, 7, 4, 3, 6)
_SPAN_SECONDS = {Span.HOUR: 3600, Span.DAY: 24 * 3600, Span.MONTH: 30 * 24 * 3600}


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure, large, with what belongs to it."""

    name: str
    value: str
    more: str = ""
    tone: str = ""
    word: str = ""


def contents(readings: Readings, *, zone: tzinfo) -> dict[str, Any]:
    """The context of the page."""
    axis = Axis.of(readings, zone=zone)
    return {
        "now_tiles": _now_tiles(readings),
        "tiles": _tiles(readings),
        "promises": all_promises(readings),
        "plots": _plots(readings, axis=axis),
        "causes": _causes(readings.sums),
        "numbers": _numbers(readings.sums),
        "counters": _counters(readings, axis=axis),
        "processes": [_process(each, readings=readings, zone=zone) for each in readings.now.processes],
        "read_at": clock(readings.now.at, zone=zone),
        "summed_at": _summed_at(readings, zone=zone),
        "zone": str(zone),
    }


def _summed_at(readings: Readings, *, zone: tzinfo) -> str:
    """Said only when the sums are behind: then nobody adds up."""
    at = readings.now.summed_at
    if at is not None and readings.now.at - at < timedelta(minutes=1):
        return ""
    return clock(at, zone=zone) if at else NOTHING


def _now_tiles(readings: Readings) -> list[Tile]:
    now = readings.now
    count = len(now.living)
    limits, processes = DEFAULT_LIMITS, max(count, 1)
    return [
        Tile(
            _("Answers under way"),
            number(now.running),
            _("%(count)s in a queue") % {"count": number(now.queued)},
        ),
        Tile(_("Open sockets"), number(now.gauge("sockets"))),
        Tile(
            _("Connections to Coze"),
            number(now.gauge("connections")),
            _("of %(most)s; streams: %(streams)s of %(most_streams)s")
            % {
                "most": number(limits.max_connections * processes),
                "streams": number(now.gauge("streams")),
                "most_streams": number(limits.max_streams * processes),
            },
        ),
        Tile(
            _("Processes"),
            number(count),
            _("%(cpu)s of a processor, %(memory)s")
            % {"cpu": _processor(now.gauge("cpu")), "memory": size(now.gauge("memory"))},
        ),
    ]


def _tiles(readings: Readings) -> list[Tile]:
    sums = readings.sums
    found = answers(sums)
    good = found.succeeded * 100 >= found.all * SUCCEED_PERCENT
    return [
        Tile(
            _("Success rate"),
            percent(found.succeeded, found.all),
            _("%(failed)s of %(all)s answers failed")
            % {"failed": number(found.failed), "all": number(found.all)},
            tone=("good" if good else "bad") if found.all else "",
            word=(_("as promised") if good else _("below what is promised")) if found.all else "",
        ),
        _time_tile(_("Response time"), "latency", sums),
        _time_tile(_("First words"), "first", sums),
        Tile(
            _("Requests a second"),
            per_second(sums.get("counter:requests", 0), of_seconds=_SPAN_SECONDS[readings.span]),
            _("%(count)s in all") % {"count": number(sums.get("counter:requests", 0))},
        ),
        Tile(
            _("Tokens"),
            number(sums.get("tokens:input", 0) + sums.get("tokens:output", 0)),
            _("%(read)s in, %(written)s out")
            % {"read": number(sums.get("tokens:input", 0)), "written": number(sums.get("tokens:output", 0))},
        ),
        Tile(_("Credits"), _rounded(sums.get("cost", 0))),
    ]


def _rounded(nano: float) -> str:
    """Credits with two decimals, or with all of them where there is less than a hundredth."""
    nano = int(nano)
    return short(nano) if 0 < nano < 10**7 else f"{nano / 10**9:,.2f}"


def _time_tile(name: str, histogram: str, sums: Sums) -> Tile:
    p95 = histograms.percentile(sums, histogram, percent=95)
    more = _("on average; 95 %% within %(time)s") % {"time": took(p95)}
    return Tile(name, took(histograms.mean(sums, histogram)), more if p95 is not None else "")


def _plots(readings: Readings, *, axis: Axis) -> list[Plot]:
    return [*_of_answers(readings, axis=axis), *_of_processes(axis), *_of_spending(axis)]


def _of_answers(readings: Readings, *, axis: Axis) -> list[Plot]:
    answered = [
        Kind(str(word), counting(*(f"answers:{origin}:{status}" for origin in samples.ORIGINS)), rank=rank)
        for rank, (status, word) in zip(_RANKS, STATUSES.items(), strict=True)
    ]
    failed = _failures(readings.sums)
    return [
        stacked("answers", _("Answers"), axis=axis, kinds=answered, write=_count),
        stacked("failures", _("Failures by cause"), axis=axis, kinds=failed, write=_count),
        lines("times", _("Response time"), axis=axis, kinds=_times("latency"), write=took),
        lines("first", _("First words"), axis=axis, kinds=_times("first"), write=took),
    ]


def _of_processes(axis: Axis) -> list[Plot]:
    here = [
        Kind(_("open sockets"), on_average("sockets")),
        Kind(_("answers under way"), on_average("running_turns")),
    ]
    requests = [Kind(_("HTTP requests"), counting("counter:requests"))]
    memory = [Kind(_("occupied"), on_average("memory"))]
    processor = [Kind(_("100 % is one processor"), on_average("cpu"))]
    return [
        lines("sockets", _("Sockets and answers under way"), axis=axis, kinds=here, write=_decimal),
        stacked("requests", _("HTTP requests"), axis=axis, kinds=requests, write=_count),
        lines("memory", _("Memory of all processes"), axis=axis, kinds=memory, write=size, unit=2**20),
        lines("cpu", _("Processor, of all processes"), axis=axis, kinds=processor, write=_processor, unit=10),
    ]


def _of_spending(axis: Axis) -> list[Plot]:
    tokens = [
        Kind(_("Input tokens"), counting("tokens:input")),
        Kind(_("Output tokens"), counting("tokens:output")),
    ]
    spent = [Kind(_("Credits"), counting("cost"))]
    return [
        stacked("tokens", _("Tokens"), axis=axis, kinds=tokens, write=_count),
        stacked("credits", _("Credits"), axis=axis, kinds=spent, write=_rounded),
    ]


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _processor(thousandths: float) -> str:
    return f"{thousandths / 10:,.1f} %"


def _decimal(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _times(histogram: str) -> list[Kind]:
    return [
        Kind(_("95 % within"), lambda sums: histograms.percentile(sums, histogram, percent=95)),
        Kind(_("on average"), lambda sums: histograms.mean(sums, histogram)),
    ]


def _failures(sums: Sums) -> list[Kind]:
    """The most frequent causes, the others together."""
    found = sorted(_labelled(sums, "errors"), key=lambda pair: -pair[1])
    codes = [code for code, _count in found]
    if not codes:
        return [Kind(_("failures"), counting())]
    alone = codes if len(codes) <= plots.MOST_RANKS else codes[: plots.MOST_RANKS - 1]
    kinds = [Kind(code, counting(f"errors:{code}")) for code in alone]
    if rest := [f"errors:{code}" for code in codes if code not in alone]:
        kinds.append(Kind(_("others"), counting(*rest)))
    return kinds


def _labelled(sums: Sums, name: str) -> list[tuple[str, int]]:
    prefix = f"{name}:"
    return [
        (key.removeprefix(prefix), count) for key, count in sums.items() if key.startswith(prefix) and count
    ]


def _causes(sums: Sums) -> list[dict[str, str]]:
    """The contract's codes, the most frequent first, with their share of all answers."""
    whole = answers(sums).all
    return [
        {
            "code": code,
            "meaning": str(CODES.get(code, CODES["other"])),
            "count": number(count),
            "share": percent(count, whole),
        }
        for code, count in sorted(_labelled(sums, "errors"), key=lambda pair: (-pair[1], pair[0]))
    ]


def _numbers(sums: Sums) -> list[dict[str, str]]:
    """Coze's own numbers behind them."""
    whole = answers(sums).all
    return [
        {
            "code": _("others") if code == samples.OTHER else code,
            "meaning": str(CODES[kind_of(int(code)) if code.isdigit() else samples.OTHER]),
            "count": number(count),
            "share": percent(count, whole),
        }
        for code, count in sorted(_labelled(sums, "coze"), key=lambda pair: (-pair[1], pair[0]))
    ]


def _counters(readings: Readings, *, axis: Axis) -> list[dict[str, Any]]:
    """What else was counted, with a small drawing of when."""
    sums = readings.sums

    def total(name: str) -> int:
        return sums.get(f"counter:{name}", 0) + sum(
            count for _label, count in _labelled(sums, f"counter:{name}")
        )

    def said(text: str, count: int) -> str:
        return text % {"count": number(count)}

    rows = [
        (_("Token exchanges"), "token_exchanges", said(_("%(count)s failed"), total("token_exchange_failures"))),
        (_("Refused by a limit"), "limits_refused", ""),
        (
            _("Answers from the cache"), "answer_cache_hits",
            said(_("%(count)s were not in it"), total("answer_cache_misses")),
        ),
        (
            _("Webhooks accepted"), "webhooks_accepted",
            said(_("%(count)s wait now"), readings.now.webhooks_pending),
        ),
        (_("KAI calls"), "kai_calls", said(_("%(count)s failed"), total("kai_failures"))),
        (_("Answers recovered"), "recovered_turns", said(_("%(count)s late"), total("recovered_late"))),
    ]  # fmt: skip
    return [
        {
            "name": name,
            "count": number(total(counter)),
            "more": more,
            "spark": Spark.of(axis, measure=_of_counter(counter)),
        }
        for name, counter, more in rows
    ]


def _of_counter(name: str) -> plots.Measure:
    return lambda sums: (
        sums.get(f"counter:{name}", 0) + sum(count for _label, count in _labelled(sums, f"counter:{name}"))
    )


def _process(report: ProcessReport, *, readings: Readings, zone: tzinfo) -> dict[str, Any]:
    is_living = report.is_living(readings.now.at)
    if is_living:
        tone, word = "good", _("reports")
    else:
        tone, word = ("", _("ended")) if report.left_at else ("bad", _("silent"))
    gauges = report.gauges if is_living else {}
    return {
        "name": report.name,
        "since": clock(report.started_at, zone=zone),
        "seen": clock(report.seen_at, zone=zone),
        "tone": tone,
        "word": word,
        "cpu": _processor(gauges["cpu"]) if "cpu" in gauges else NOTHING,
        "memory": size(gauges["memory"]) if "memory" in gauges else NOTHING,
        "sockets": number(gauges["sockets"]) if "sockets" in gauges else NOTHING,
        "running": number(gauges["running_turns"]) if "running_turns" in gauges else NOTHING,
    }
