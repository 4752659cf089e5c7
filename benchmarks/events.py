"""The state machine alone: CPU for 100 000 events of devices, one core.

`python benchmarks/events.py` prints `events_per_cpu_s=`; `make bench` prints it as well.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

from orchestrator.device.reason import Reason
from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave
from orchestrator.rollout.actions import DeviceAction, Work
from orchestrator.rollout.events import DeviceReported, DeviceStatus, EngineStarted, Outcome
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import RolloutState
from orchestrator.testing.plans import device_ids, make_plan

DEVICES_COUNT = 25_000
EVENTS_COUNT = 100_000
EVENTS_PER_CPU_S_MIN = 10_000
BATCH_COUNT = 500  # events that are committed together
_SAYS = {Work.DELIVER: "none", Work.ACTIVATE: "probation", Work.PROVE: "probation"}


def events_per_cpu_s() -> float:
    """Events that a rollout takes in a CPU second: four for each device, rows and journal included.

    Raises:
        RuntimeError: the rollout did not succeed, or took another number of events.
    """
    devices = device_ids(DEVICES_COUNT)
    limits = {"max_parallel": 1000, "slow_start": False, "max_fail_share": Fraction(1, 50)}
    cut = DEVICES_COUNT // 10
    plan = make_plan(
        [
            ResolvedWave("canary", "10%", devices[:cut], **limits),
            ResolvedWave("rest", "rest", devices[cut:], **limits),
        ]
    )
    rollout = Rollout.start(plan, "r-bench", at=0.0)
    before_s = time.process_time()
    count, lines = 0, len(rollout.apply(EngineStarted(0.0, 1)).journal)
    while not rollout.is_terminal:
        batch = list(_reports(rollout, plan))
        count += len(batch)
        lines += len(rollout.apply_all(batch).journal)
    used_s = time.process_time() - before_s
    if rollout.state is not RolloutState.SUCCEEDED or count != EVENTS_COUNT or lines < count:
        message = f"{rollout.state} after {count} events and {lines} lines"
        raise RuntimeError(message)
    return count / used_s


def _reports(rollout: Rollout, plan: ResolvedPlan) -> Iterator[DeviceReported]:
    """What the devices whose actions are wanted would say, at most a batch."""
    wanted = [action for action in rollout.in_flight if isinstance(action, DeviceAction)]
    for action in wanted[:BATCH_COUNT]:
        status = _status(action, plan) if action.work in _SAYS else None
        yield DeviceReported(
            at=1.0,
            device=action.device,
            txn=action.txn,
            work=action.work,
            outcome=Outcome(Reason.OK),
            round=action.round,
            status=status,
        )


def _status(action: DeviceAction, plan: ResolvedPlan) -> DeviceStatus:
    state = _SAYS[action.work]
    on_target = state == "probation"
    return DeviceStatus(
        state=state,
        txn=action.txn,
        artifact="",
        manifest=plan.artifact.manifest_sha256 if on_target else "0" * 64,
        active="yes",
        boot_id="boot",
        txn_state=state,
        commit_nonce="c0ffee" if on_target else "",
    )


if __name__ == "__main__":
    print(f"events_per_cpu_s={events_per_cpu_s():.0f}")
