"""Spares a Coze that is down, and its users the wait: after some failures in a row calls fail at once for a while.

Then one call is let through as a probe; the others go on failing until it is back. Pure: the clock comes in.
"""

from cozechat.coze.errors import CircuitOpen, CozeError

# So many failures in a row open the circuit.
THRESHOLD = 5
# Seconds without any call: at first, and at most; each failed probe doubles them.
REST = 2.0
LONGEST_REST = 15.0


class Breaker:
    """Closed while calls succeed; open after `THRESHOLD` failures in a row; half open while a probe is under way."""

    def __init__(
        self, *, refusal: type[CozeError] = CircuitOpen, reason: str = "Coze does not answer"
    ) -> None:
        self._refusal = refusal
        self._reason = reason
        self._failures = 0
        self._rest = REST
        self._open_until: float | None = None
        self._probing_since: float | None = None

    def is_resting(self, now: float) -> bool:
        """Whether nothing at all is asked; afterwards nobody knows until somebody asks."""
        return self._open_until is not None and now < self._open_until

    def admit(self, now: float) -> None:
        """May a call be made? Raises the refusal with the seconds after which to try again.

        A probe that is never answered, its connection being dead, is followed by another.
        """
        if self._open_until is None:
            return
        probed = self._probing_since is not None and now - self._probing_since < LONGEST_REST
        if now < self._open_until or probed:
            wait = max(self._open_until - now, 1.0)
            raise self._refusal(f"{self._reason}; it is asked again shortly", retry_after=wait)
        self._probing_since = now

    def succeeded(self) -> None:
        """Coze answered, whatever it said."""
        self._failures, self._rest, self._open_until, self._probing_since = 0, REST, None, None

    def failed(self, now: float) -> None:
        """Coze did not answer, or only with an error of its own."""
        self._failures += 1
        probed = self._probing_since is not None
        if probed:
            self._rest = min(2 * self._rest, LONGEST_REST)
        if probed or self._failures >= THRESHOLD:
            self._open_until = now + self._rest
        self._probing_since = None

    def undecided(self) -> None:
        """The call ended without a word about Coze: a probe goes to somebody else."""
        self._probing_since = None
