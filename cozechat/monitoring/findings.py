"""How the steps of a diagnosis went, whatever is diagnosed."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """How one step went: `ok` is None for what was not tried; `seconds` of wall time."""

    step: str
    ok: bool | None
    seconds: float = 0.0
    detail: str = ""
    hint: str = ""
    code: int | None = None
    log_id: str = ""


@dataclass(slots=True)
class Findings:
    """All steps of one diagnosis, in their order."""

    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Something was tried, and nothing failed."""
        tried = [finding.ok for finding in self.findings if finding.ok is not None]
        return bool(tried) and all(tried)

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {"ok": self.ok, **asdict(self)}


Attempt = Callable[[], Awaitable[str]]


class Watch:
    """The time since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """To the millisecond."""
        return round(time.monotonic() - self._began, 3)
