"""What is known beyond one rollout: other rollouts, other plans' releases, a freeze for all.

Read from the store by the engine and handed to the machine in events, which decides.

Law: only a rollout that has begun and is not over works on devices. So its state is its claim: that
is taken in the transaction that brings it into such a state, survives every crash with it, and ends
with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.device.model import DeviceId
from orchestrator.rollout.held import Held, Row
from orchestrator.rollout.states import BEFORE_START, TERMINAL_ROLLOUT, DeviceState, RolloutState

Running = dict[str, dict[DeviceId, str]]  # by plan, the release that each device runs

_PROVEN = frozenset({DeviceState.SUCCEEDED, DeviceState.UNCHANGED})
_CHANGED = frozenset({DeviceState.SUCCEEDED, DeviceState.LOST, DeviceState.ROLLBACK_FAILED})


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another rollout of the same component that shares devices with this one.

    `begun`: it works on them. `driven`: an engine runs it. `device` is one of the `shared` devices.
    `follows`: its waves have passed, and it waits for devices that were away.
    """

    rollout_id: str
    plan: str
    priority: int
    begun: bool
    driven: bool
    shared: int
    device: DeviceId
    follows: bool = False


@dataclass(frozen=True, slots=True)
class FleetFreeze:
    """No rollout of the store may start anything, until then (UTC seconds) or further notice.

    It stays known after somebody lifted it: rollouts journal who let them go on, and why.
    """

    reason: str
    who: str
    at: float
    until_at: float | None = None
    lifted_at: float | None = None
    lifted_by: str = ""
    lifted_why: str = ""

    @property
    def text(self) -> str:
        """Why, and who says so."""
        return f"{self.reason} (all rollouts, by {self.who})"

    @property
    def lifted_text(self) -> str:
        """Who lifted it, and why; empty when nobody did."""
        if self.lifted_at is None:
            return ""
        return f"all rollouts let go on by {self.lifted_by}: {self.lifted_why or 'no reason given'}"

    def is_on(self, now: float) -> bool:
        """Whether it has neither run out nor been lifted."""
        return self.lifted_at is None and (self.until_at is None or now < self.until_at)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What one look found.

    Attributes:
        busy: rollouts that go first; looked for only while this one has not begun.
        running: by plan, the release that each device was last proven to run.
        frozen: the freeze of the whole store, if there is one.
        older: rollouts made before this one that have not begun, and that do not go first; looked
            for as `busy` is.
        held: devices of this one that another rollout held back from its artifact, or from all.
    """

    busy: tuple[Neighbour, ...] = ()
    running: Mapping[str, Mapping[DeviceId, str]] = field(default_factory=dict)
    frozen: FleetFreeze | None = None
    older: tuple[Neighbour, ...] = ()
    held: Mapping[DeviceId, Held] = field(default_factory=dict)


def holds(state: RolloutState, *, begun: bool) -> bool:
    """Whether a rollout in this state has its devices for itself; one may be paused unbegun."""
    return begun and state not in BEFORE_START and state not in TERMINAL_ROLLOUT


def row_holds(row: Row) -> bool:
    """The same of a stored rollout."""
    return holds(RolloutState(str(row["state"])), begun=row.get("begun_at", 0.0) is not None)


def row_waits(row: Row) -> bool:
    """Whether a stored rollout waits for its turn."""
    waiting = row.get("waiting")
    in_time = RolloutState(str(row["state"])) in BEFORE_START
    return in_time and isinstance(waiting, Mapping) and "rollout" in waiting


def proved(
    known: Running, ran: tuple[str, str], device: DeviceId, state: str, *, moved: bool
) -> None:
    """Takes in how a device stands in the next rollout, in the order in which they began.

    `known` is of one component: what one plan changed no other plan's release runs on. A device
    that was found on the target was not changed, and a way back leaves what ran before.

    Args:
        known: by plan, the release that each device was last proven to run.
        ran: plan and release of that rollout.
        device: which.
        state: where it stands there.
        moved: whether it may have been changed there, without proof.
    """
    if state != DeviceState.UNCHANGED and (moved or state in _CHANGED):
        for releases in known.values():
            releases.pop(device, None)
    if state in _PROVEN:
        plan, release = ran
        known.setdefault(plan, {})[device] = release


def merged(components: Iterable[Running], plans: Collection[str]) -> Running:
    """What of several components is known of these plans."""
    found: Running = {}
    for known in components:
        for plan in known.keys() & set(plans):
            found.setdefault(plan, {}).update(known[plan])
    return found


def goes_first(one: tuple[int, float, str], other: tuple[int, float, str]) -> bool:
    """Which of two waiting rollouts has its turn first, by (priority, created at, id)."""
    return (-one[0], *one[1:]) < (-other[0], *other[1:])
