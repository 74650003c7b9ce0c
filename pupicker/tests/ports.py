"""Ports of the loopback interface for servers of the tests."""

from __future__ import annotations

import socket


def free_ports(number: int) -> list[int]:
    """So many that nobody listens on."""
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
