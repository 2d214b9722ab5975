"""What one server process grants its clients, and the rules that turn a breach into an answer."""

import resource
from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

RESTART: Final = 4012
PROTOCOL_ERROR: Final = 4022
INTERNAL_ERROR: Final = 4500

# An application may close with 1000 and 3000–4999 only (RFC 6455 §7.4.2 reserves the rest for endpoints).
_CLOSE_CODES: Final = {
    1001: RESTART,
    1002: PROTOCOL_ERROR,
    1003: PROTOCOL_ERROR,
    1007: PROTOCOL_ERROR,
    1008: 4003,
    1009: PROTOCOL_ERROR,
    1012: RESTART,
    1013: 4013,
}

# Descriptors kept back for the database, upstream connections, listeners and plain HTTP.
_KEPT_DESCRIPTORS: Final = 512


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """The bounds of one server process; sizes are bytes, times are seconds."""

    max_frame_in: int = 256 * KIB
    max_frame_out: int = 64 * KIB
    buffer_high: int = 256 * KIB
    stall_seconds: float = 15.0
    queued_frames: int = 64
    resume_frames: int = 16
    queued_bytes: int = 1 * MIB
    max_sockets: int = 2000
    max_body: int = 20 * MIB
    head_seconds: float = 75.0
    connect_seconds: float = 20.0
    ping_seconds: float = 20.0
    pong_seconds: float = 30.0
    drain_seconds: float = 20.0
    finish_seconds: float = 5.0


class FrameTooLargeError(ValueError):
    """An application tried to send a frame that the contract does not allow."""

    def __init__(self, size: int, *, limit: int) -> None:
        super().__init__(f"outgoing frame of {size} bytes exceeds the limit of {limit}: split it")
        self.size = size
        self.limit = limit


class ListenError(OSError):
    """The address to listen on cannot be had."""

    def __init__(self, address: str, *, reason: str) -> None:
        super().__init__(f"cannot listen on {address}: {reason}")
        self.address = address


def close_code(code: object) -> int:
    """Maps any code an application closes with to one that may be sent."""
    if code is None:
        return 1000
    if not isinstance(code, int):
        return INTERNAL_ERROR
    if code == 1000 or 3000 <= code <= 4999:
        return int(code)
    return _CLOSE_CODES.get(code, INTERNAL_ERROR)


def affordable_sockets(wanted: int) -> int:
    """Raises the soft limit of open files where that is allowed; returns the sockets it leaves room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _KEPT_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        ceiling = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
        soft = ceiling
    if soft == resource.RLIM_INFINITY:
        return wanted
    return min(wanted, max(soft - _KEPT_DESCRIPTORS, soft // 2))
