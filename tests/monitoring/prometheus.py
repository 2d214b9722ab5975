"""Reads Prometheus' text format, strictly: what the format does not allow is an error."""

import math
import re
from dataclasses import dataclass, field

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
_COMMENT = re.compile(rf"# (HELP|TYPE) ({_NAME}) (.+)")
_SUFFIXES = {"histogram": {"_bucket", "_sum", "_count"}, "counter": {""}, "gauge": {""}}
Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    kind: str
    help: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


def parse(text: str) -> dict[str, Family]:
    """All families by name, checked; raises AssertionError."""
    assert text.endswith("\n")
    families: dict[str, Family] = {}
    helps: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        if line.startswith("#"):
            kind, name, rest = _match(_COMMENT, line)
            if kind == "HELP":
                assert name not in helps, f"{name} is explained twice"
                helps[name] = rest
            else:
                assert name in helps, f"{name} has a type before its help"
                assert name not in families, f"{name} comes twice"
                families[name], current = Family(rest, helps[name]), name
        else:
            _add(families[current], current, line)
    for name, family in families.items():
        _check(name, family)
    return families


def _match(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = pattern.fullmatch(text)
    assert found, f"not in the format: {text!r}"
    return found.groups()


def _add(family: Family, name: str, line: str) -> None:
    sample, inner, value = _match(_SAMPLE, line)
    assert sample.startswith(name), f"{sample} is no sample of {name}"
    suffix = sample.removeprefix(name)
    assert suffix in _SUFFIXES[family.kind], f"{sample} does not belong to a {family.kind}"
    labels = tuple(sorted(_LABEL.findall(inner or "")))
    assert ",".join(f'{key}="{text}"' for key, text in _LABEL.findall(inner or "")) == (inner or "")
    assert (suffix, labels) not in family.samples, f"{line!r} comes twice"
    family.samples[suffix, labels] = float(value)


def _check(name: str, family: Family) -> None:
    assert all(not math.isnan(value) and value >= 0 for value in family.samples.values())
    if family.kind == "counter":
        assert name.endswith("_total")
    if family.kind == "histogram":
        bounds = sorted(
            (float(dict(labels)["le"]), count)
            for (suffix, labels), count in family.samples.items()
            if suffix == "_bucket"
        )
        counts = [count for _bound, count in bounds]
        assert counts == sorted(counts), f"the buckets of {name} are not cumulative"
        assert bounds[-1] == (math.inf, family.samples["_count", ()])
        assert family.samples["_sum", ()] >= 0
