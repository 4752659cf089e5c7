"""Loopback ports for devices, held from the start to the end of a lab.

Each port has one socket that is bound to it all the time and never listens: while no server
runs, connections are refused, and nobody else gets the port, not even in the moment between
two servers. A server binds a second socket beside it.
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
            taken.append(_bound(port, shared=False))
    if len(taken) == count:
        return taken
    for one in taken:
        one.close()
    raise OrchestratorError(
        f"there are not {count} free ports between {first} and {PORT_LAST}",
        hint="is another lab running? `rollout lab down` ends it",
    )


def beside(held: socket.socket) -> socket.socket:
    """A second socket on a held port, for a server to listen on.

    Raises:
        OSError: a server listens on the port.
    """
    return _bound(held.getsockname()[1], shared=True)


def _bound(port: int, *, shared: bool) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(shared))
        one.bind((LOOPBACK, port))
        # Only now: a socket beside this one needs it, as do those that ended connections left.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    except OSError:
        one.close()
        raise
    return one
