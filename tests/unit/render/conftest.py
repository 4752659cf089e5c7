"""A fleet of 24 in three waves, and journals of what may become of it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction

import pytest

from orchestrator.device.model import Address, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import (
    Gate,
    OnFailure,
    PlannedArtifact,
    PlannedDevice,
    Probe,
    ProbeKind,
    ResolvedPlan,
    ResolvedWave,
    Risk,
    Skipped,
    Stage,
)
from orchestrator.rollout.events import JournalEntry

START = 1_795_000_000.0


def make_plan(names: Iterable[str] = (), sizes: tuple[int, ...] = (1, 6, 17)) -> ResolvedPlan:
    devices = [DeviceId(name) for name in (names or [f"gw-{i:03}" for i in range(1, 25)])]
    wave_names = ["canary", "early", "rest", *(f"wave-{i}" for i in range(4, len(sizes) + 1))]
    waves, first = [], 0
    for name, size in zip(wave_names, sizes, strict=False):
        waves.append(
            ResolvedWave(
                name=name,
                size_text=str(size),
                devices=tuple(devices[first : first + size]),
                soak_s=5.0 if name != "rest" else 0.0,
                backfill_limit=size,
                max_fail_share=Fraction(0) if name == "canary" else Fraction(1, 5),
            )
        )
        first += size
    return ResolvedPlan(
        name="gateway-fw",
        release="1.4.2",
        plan_file="plans/gateway.yml",
        plan_sha256="a" * 64,
        inventory_sha256="b" * 64,
        made_at=START,
        tool_version="0.1.0",
        seed="gateway-fw:1.4.2",
        surveyed=True,
        artifact=PlannedArtifact(
            path="releases/gateway-1.4.2.mender",
            name="gateway-1.4.2",
            sha256="c" * 64,
            manifest_sha256="d" * 64,
            payload_type="directory",
            device_types=("rpi4", "rpi5"),
            size_bytes=64_300_000,
            transfer_bytes=64_200_000,
            signed_by="ecdsa-p256 SHA256:k1k1k1",
        ),
        waves=tuple(waves),
        devices={
            device: PlannedDevice(Address(f"192.0.2.{i % 250}"), current="gateway-1.4.1")
            for i, device in enumerate(devices[:first])
        },
        skipped=(
            Skipped(DeviceId("gw-101"), Reason.NOT_ENROLLED),
            Skipped(DeviceId("gw-102"), Reason.NOT_ENROLLED),
            Skipped(DeviceId("old-1"), Reason.INCOMPATIBLE, "rpi3"),
        ),
        gates=(
            Gate(
                name="service healthy",
                stage=Stage.DEVICE,
                probe=Probe(ProbeKind.CHECK, check="gatewayd"),
                success_when="result.exit == 0",
            ),
        ),
        on_failure=OnFailure.ROLLBACK,
        risks=(Risk("P905", "a device that cannot prove itself goes back only after 2h", 24),),
    )


class Journal:
    """Writes entries with gapless numbers and a clock that the test moves."""

    def __init__(self) -> None:
        self.entries: list[JournalEntry] = []
        self.at = START

    def wait(self, seconds: float) -> None:
        self.at += seconds

    def add(self, kind: str, *, wave: str = "", device: str = "", **data: object) -> JournalEntry:
        fields = {key.replace("from_", "from"): value for key, value in data.items()}
        entry = JournalEntry(len(self.entries) + 1, self.at, kind, wave, device, fields)
        self.entries.append(entry)
        return entry

    def device(
        self, name: str, wave: str, *states: str, reason: str = "", detail: str = ""
    ) -> None:
        before = "queued"
        for state in states:
            data = {"from_": before, "to": state, "attempt": 1}
            if state in _WITH_REASON and reason:
                data |= {"reason": reason, "detail": detail}
            self.add("device_state", wave=wave, device=name, **data)
            before = state
            self.wait(1)


_WITH_REASON = {"failed", "rolling_back", "rolled_back", "rollback_failed", "lost", "deferred"}
FORWARD = ("transferring", "staged", "activating", "verifying", "confirmed", "committing")


@pytest.fixture
def plan() -> ResolvedPlan:
    return make_plan()


@pytest.fixture
def plan_of() -> Callable[..., ResolvedPlan]:
    return make_plan


@pytest.fixture
def plan_with(plan: ResolvedPlan) -> Callable[..., ResolvedPlan]:
    return lambda **changes: replace(plan, **changes)


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def bad_release(plan: ResolvedPlan) -> Journal:
    """The canary's check fails, the wave halts and the device goes back."""
    book = Journal()
    canary = plan.waves[0].devices[0]
    book.add("rollout_started", plan=plan.name)
    book.add("wave_started", wave="canary", device_count=1, allowed=0)
    book.device(canary, "canary", "transferring", "staged", "activating", "verifying")
    book.add(
        "gate_result",
        wave="canary",
        device=canary,
        gate="service healthy",
        reading="failed",
        verdict="failed",
        **{"result.exit": 1},
    )
    detail = "gate `service healthy`: result.exit == 0 is false"
    book.device(canary, "canary", "rolling_back", reason="check_failed", detail=detail)
    book.device(canary, "canary", "rolled_back", reason="check_failed", detail=detail)
    book.add("budget", wave="canary", counted=1, allowed=0, base=1)
    book.add("halted", wave="canary", cause="budget", detail="1 failure, 0 allowed")
    book.add("rollback_started", wave="canary", who="", devices=[])
    book.add("wave_done", wave="canary", state="rolled_back")
    book.add("rollout_done", state="rolled_back", exit=5)
    return book


@pytest.fixture
def good_release(plan: ResolvedPlan) -> Journal:
    """Every wave passes."""
    book = Journal()
    book.add("rollout_started", plan=plan.name)
    for wave in plan.waves:
        book.add("wave_started", wave=wave.name, allowed=0)
        for device in wave.devices:
            book.device(device, wave.name, *FORWARD, "succeeded")
        book.add("soak_started", wave=wave.name, soak_s=wave.soak_s)
        book.wait(wave.soak_s)
        book.add("wave_done", wave=wave.name, state="passed")
    book.add("rollout_done", state="succeeded", exit=0)
    return book
