"""The probes of the gates and the simulated ones answer alike."""

import asyncio
import sys
from contextlib import asynccontextmanager

from orchestrator.gates.probes import Probes
from orchestrator.plan.resolved import Probe, ProbeKind
from orchestrator.testing.contracts import ProberCase, ProberContract
from orchestrator.testing.world import SimulatedProber
from tests.loopback import free_port, listening

BODY = b'{"errors": 3}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%s" % (len(BODY), BODY)
)


def http(url):
    return Probe(ProbeKind.HTTP, url=url, value="/errors")


class TestSimulatedProber(ProberContract):
    @asynccontextmanager
    async def make(self):
        prober = SimulatedProber(
            {"http://up/": {"status": 200, "value": 3}}, silent={"http://slow/"}
        )
        fields = {"status": 200, "value": 3}
        yield ProberCase(
            prober, http("http://up/"), fields, http("http://down/"), http("http://slow/")
        )


class TestHttpProbes(ProberContract):
    @asynccontextmanager
    async def make(self):
        async def serve(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            if b"GET /slow" in head:
                await asyncio.Event().wait()
            writer.write(ANSWER)
            await writer.drain()

        async with listening(serve) as port:
            at, nobody = (f"http://127.0.0.1:{number}" for number in (port, free_port()))
            fields = {"status": 200, "value": 3}
            yield ProberCase(
                Probes(), http(f"{at}/up"), fields, http(f"{nobody}/"), http(f"{at}/slow")
            )


class TestCommandProbes(ProberContract):
    @asynccontextmanager
    async def make(self):
        def command(program):
            return Probe(ProbeKind.COMMAND, argv=(sys.executable, "-c", program))

        good = command("print('{\"errors\": 3}')")
        silent = command("import signal; signal.pause()")
        broken = Probe(ProbeKind.COMMAND, argv=("/nonexistent/program",))
        prober = Probes([sys.executable, "/nonexistent/program"])
        yield ProberCase(prober, good, {"exit": 0, "errors": 3}, broken, silent)
