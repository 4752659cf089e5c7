import asyncio

import pytest

from orchestrator.engine.ports import Sample
from orchestrator.gates.probes import Probes
from orchestrator.plan.resolved import Probe, ProbeKind
from tests.loopback import listening


async def sample(host, port, deadline_s=5.0):
    probe = Probe(ProbeKind.TCP, host=host, port=port)
    return await Probes().sample(probe, deadline_s=deadline_s)


def resolves_to(monkeypatch, *addresses):
    async def getaddrinfo(_host, port, **_more):
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_port_that_takes_a_connection_is_open(server):
    assert await sample("127.0.0.1", server.port) == Sample({"open": True})


async def test_refused_connection_is_evidence_and_no_error(unused_port):
    assert await sample("127.0.0.1", unused_port) == Sample({"open": False})


async def test_nothing_is_sent_and_nothing_read(server):
    await sample("127.0.0.1", server.port)

    assert server.asked == []


async def test_flood_of_an_open_port_is_left_unread():
    async def flood(_reader, writer):
        writer.write(b"x" * 2**20)

    async with listening(flood) as port:
        assert await sample("127.0.0.1", port) == Sample({"open": True})


@pytest.mark.parametrize("word", ["Network is unreachable", "No route to host"])
async def test_no_way_there_is_an_error(monkeypatch, word):
    async def unreachable(*_args, **_more):
        raise OSError(101, word)

    monkeypatch.setattr(asyncio, "open_connection", unreachable)

    assert await sample("127.0.0.1", 9) == Sample(error=f"`127.0.0.1` port 9: {word}")


async def test_name_is_open_when_one_of_its_addresses_is(server, monkeypatch):
    resolves_to(monkeypatch, "127.0.0.2", "127.0.0.1")

    assert await sample("gate.test", server.port) == Sample({"open": True})


async def test_name_of_a_metadata_address_is_refused(monkeypatch):
    resolves_to(monkeypatch, "169.254.169.254")

    assert "metadata" in (await sample("gate.test", 80)).error
