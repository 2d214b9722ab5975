"""Which faults are armed, for whom and for how often."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cozechat.emulator.faults.catalog import FAULTS

SCOPES = ("path", "session_name", "times")


class BadFaultError(ValueError):
    """A fault that does not exist, or a parameter that it does not have."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """One armed fault; `times` None means until it is disarmed."""

    name: str
    path: str
    session_name: str | None = None
    times: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def strikes(self, *, path: str, session_name: str | None) -> bool:
        mine = self.session_name is None or self.session_name == session_name
        return mine and _covers(self.path, path) and self.times != 0

    def as_json(self) -> dict[str, Any]:
        scope = {"path": self.path, "session_name": self.session_name, "times": self.times}
        return {"name": self.name, **scope, **self.settings}


class Board:
    """The armed faults, in the order in which they were armed."""

    def __init__(self) -> None:
        self.armed: list[Fault] = []

    def arm_spec(self, spec: str) -> Fault:
        """Arms from a command line: `name` or `name:key=value,key=value`."""
        name, _, rest = spec.partition(":")
        pairs = [pair.partition("=") for pair in rest.split(",") if pair]
        return self.arm(name, settings={key.strip(): value.strip() for key, _, value in pairs})

    def arm(self, name: str, *, settings: Mapping[str, object]) -> Fault:
        kind = FAULTS.get(name)
        if kind is None:
            raise BadFaultError(f"no fault is called {name!r}; there are {', '.join(FAULTS)}")
        scope = {key: settings[key] for key in SCOPES if settings.get(key) is not None}
        unknown = set(settings) - set(kind.defaults) - set(SCOPES)
        if unknown:
            raise BadFaultError(f"{name} has no {', '.join(sorted(unknown))}")
        given = {
            key: _as(type(kind.defaults[key]), settings[key]) for key in kind.defaults if key in settings
        }
        fault = Fault(
            name=name,
            path=str(scope.get("path", kind.path)),
            session_name=str(scope["session_name"]) if "session_name" in scope else None,
            times=_as(int, scope["times"]) if "times" in scope else None,
            settings=kind.defaults | given,
        )
        self.armed.append(fault)
        return fault

    def disarm(self, name: str | None = None) -> None:
        self.armed = [fault for fault in self.armed if name is not None and fault.name != name]

    def take(self, name: str, *, path: str, session_name: str | None) -> Fault | None:
        """The armed fault of that name if it strikes here; it is used up once."""
        return next(iter(self.take_all((name,), path=path, session_name=session_name)), None)

    def take_all(self, names: Iterable[str], *, path: str, session_name: str | None) -> list[Fault]:
        """At most one fault of each name."""
        taken: dict[str, Fault] = {}
        for fault in self.armed:
            wanted = fault.name in names and fault.name not in taken
            if wanted and fault.strikes(path=path, session_name=session_name):
                taken[fault.name] = fault
                if fault.times is not None:
                    fault.times -= 1
        self.armed = [fault for fault in self.armed if fault.times != 0]
        return list(taken.values())


def _covers(pattern: str, path: str) -> bool:
    """Alternatives stand between bars; one that ends in $ is a whole path, any other a beginning."""
    return any(
        path == each[:-1] if each.endswith("$") else path.startswith(each) for each in pattern.split("|")
    )


def _as(kind: type, value: object) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadFaultError(f"{value!r} is no {kind.__name__}")
    try:
        return kind(value)
    except ValueError:
        raise BadFaultError(f"{value!r} is no {kind.__name__}") from None
