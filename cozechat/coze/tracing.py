"""One line at DEBUG for each call to Coze: what was asked and how it went, in numbers; never a body."""

import logging
import time

from cozechat.coze.calls import Request
from cozechat.coze.errors import CozeError

logger = logging.getLogger("cozechat.coze")


class Trace:
    """One call on its way."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._began = time.perf_counter()
        self._answered_ms = 0.0

    def answered(self) -> None:
        """The headers of the answer have come."""
        self._answered_ms = self._ms()

    def failed(self, error: CozeError) -> None:
        """There was no answer."""
        if logger.isEnabledFor(logging.DEBUG):
            name, request = type(error).__name__, self._request
            logger.debug(
                "%s %s: %s after %s ms", request.method, request.path, name, self._ms(), extra=self._fields()
            )

    def ended(self, *, status: int, log_id: str, received: int) -> None:
        """The answer was read, or nobody wanted more of it."""
        if logger.isEnabledFor(logging.DEBUG):
            request = self._request
            fields = {"status": status, "log_id": log_id, "received": received, "first_ms": self._answered_ms}
            logger.debug(
                "%s %s: %d in %s ms",
                request.method,
                request.path,
                status,
                self._ms(),
                extra=self._fields() | fields,
            )

    def _ms(self) -> float:
        return round((time.perf_counter() - self._began) * 1000, 1)

    def _fields(self) -> dict[str, object]:
        request = self._request
        return {
            "method": request.method, "path": request.path, "sent": len(request.body or b""), "ms": self._ms(),
        }  # fmt: skip
