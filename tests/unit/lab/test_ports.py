import socket

import pytest

from orchestrator.errors import OrchestratorError
from orchestrator.lab.layout import PORT_LAST
from orchestrator.lab.ports import beside, take_ports


def test_ports_in_use_are_skipped() -> None:
    (busy,) = take_ports(1, first=28_000)  # of another lab, which does not listen yet
    taken = take_ports(3, first=busy.getsockname()[1])
    ports = [one.getsockname()[1] for one in taken]
    for one in (busy, *taken):
        one.close()

    assert busy not in taken
    assert len(set(ports)) == 3
    assert max(ports) < PORT_LAST


def test_held_port_refuses_connections() -> None:
    (held,) = take_ports(1, first=28_100)

    with held, socket.socket() as one, pytest.raises(ConnectionRefusedError):
        one.connect(held.getsockname())


def test_one_server_at_a_time_listens_on_a_held_port() -> None:
    (held,) = take_ports(1, first=28_200)

    with held:
        for _ in range(2):  # one after the other
            with beside(held) as server:
                server.listen()
                with socket.socket() as one:
                    one.connect(held.getsockname())
                with pytest.raises(OSError, match="in use"):
                    beside(held)


def test_port_is_taken_by_nobody_else_between_two_servers() -> None:
    (held,) = take_ports(1, first=28_300)
    port = held.getsockname()[1]

    with held:
        with beside(held) as server:
            server.listen()
        (other,) = take_ports(1, first=port)
        with other:
            assert other.getsockname()[1] > port


def test_too_few_ports_are_told() -> None:
    with pytest.raises(OrchestratorError, match="free ports"):
        take_ports(100, first=PORT_LAST - 10)
