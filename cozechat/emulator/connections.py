"""The open TCP connections, so that a fault can reset one."""

import os
import socket
import struct
from typing import Any

Peer = tuple[str, int]


class Connections:
    """Transports by the address of the other end."""

    def __init__(self) -> None:
        self._transports: dict[Peer, Any] = {}

    def opened(self, transport: Any) -> Peer:
        host, port = transport.get_extra_info("peername")[:2]
        peer = (str(host), int(port))
        self._transports[peer] = transport
        return peer

    def closed(self, peer: Peer) -> None:
        self._transports.pop(peer, None)

    def reset(self, peer: Peer) -> None:
        """Ends a connection with an RST instead of a farewell."""
        transport = self._transports.get(peer)
        if transport is None:
            return
        shared = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        with shared:
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
