"""What the isolation check found."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How one probe, or the whole check, ended."""

    ISOLATED = "isolated"
    LEAK = "leak"
    ERROR = "error"
    SKIPPED = "skipped"


EXIT_CODES = {Outcome.ISOLATED: 0, Outcome.LEAK: 1, Outcome.ERROR: 2}


@dataclass(frozen=True, slots=True)
class Probe:
    """One attempt to see what another user has, and how it went; `hint` says what to look at when it leaked."""

    name: str
    outcome: Outcome
    detail: str = ""
    hint: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Report:
    """All probes of one check."""

    app: str
    base_url: str
    users: list[str] = field(default_factory=list)
    probes: list[Probe] = field(default_factory=list)

    def add(self, probes: Iterable[Probe]) -> None:
        """More probes."""
        self.probes.extend(probes)

    @property
    def outcome(self) -> Outcome:
        """A leak outweighs an error; without either the users are isolated, if anything was tried."""
        outcomes = {probe.outcome for probe in self.probes}
        for worst in (Outcome.LEAK, Outcome.ERROR):
            if worst in outcomes:
                return worst
        return Outcome.ISOLATED if Outcome.ISOLATED in outcomes else Outcome.ERROR

    @property
    def exit_code(self) -> int:
        """0 isolated, 1 a leak, 2 could not be run."""
        return EXIT_CODES[self.outcome]

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "app": self.app,
            "base_url": self.base_url,
            "users": self.users,
            "probes": [asdict(probe) for probe in self.probes],
        }
