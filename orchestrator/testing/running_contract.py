"""What every `Store` must know of the releases that devices were proven to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from orchestrator.device.model import DeviceId
from orchestrator.engine.ports import Row
from orchestrator.testing.store_cases import (
    NOW,
    PLAN,
    TTL_S,
    A,
    B,
    C,
    D,
    StoreCase,
    StoreCases,
    changes,
    of,
    scheduled,
)


class RunningContract(StoreCases):
    """What `requires` between plans stands on."""

    async def test_release_that_a_device_was_last_proven_to_run(self) -> None:
        """By the order in which rollouts began; a way back leaves what ran before."""
        async with self.make() as case:
            await case.store.create("r-9", PLAN, scheduled(A, B, C))
            await self._ran(
                case, "r-1", of("base", "7.0"), 10.0, {A: "succeeded", B: "unchanged", C: "failed"}
            )
            await self._ran(case, "r-3", of("base", "7.2"), 30.0, {A: "rolled_back", B: "failed"})
            await self._ran(case, "r-2", of("base", "7.1"), 20.0, {A: "succeeded", B: "queued"})

            found = await case.store.around("r-9", plans=("base", "none"), now=NOW)

            assert found.running.get("base") == {A: "7.1", B: "7.0"}
            assert not found.running.get("none")

    async def test_device_of_unknown_outcome_runs_nothing_that_is_known(self) -> None:
        """Lost, could not go back, or at work: no evidence is never success."""
        async with self.make() as case:
            await case.store.create("r-9", PLAN, scheduled(A, B, C))
            good = {A: "succeeded", B: "succeeded", C: "succeeded"}
            await self._ran(case, "r-1", of("base", "7.0"), 10.0, good)
            bad = {A: "lost", B: "rollback_failed", C: "verifying"}
            await self._ran(case, "r-2", of("base", "7.1"), 20.0, bad)

            before = await case.store.around("r-9", plans=("base",), now=NOW)

            assert before.running == {"base": {}}

    async def test_release_that_another_plan_replaced_does_not_run(self) -> None:
        """Of the same component; until that other one was taken back, or where it changed nothing."""
        async with self.make() as case:
            await case.store.create("r-9", PLAN, scheduled(A, B, C, D))
            good = dict.fromkeys((A, B, C, D), "succeeded")
            await self._ran(case, "r-1", of("base", "7.3"), 10.0, good)
            fix = {A: "succeeded", B: "rolled_back", C: "unchanged", D: "verifying"}
            await self._ran(case, "r-2", of("hotfix", "1"), 20.0, fix)
            await self._ran(case, "r-3", of("modem", "2", "radio"), 30.0, good)

            found = await case.store.around("r-9", plans=("base", "hotfix"), now=NOW)

            assert found.running == {"base": {B: "7.3", C: "7.3"}, "hotfix": {A: "1", C: "1"}}

    async def test_what_devices_run_is_seen_as_it_changes(self) -> None:
        """Looks see each commit."""
        async with self.make() as case:
            await case.store.create("r-9", PLAN, scheduled(A))
            await self._ran(case, "r-1", of("base", "7.0"), 10.0, {A: "verifying"})
            before = await case.store.around("r-9", plans=("base",), now=NOW)
            lease = await case.leases.acquire("r-1", "me", ttl_s=TTL_S, now=NOW)
            row: Row = {"state": "running", "begun_at": 10.0}
            proven = replace(changes(2, devices={A: {"state": "succeeded"}}), rollout=row)

            await case.store.commit(lease, [proven])

            after = await case.store.around("r-9", plans=("base",), now=NOW)
            assert not before.running.get("base")
            assert after.running == {"base": {A: "7.0"}}

    async def _ran(
        self,
        case: StoreCase,
        rollout_id: str,
        plan: bytes,
        begun_at: float,
        states: Mapping[DeviceId, str],
    ) -> None:
        devices: dict[DeviceId, Row] = {
            device: {"state": state, **({"moved": True} if state == "verifying" else {})}
            for device, state in states.items()
        }
        row: Row = {"state": "succeeded", "begun_at": begun_at}
        await case.store.create(rollout_id, plan, replace(changes(1, devices=devices), rollout=row))
