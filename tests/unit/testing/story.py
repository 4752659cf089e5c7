"""Made-up journals for the checkers of simulations: what they must object to."""

from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.clock import EPOCH_S
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.invariants import Checker
from orchestrator.testing.plans import device_ids, make_plan
from orchestrator.testing.world import good_release, old_release

A, B, C = device_ids(3)
WAY = ("pending", "transferring", "staged", "activating", "verifying", "committing", "succeeded")


class Story:
    """Tells a checker made-up lines, of one wave unless others are given."""

    def __init__(self, *waves, plan=None, **choices):
        waves = waves or (ResolvedWave("all", "all", (A, B, C), **choices),)
        self.devices = {
            name: SimulatedDevice(
                name, now=lambda: EPOCH_S, installed=old_release(), releases=(good_release(),)
            )
            for wave in waves
            for name in wave.devices
        }
        self.checker = Checker(make_plan(waves, **(plan or {})), self.devices)
        self.truth = self.checker.truth
        self.seq = 0

    def entry(self, kind, device="", *, wave="all", at=0.0, **data):
        self.seq += 1
        return JournalEntry(self.seq, at, kind, wave, device, data)

    def line(self, kind, device="", **where_and_data):
        self.checker.see([self.entry(kind, device, **where_and_data)])

    def move(self, device, *states, **data):
        for state in states:
            seen = self.checker.seen[device]
            data |= {"from": seen.state, "to": state}
            self.line("device_state", device, wave=seen.wave, **data)
