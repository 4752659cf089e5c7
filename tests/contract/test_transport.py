"""The simulated transport keeps the contract; the real one does in `tests/integration/`."""

from contextlib import asynccontextmanager

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.testing.clock import EPOCH_S
from orchestrator.testing.contracts import TransportCase, TransportContract
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.plans import SimulatedArtifact
from orchestrator.testing.transport import Faults, SimulatedTransport
from orchestrator.testing.world import good_release, old_release

UP, DOWN = DeviceId("up"), DeviceId("down")


class TestSimulatedTransport(TransportContract):
    @asynccontextmanager
    async def make(self):
        fleet = {
            name: SimulatedDevice(
                name, now=lambda: EPOCH_S, installed=old_release(), releases=(good_release(),)
            )
            for name in (UP, DOWN)
        }
        fleet[DOWN].down_until = EPOCH_S + 1.0
        transport = SimulatedTransport(fleet, faults=Faults(latency_s=0.001))
        address = Address("127.0.0.1")
        frames = SimulatedArtifact.of("new").frames()
        yield TransportCase(transport, Device(UP, address), Device(DOWN, address), frames)
        await transport.close()
