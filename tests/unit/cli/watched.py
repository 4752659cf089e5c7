"""A rollout of one device, as somebody hears of it who watches it."""

from dataclasses import replace

from orchestrator.api import Run, Status
from orchestrator.device.model import Address, DeviceId
from orchestrator.plan.resolved import PlannedArtifact, PlannedDevice, ResolvedPlan, ResolvedWave
from orchestrator.rollout.events import JournalEntry
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import RolloutState
from orchestrator.rollout.story import tell

DEVICE = DeviceId("gw-1")


def a_run() -> Run:
    artifact = PlannedArtifact("a", "app-1", "c" * 64, "d" * 64, "directory", ("x",), 10, 10)
    plan = ResolvedPlan(
        name="app",
        release="1",
        plan_file="p.yml",
        plan_sha256="a" * 64,
        inventory_sha256="b" * 64,
        made_at=0.0,
        tool_version="0",
        seed="s",
        surveyed=False,
        artifact=artifact,
        waves=(ResolvedWave("canary", "1", (DEVICE,)),),
        devices={DEVICE: PlannedDevice(Address("h"))},
    )
    return Run("r-1", plan, "e" * 64, joined=False, history=(entry(1, "rollout_started"),))


def entry(seq: int, kind: str, **data: object) -> JournalEntry:
    device = DEVICE if kind == "device_state" else ""
    wave = "" if kind.startswith("rollout") else "canary"
    return JournalEntry(seq, 100.0 + seq, kind, wave, device, data)


def standing(run: Run, engine: str = "ann@ops", **told: object) -> Status:
    story = tell(Rollout.start(run.resolved, run.rollout_id, at=101.0))
    told = {"state": RolloutState.RUNNING, "waits_for": ("devices",), **told}
    return Status("r-1", run.resolved, run.digest, replace(story, **told), engine, story.at)
