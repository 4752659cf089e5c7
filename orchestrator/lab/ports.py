"""Loopback ports for devices, held from the start to the end of a lab.

A device that is switched off keeps its port: the socket stays bound without listening, so
that connections are refused and nobody else gets the port meanwhile.
"""

from __future__ import annotations

import socket

from orchestrator.errors import OrchestratorError
from orchestrator.lab.layout import LOOPBACK, PORT_FIRST, PORT_LAST


def take_ports(count: int, *, first: int = PORT_FIRST) -> list[socket.socket]:
    """Sockets bound to free ports, from `first` on; none of them listens yet.

    Raises:
        OrchestratorError: there are not enough free ports.
    """
    taken: list[socket.socket] = []
    for port in range(first, PORT_LAST):
        if len(taken) == count:
            return taken
        try:
            taken.append(hold_port(port))
        except OSError:
            continue  # somebody else's
    if len(taken) == count:
        return taken
    for one in taken:
        one.close()
    raise OrchestratorError(
        f"there are not {count} free ports between {first} and {PORT_LAST}",
        hint="is another lab running? `rollout lab down` ends it",
    )


def hold_port(port: int) -> socket.socket:
    """A socket bound to a port that refuses connections until it listens.

    Raises:
        OSError: the port is in use.
    """
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # For connections of the last listener that the system still remembers.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((LOOPBACK, port))
    except OSError:
        one.close()
        raise
    return one
