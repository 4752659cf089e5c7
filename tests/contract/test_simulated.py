"""The simulated store and transport keep the contracts that the real ones keep."""

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.testing.clock import EPOCH_S
from orchestrator.testing.contracts import StoreContract, TransportCase, TransportContract
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.plans import SimulatedArtifact
from orchestrator.testing.store import MemoryStore
from orchestrator.testing.transport import Faults, SimulatedTransport
from orchestrator.testing.world import good_release, old_release


class TestMemoryStore(StoreContract):
    async def make(self):
        store = MemoryStore()
        return store, store

    async def leave(self, store, rollout_id, request):
        return store.ask(rollout_id, request)


class TestSimulatedTransport(TransportContract):
    async def make(self):
        names = [DeviceId("up"), DeviceId("down")]
        fleet = {
            name: SimulatedDevice(
                name, now=lambda: EPOCH_S, installed=old_release(), releases=(good_release(),)
            )
            for name in names
        }
        fleet[names[1]].down_until = EPOCH_S + 1.0
        address = Address("127.0.0.1")
        return TransportCase(
            SimulatedTransport(fleet, faults=Faults(latency_s=0.001)),
            Device(names[0], address),
            Device(names[1], address),
            SimulatedArtifact.of("new").frames(),
        )
