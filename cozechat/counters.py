"""What this process has counted since its start, and what can be read off it now.

Whoever does something adds to a counter by name; whoever owns something that comes and goes registers how it is
read. Neither knows who looks: `cozechat.monitoring` writes both into rows, so that many processes can be added up
(docs/monitoring.md lists the names).
"""

import threading
from collections import Counter
from collections.abc import Callable

# A label is one of few words of ours, never what somebody sent; should one slip in, this bounds the harm.
MOST_LABELS = 64
OTHER = "other"

Read = Callable[[], float]

_lock = threading.Lock()
_counted: Counter[str] = Counter()
_labels: dict[str, set[str]] = {}
_gauges: dict[tuple[str, bool], Read] = {}


def add(name: str, amount: int = 1, *, label: str = "") -> None:
    """Count so much more; from any thread, in memory only. A counter never goes down."""
    if amount < 0:
        raise ValueError(f"{name} would be counted back by {amount}")
    with _lock:
        _counted[_key(name, label=label)] += amount


def _key(name: str, *, label: str) -> str:
    """`name` or `name:label`; beyond so many labels of one name, `name:other`."""
    if not label:
        return name
    known = _labels.setdefault(name, set())
    if label not in known and len(known) >= MOST_LABELS:
        label = OTHER
    known.add(label)
    return f"{name}:{label}"


def counted() -> dict[str, int]:
    """All counters of this process, by `name` or `name:label`."""
    with _lock:
        return dict(_counted)


def gauge(name: str, *, read: Read, shared: bool = False) -> None:
    """From now on `read` tells how much of it there is, every few seconds on a thread that may ask the database.

    `shared`: there is one of it, whatever process is asked, as of rows that wait; the others are added up.
    """
    _gauges[name, shared] = read


def gauged(*, shared: bool = False) -> dict[str, float]:
    """This process's gauges, or those that all processes share, read now."""
    return {name: read() for (name, is_shared), read in list(_gauges.items()) if is_shared is shared}
