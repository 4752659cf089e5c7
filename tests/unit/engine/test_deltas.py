"""Deliveries of the difference alone, against a simulated device; whatever fails, the whole goes out."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from orchestrator.device.model import Address, Device
from orchestrator.device.protocol import Frame
from orchestrator.device.reason import Reason
from orchestrator.engine.deltas import Delta
from orchestrator.engine.orders import Orders
from orchestrator.engine.perform import Conversation
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.actions import DeviceAction, Work
from orchestrator.testing.clock import VirtualClock, run_virtual
from orchestrator.testing.faults import Fault, FaultKind, FaultSource
from orchestrator.testing.plans import SimulatedArtifact, device_ids, make_plan
from orchestrator.testing.transport import SimulatedTransport
from orchestrator.testing.world import make_fleet, old_release

[A] = device_ids(1)
TXN = "A" * 26
NEW = SimulatedArtifact.of("new")
FILE = "data/0000/payload"
HAD = hashlib.sha256(b"what it runs").hexdigest()
GOOD = b"patch " + NEW.payload


def frame(data: bytes) -> Frame:
    return Frame("patch", len(data), hashlib.sha256(data).hexdigest(), lambda at: iter([data[at:]]))


def delta(patch: bytes = GOOD, *, manifest: str | None = None) -> Delta:
    return Delta(
        old_manifest=old_release().manifest if manifest is None else manifest,
        old_size_bytes=12,
        old_sha256=HAD,
        name=FILE,
        size_bytes=len(NEW.payload),
        sha256=hashlib.sha256(NEW.payload).hexdigest(),
        patch=frame(patch),
    )


class Bench:
    """One delivery; `sent` are the frames that the device took, with how many bytes of them."""

    def __init__(self, *deltas: Delta, can: str = HAD, fault: FaultKind | None = None) -> None:
        clock = VirtualClock()
        plan = make_plan([ResolvedWave("all", "1", (A,))])
        known = replace(plan.devices[A], current_manifest=old_release().manifest)
        plan = replace(plan, devices={A: known})
        self.device = make_fleet((A,), clock)[A]
        self.device.changeable = can
        self.sent: list[tuple[str, int]] = []
        take = self.device.take

        def counted(txn: str, name: str, data: bytes, offset: int) -> bool:
            self.sent.append((name, len(data)))
            return take(txn, name, data, offset)

        self.device.take = counted  # type: ignore[method-assign]
        orders = Orders(plan, "ctl", 5, NEW.frames, lambda: "n1", clock, deltas=deltas)
        strikes = [Fault(fault, 1, A)] if fault else []
        transport = SimulatedTransport({A: self.device}, source=FaultSource(only=strikes))
        self.talk = Conversation(Device(A, Address("127.0.0.1")), transport, orders)

    async def deliver(self) -> Reason:
        async def go(_status):
            return DeviceAction(Work.ACTIVATE, A, TXN, round=2)

        action = DeviceAction(Work.DELIVER, A, TXN, round=1, fresh=True)
        report = await self.talk.deliver(action, go)
        assert report is not None
        return report.outcome.reason

    @property
    def whole(self) -> bool:
        """Whether the payload was sent, beside what a patch made."""
        return self.sent.count((FILE, len(NEW.payload))) > (self.made and 1)

    @property
    def made(self) -> bool:
        return (FILE, 0) in self.sent


def test_device_that_runs_the_older_artifact_gets_the_difference():
    bench = Bench(delta(manifest="another"), delta())

    assert run_virtual(bench.deliver()) is Reason.OK

    assert bench.made
    assert not bench.whole


@pytest.mark.parametrize(
    "bench",
    [
        lambda: Bench(delta(), can=""),
        lambda: Bench(delta(), can="another file"),
        lambda: Bench(delta(b"patch garbage")),
        lambda: Bench(delta(manifest="another")),
        lambda: Bench(delta(), fault=FaultKind.CUT_TRANSFER),
        Bench,
    ],
    ids=["no-tool", "wrong-base", "spoilt", "for-another", "cut-off", "none"],
)
def test_whatever_fails_the_whole_is_sent(bench):
    bench = bench()

    assert run_virtual(bench.deliver()) is Reason.OK

    assert bench.whole
    assert not bench.made
