"""Loopback ports for devices, held from the start to the end of a lab.

A device that is switched off keeps its port: the socket stays bound without listening, so
that connections are refused and nobody else gets the port meanwhile.
"""

from __future__ import annotations

import contextlib
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
            break
        # Not to be shared: another lab that starts now must get other ports.
        with contextlib.suppress(OSError):
            taken.append(_bound(port, again=False))
    if len(taken) == count:
        return taken
    for one in taken:
        one.close()
    raise OrchestratorError(
        f"there are not {count} free ports between {first} and {PORT_LAST}",
        hint="is another lab running? `rollout lab down` ends it",
    )


def hold_port(port: int) -> socket.socket:
    """A port of ours once more, after its listener was closed; it refuses connections.

    Raises:
        OSError: the port is in use.
    """
    return _bound(port, again=True)  # the system still remembers connections of the listener


def _bound(port: int, *, again: bool) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(again))
        one.bind((LOOPBACK, port))
        # Connections inherit it, and only then do ended ones not keep us from our own port.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except OSError:
        one.close()
        raise
    return one
