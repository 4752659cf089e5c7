"""The contract of kinds of gates, kept by the built-in ones and by a package of the tests."""

import asyncio
import json
import sys

import pytest

from orchestrator.gates.probes import Allowed, Probes
from orchestrator.plan.resolved import Probe, ProbeKind
from orchestrator.testing.gates import KindContract
from tests.contract.example_kind import install
from tests.loopback import free_port, listening

ANSWER = json.dumps({
    "status": "success",
    "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "2.5"]}]},
})  # fmt: skip
HEAD = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: "


@pytest.fixture
async def places():
    """Ports on loopback: one that answers, one where nobody listens, one that stays silent."""

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"{HEAD}{len(ANSWER)}\r\n\r\n{ANSWER}".encode())
        await writer.drain()

    async def wait(_reader, _writer):
        await asyncio.Event().wait()

    async with listening(answer) as sound, listening(wait) as silent:
        yield {"sound": sound, "silent": silent, "broken": free_port()}


class _Asked(KindContract):
    """Kinds that differ in their probes only."""

    @pytest.fixture(autouse=True)
    def _places(self, places):
        self.places = places

    def probe(self, port):
        raise NotImplementedError

    async def prober(self):
        return Probes(Allowed(commands=("/bin/sh",)))

    async def sound(self):
        return self.probe(self.places["sound"])

    async def broken(self):
        return self.probe(self.places["broken"])

    async def silent(self):
        return self.probe(self.places["silent"])


class TestHttp(_Asked):
    def probe(self, port):
        return Probe(ProbeKind.HTTP, url=f"http://127.0.0.1:{port}/", value="/status")


class TestPrometheus(_Asked):
    def probe(self, port):
        return Probe(ProbeKind.PROMETHEUS, url=f"http://127.0.0.1:{port}", query="up")


class TestCommand(_Asked):
    def probe(self, text):
        return Probe(ProbeKind.COMMAND, argv=("/bin/sh", "-c", text))

    async def sound(self):
        return self.probe("echo '{\"value\": 1}'")

    async def broken(self):
        return self.probe("kill -9 $$")

    async def silent(self):
        return self.probe("exec sleep 600")


class TestTcp(_Asked):
    def probe(self, port):
        return Probe(ProbeKind.TCP, host="127.0.0.1", port=port)

    async def broken(self):
        return Probe(ProbeKind.TCP, host="no-such-host.invalid", port=9)

    @pytest.fixture(autouse=True)
    def _full(self, monkeypatch, places):
        """A port whose packets nobody answers, as behind a firewall that drops them."""
        connect = asyncio.open_connection

        async def dropping(host, port, **more):
            if port == places["silent"]:
                await asyncio.Event().wait()
            return await connect(host, port, **more)

        monkeypatch.setattr(asyncio, "open_connection", dropping)


class TestPackage(_Asked):
    """A kind that another package brings."""

    @pytest.fixture(autouse=True)
    def _package(self, tmp_path, monkeypatch):
        install(tmp_path, monkeypatch)
        yield
        sys.modules.pop("rollout_example", None)

    def probe(self, answer):
        return Probe(ProbeKind.PLUGIN, plugin="example", options=(("answer", answer),))

    async def prober(self):
        return Probes(Allowed(kinds=("example",)))

    async def sound(self):
        return self.probe("42")

    async def broken(self):
        return self.probe("boom")

    async def silent(self):
        return self.probe("never")
