import socket

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.lab.layout import PORT_LAST
from orchestrator.lab.ports import hold_port, take_ports


def test_ports_in_use_are_skipped() -> None:
    (busy,) = take_ports(1, first=28_000)  # of another lab, which does not listen yet
    taken = take_ports(3, first=busy.getsockname()[1])
    ports = [one.getsockname()[1] for one in taken]
    for one in (busy, *taken):
        one.close()

    assert busy not in taken
    assert len(set(ports)) == 3
    assert max(ports) < PORT_LAST


def test_held_port_refuses_connections_and_stays_ours() -> None:
    (held,) = take_ports(1, first=28_100)
    port = held.getsockname()[1]

    with socket.socket() as one, pytest.raises(ConnectionRefusedError):
        one.connect(("127.0.0.1", port))
    held.listen()
    with pytest.raises(OSError, match="in use"):
        hold_port(port)
    held.close()


def test_too_few_ports_are_told() -> None:
    with pytest.raises(OrchestratorError, match="free ports"):
        take_ports(100, first=PORT_LAST - 10)
