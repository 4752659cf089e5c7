"""What the rows of rollouts say that was left on devices, against what these really run.

`rollout drift` holds devices against that: a device that is said to have been left on something else
than it runs would be taken for drifted, or worse, for the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from orchestrator.device.model import DeviceId
from orchestrator.rollout.sightings import Sightings, Standing
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.release import NOTHING
from orchestrator.testing.seen import InvariantBroken
from orchestrator.testing.store import MemoryStore


class WhatWasLeft:
    """Watches a fleet from before its first rollout; devices have one part only here."""

    def __init__(
        self, fleet: Mapping[DeviceId, SimulatedDevice], *, liars: Collection[str]
    ) -> None:
        self._honest = {name: device for name, device in fleet.items() if name not in liars}
        self._first = {name: device.active for name, device in self._honest.items()}

    async def check(self, store: MemoryStore) -> None:
        """Looks at devices when no rollout is under way.

        Raises:
            InvariantBroken: one of them runs something else than what is said to be left there.
        """
        gathered = Sightings(self._honest)
        succeeded: set[tuple[str, DeviceId]] = set()
        every = [await store.load(rollout_id) for rollout_id in store.known()]
        begun = [stored for stored in every if stored is not None]
        for stored in sorted(begun, key=lambda each: -cast("int", each.rollout["epoch"])):
            gathered.take(stored.rollout_id, stored.plan_json, stored.devices)
            succeeded |= {
                (stored.rollout_id, name)
                for name, row in stored.devices.items()
                if row["state"] == "succeeded"
            }
        for name, device in self._honest.items():
            left = gathered.devices[name].left
            if left is None:
                _expect(device, self._first[name], "nothing was left")
            elif left.standing is Standing.PROVEN:
                _expect(
                    device, left.manifest or NOTHING, f"{left.rollout_id} read back what it left"
                )
            elif (left.rollout_id, name) in succeeded and len(begun) == 1:
                message = f"left: {left.rollout_id} succeeded on {name}, and is said to be in doubt"
                raise InvariantBroken(message)


def _expect(device: SimulatedDevice, manifest: str, says: str) -> None:
    if device.active != manifest or device.releases[manifest].corrupt:
        message = f"left: {says} on {device.name}, which runs something else"
        raise InvariantBroken(message)
