"""The mutable state of a rollout: one record per device, wave and gate, and of a broken glass.

Only `rollout.ledger` and the modules above it change records; `rollout.codec` turns them into
rows and back. Times are UTC seconds from events.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.budget import allowed_failures, allowed_unreachable
from orchestrator.plan.joiners import Joiner
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.actions import Work
from orchestrator.rollout.states import DeviceState, WaveState
from orchestrator.rollout.verdict import Tally, flight_bound, required_successes


@dataclass(slots=True)
class DeviceRecord:
    """Where one device stands, and what it needs to go on after a crash.

    Attributes:
        place: position in the plan's order over all waves.
        since: when it entered its state. `troubled_at`: when its present reason came up.
        started: number of its first start within the rollout (0: never); rollback reverses it.
        tries: failed tries of the present attempt before the point of no return.
        work, round, asked: the action that is wanted, its number, the gates its checks serve.
        due_at: when it wants a tick; `dark_at`, `lost_at`: deadlines while uncertain.
        moved: it may run the new version because of this rollout.
        touched: it was activated before, in an attempt that was taken back.
        proven: its gates passed after its last activation (R16).
        dark: no answer past the step's time (R6). `away`: the engine was down meanwhile.
        excused: its way back is no failure of the release (R6).
        shunned: its host key changed; never contacted further.
        reading, read_at: it is being read back at the end of a soak; when that last ended.
        ends_as: what it becomes when it has gone back; empty while it goes forward.
        cause, cause_told: why it goes back, with the detail; its own silences on the way are not.
        repeats: proofs or ways back that had to be begun again.
        late: its module cannot go back after commit (R17).
        joiner: what the plan did not know of it when it was made; None for those it knew (R1).
        went: it was past the point of no return in this rollout, whatever became of it.
        begun_at, took_s: when its attempt began, and the time from there to its first proof.
        cleared: the gates before its start have passed in this attempt.
        untried: no delivery of the present attempt was ever asked for.
        deferrals, deferred_at: how often in a row it was away, and since when (R7).
        given_up: it was away for too long, and is not asked again.
        signer: fingerprint of the host key that signed its last proof; `-` where none did that was
            to; empty where none was to.
    """

    id: DeviceId
    wave: int
    place: int
    late: bool = False
    joiner: Joiner | None = None
    state: DeviceState = DeviceState.PENDING
    reason: Reason = Reason.OK
    detail: str = ""
    since: float = 0.0
    troubled_at: float | None = None
    attempt: int = 0
    txn: str = ""
    started: int = 0
    tries: int = 0
    work: Work | None = None
    round: int = 0
    asked: tuple[int, ...] = ()
    due_at: float | None = None
    dark_at: float | None = None
    lost_at: float | None = None
    previous: str = ""
    nonce: str = ""
    boot: str = ""
    moved: bool = False
    touched: bool = False
    proven: bool = False
    dark: bool = False
    away: bool = False
    excused: bool = False
    shunned: bool = False
    reading: bool = False
    read_at: float = -1.0
    ends_as: str = ""
    cause: Reason = Reason.OK
    cause_told: str = ""
    repeats: int = 0
    untried: bool = False
    went: bool = False
    begun_at: float = 0.0
    took_s: float | None = None
    cleared: bool = False
    deferrals: int = 0
    deferred_at: float | None = None
    given_up: bool = False
    signer: str = ""
    tallies: dict[int, Tally] = field(default_factory=dict)
    sampling: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class WaveRecord:
    """Where one wave stands; the counters are kept by `Ledger`, never counted anew.

    Attributes:
        planned: devices that the wave should update (R6 base before what it shrinks by); it grows
            by devices that join (R1).
        accepted, accepted_unreachable: allowances an operator acknowledged.
        promised: an operator accepted the wave's evidence as it is (R8 asks for one success).
        soaked, judged_from: whether it soaked, and when the read-back after that began (R10).
        queue, staged: devices that wait for a start and for the go, in order.
        parked: devices that wait for a slot of a label, or ("", zone) for their hours.
        failed_at: times of the newest failures, for bursts.
        cleared: the gates before its first device have passed.
        deadline_at: when it has to have passed; None once that was acted upon.
        soak_ended: an operator ended its soak.
        passed_by: who let it pass although its evidence was inconclusive, and why.
        to_commit: confirmed devices whose commit is due (R17); found anew when it runs empty.
        to_read: devices still to be read back at the end of the soak (R10).
        away: deferred devices that are asked again, now or after the last wave.
        awaited: those of them that the wave does not settle without (`offline.policy: wait`).
    """

    index: int
    plan: ResolvedWave
    planned: int
    state: WaveState = WaveState.PENDING
    accepted: int | None = None
    accepted_unreachable: int | None = None
    promised: bool = False
    tripped: bool = False
    backfilled: int = 0
    soak_until: float | None = None
    soaked: bool = False
    judged_from: float = 0.0
    deadline_at: float | None = None
    failed_at: list[float] = field(default_factory=list)
    cleared: bool = False
    soak_ended: bool = False
    passed_by: list[str] = field(default_factory=list)
    members: list[DeviceId] = field(default_factory=list)
    queue: deque[DeviceId] = field(default_factory=deque)
    staged: deque[DeviceId] = field(default_factory=deque)
    parked: dict[tuple[str, str], list[DeviceId]] = field(default_factory=dict)
    to_read: deque[DeviceId] = field(default_factory=deque)
    to_commit: deque[DeviceId] = field(default_factory=deque)
    reading: int = 0
    total: int = 0
    counts: dict[DeviceState, int] = field(default_factory=lambda: dict.fromkeys(DeviceState, 0))
    counted: int = 0
    unproven: int = 0
    at_work: int = 0
    ahead: int = 0
    settled: int = 0
    successes: int = 0
    away: int = 0
    awaited: int = 0

    @property
    def name(self) -> str:
        """The plan's name of it."""
        return self.plan.name

    @property
    def base(self) -> int:
        """Devices its shares are of (R6); it can only shrink."""
        skipped = self.counts[DeviceState.UNCHANGED] + self.counts[DeviceState.SKIPPED]
        return max(0, self.planned - skipped)

    @property
    def allowed(self) -> int:
        """Failures that do not trip it yet."""
        if self.accepted is not None:
            return self.accepted
        return allowed_failures(self.plan, self.base)

    @property
    def allowed_unreachable(self) -> int:
        """Devices that may stay unreachable (R7)."""
        if self.accepted_unreachable is not None:
            return self.accepted_unreachable
        return allowed_unreachable(self.plan, self.base)

    @property
    def not_reached(self) -> int:
        """Devices that were never started and that it does not wait for."""
        return self.counts[DeviceState.DEFERRED] - self.awaited

    @property
    def unreachable(self) -> int:
        """Devices that were never started and that no other replaced (R7)."""
        return max(0, self.not_reached - self.backfilled)

    @property
    def required(self) -> int:
        """Successes it needs to pass (R8)."""
        if self.promised:
            return 1  # whatever is accepted: what nobody saw work proves nothing
        return required_successes(self.base, self.allowed, self.allowed_unreachable)

    @property
    def bound(self) -> int:
        """Devices that may be past the point of no return and unproven (R16)."""
        if not self.plan.slow_start:
            return self.plan.max_parallel
        return flight_bound(
            max_parallel=self.plan.max_parallel,
            allowed=self.allowed,
            counted=self.counted,
            successes=self.successes,
        )


@dataclass(slots=True)
class GateRecord:
    """Samples of one gate that speaks for a wave or for the whole rollout.

    Attributes:
        tally: samples against the limits; `inside`: those within the present wave (R9).
        round: number of its latest sample; `in_flight`: that sample is being taken.
        before, measured: values by device from before a wave, where it compares with them, and the
            index of that wave.
        last_at: when it was last heard.
        gaps: stretches of the soak without a sample that do not count, oldest first (R10).
    """

    index: int
    tally: Tally = field(default_factory=Tally)
    inside: Tally = field(default_factory=Tally)
    round: int = 0
    in_flight: bool = False
    due_at: float | None = None
    before: dict[str, float] = field(default_factory=dict)
    measured: int = -1
    last_at: float = 0.0
    gaps: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Glass:
    """Who went on without missing approvals, why, and until when that holds (UTC seconds)."""

    who: str
    why: str
    at: float
    until_at: float
