"""What the engine needs of the world, as protocols; adapters implement them, `api` wires them.

`Store` with `Leases` and `Audited`, `Transport` with `Session`, `Clock`, `Prober`, `Notifier` and `Outbox` have a
real implementation and one in `orchestrator.testing`; each has one contract (`orchestrator.testing.contracts`) that
all of them pass, in `tests/contract/` and, over real SSH, in `tests/integration/`. `Executor` and
`Inventory` have one implementation each: the local executor works on simulated and on real
transports, and the tests of these two stand with their packages.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.protocol import Frame, Reply, Request, Step
from orchestrator.plan.resolved import Hook, Probe, ResolvedPlan
from orchestrator.rollout.actions import Action
from orchestrator.rollout.around import Surroundings
from orchestrator.rollout.audit import Audit, Head, Seal
from orchestrator.rollout.changes import Changes, Row
from orchestrator.rollout.events import Event, JournalEntry, OperatorAsked, Value, Vouched
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.notices import Delivery, Notice

__all__ = [
    "Audited", "Changes", "Clock", "Delivery", "Dialogue", "Executor", "History", "Inventory",
    "Lease", "Leases", "Notifier", "Observer", "Outbox", "Prober", "Reports", "Row", "Sample", "Session",
    "Store", "Stored", "Told", "Transport", "Vouch", "as_asked",
]  # fmt: skip

# Verifies the signature of a request where approvals are signed, and says what came of it.
Vouch = Callable[[OperatorAsked], OperatorAsked]


def as_asked(request: OperatorAsked) -> OperatorAsked:
    """Where approvals are not signed: each request counts as whoever can write it says."""
    return request


class Clock(Protocol):
    """Time for the engine; virtual in simulations."""

    def now(self) -> float:
        """UTC seconds; never smaller than an earlier answer of this process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The controller's side of a `deliver` or `prove` request.

    `frames` are sent first. `decide` is awaited when the device stands ready, with all that it
    has said until then; its answer is one word (`go`, `commit`, `confirm`), or "" to leave it at
    that. `on_step` and `on_bytes` report progress (`on_bytes` the payload bytes sent so far);
    both must return at once.
    """

    frames: Sequence[Frame]
    decide: Callable[[Reply], Awaitable[str]]
    on_step: Callable[[Step], None] = lambda _step: None
    on_bytes: Callable[[int], None] = lambda _sent: None


class Session(Protocol):
    """One authenticated connection to one device, whose host key was proven."""

    @property
    def host_key(self) -> str:
        """That key, as `ssh-ed25519 AAAA...`."""
        ...

    async def ask(self, request: Request, *, deadline_s: float) -> Reply:
        """Sends a request without body.

        Raises:
            DeviceError: CONNECTION_LOST, TIMEOUT or PROTOCOL; the outcome is unknown.
        """
        ...

    async def converse(self, request: Request, dialogue: Dialogue, *, deadline_s: float) -> Reply:
        """Sends a request with frames, and answers when the device stands ready.

        `deadline_s` covers sending and the device's work; waiting in `decide` is not counted.

        Raises:
            DeviceError: as `ask`.
        """
        ...

    async def stage(self, request: Request, frame: Frame, *, deadline_s: float) -> Reply:
        """Sends a `stage` request with one frame's bytes from its offset on.

        Raises:
            DeviceError: as `ask`.
        """
        ...

    async def close(self) -> None:
        """Closes the connection; never fails and never waits longer than a second."""
        ...


class Reports(Protocol):
    """Judges what devices sign of themselves."""

    @property
    def required(self) -> bool:
        """Whether a proof without a signature is none."""
        ...

    def judge(self, device: Device, said: Reply, host_key: str) -> Vouched:
        """Who signed what a proof says, by the host keys that the device is known by.

        The reply's nonce is the one that was asked with.

        Raises:
            TrustError: a signature does not hold, or there is none and there has to be one.
            DeviceError: PROTOCOL, the reply and what was signed differ.
        """
        ...


class Transport(Protocol):
    """The way to devices."""

    async def open(self, device: Device, *, deadline_s: float) -> Session:
        """Connects, proves the host key and logs in.

        Raises:
            DeviceError: UNREACHABLE, TIMEOUT, CONNECTION_LOST, HOST_KEY or AUTHENTICATION.
        """
        ...

    async def close(self) -> None:
        """Closes everything that is still open."""
        ...


@dataclass(frozen=True, slots=True)
class Sample:
    """What a probe found: fields for conditions, or the error that prevented it.

    `series` are values by device, where the gate's query gives one for each; a device without
    one has no data.
    """

    fields: Mapping[str, Value] = field(default_factory=dict)
    error: str = ""
    series: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """Samples of a stretch of the past with their UTC seconds, or the error that prevented it."""

    samples: tuple[tuple[float, Sample], ...] = ()
    error: str = ""


class Prober(Protocol):
    """Takes samples of controller-side gates, also of the past where it is remembered (R10)."""

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """One sample; never raises for trouble with the probed thing."""
        ...

    async def history(
        self, probe: Probe, *, start_at: float, end_at: float, step_s: float, deadline_s: float
    ) -> History:
        """Samples from `start_at` on, one every step; never raises for trouble with what is asked.

        Only probes of `REMEMBERED_KINDS` are asked for.
        """
        ...


class Executor(Protocol):
    """Keeps actions going."""

    def amend(self, plan: ResolvedPlan, devices: Mapping[DeviceId, Device]) -> None:
        """Devices joined the rollout: this is its plan now, and who may be acted upon."""
        ...

    def ensure(self, actions: Collection[Action]) -> None:
        """Starts those not running and drops those no longer wanted (idempotent by key)."""
        ...

    async def next_events(self, *, timeout_s: float, limit: int) -> Sequence[Event]:
        """What happened, in the order it became known; empty when nothing did in that time.

        Raises:
            LeaseError: a device was served by a newer engine of this controller.
        """
        ...

    async def close(self) -> None:
        """Drops everything."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """A rollout as stored: its plan's canonical JSON and its snapshot rows."""

    rollout_id: str
    plan_json: bytes
    rollout: Row
    devices: Mapping[DeviceId, Row]
    last_seq: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act on one rollout until `expires_at`, fenced by a rising epoch."""

    rollout_id: str
    owner: str
    epoch: int
    expires_at: float


class Store(Protocol):
    """Snapshots and journals; `commit` is durable when it returns."""

    async def create(self, rollout_id: str, plan_json: bytes, changes: Changes) -> None:
        """Stores a new rollout.

        Raises:
            StoreError: it exists, or the store failed.
        """
        ...

    async def load(self, rollout_id: str) -> Stored | None:
        """The last committed state."""
        ...

    async def commit(self, lease: Lease, batch: Sequence[Changes]) -> str:
        """Writes changes in one transaction that also checks the lease's epoch.

        Gives the hash of the last entry of the journal (`rollout.chain`); empty where none was
        written.

        Raises:
            LeaseError: a newer epoch exists: this engine must stop at once.
            ClaimedError: changes claim devices that another rollout works on, or waits for in front
                of this one; nothing was written.
            StoreError: the store failed; nothing was written.
        """
        ...

    async def around(self, rollout_id: str, *, plans: Collection[str], now: float) -> Surroundings:
        """What is around a rollout; of other plans, those that are named.

        Rollouts that go first are looked for only while this one works on no device; `now` is for
        leases.
        """
        ...

    async def requests(self, rollout_id: str, *, after: int) -> Sequence[OperatorAsked]:
        """Operators' requests with a number above `after`, in order."""
        ...


class Leases(Protocol):
    """Who may act on a rollout."""

    async def acquire(self, rollout_id: str, owner: str, *, ttl_s: float, now: float) -> Lease:
        """Takes the lease with the next epoch.

        Raises:
            DrivenError: another owner's lease has not run out.
        """
        ...

    async def renew(self, lease: Lease, *, ttl_s: float, now: float) -> Lease:
        """Extends the lease.

        Raises:
            LeaseError: it was taken over.
        """
        ...

    async def release(self, lease: Lease) -> None:
        """Gives the lease back; the epoch stays used."""
        ...


class Audited(Protocol):
    """Journals that hang on a chain of hashes (`rollout.chain`)."""

    async def head(self, rollout_id: str) -> Head | None:
        """Where the journal of a rollout ends; None where there is no such rollout."""
        ...

    async def audit(self, seals: Sequence[Seal]) -> Audit:
        """Makes all hashes again, and compares them with heads that somebody vouches for."""
        ...


class Observer(Protocol):
    """Who looks on; it must return at once and never raise."""

    def committed(self, rollout: Rollout, journal: Sequence[JournalEntry]) -> None:
        """A step was stored. The rollout is for reading only (`rollout.story`)."""
        ...

    def progressed(self, device: DeviceId, sent_bytes: int) -> None:
        """So many payload bytes were sent to a device; never journalled."""
        ...


class Notifier(Protocol):
    """Tells people and programs what happened."""

    def refused(self, hook: Hook) -> str | None:
        """Why the hook would never be told, for previews; None when it may."""
        ...

    async def tell(self, hook: Hook, notice: Notice, *, deadline_s: float) -> None:
        """Tells once; returns when the other side has taken it.

        Raises:
            OutwardError: it was not told, or whether it was is not known.
        """
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """Whom a rollout has told: all that was due up to `settled_seq`, and what stands here."""

    settled_seq: int = 0
    deliveries: tuple[Delivery, ...] = ()


class Outbox(Protocol):
    """Which notices of journals are still due; they are derived, so none can be lost."""

    async def untold(self) -> Sequence[str]:
        """Rollouts with hooks whose journals go beyond what was settled."""
        ...

    async def told(self, rollout_id: str) -> Told:
        """What came of telling so far."""
        ...

    async def journal(self, rollout_id: str, *, after: int) -> Sequence[JournalEntry]:
        """Entries with a `seq` above `after`, in order; empty when there are none."""
        ...

    async def record(self, rollout_id: str, delivery: Delivery) -> None:
        """Writes an attempt, over the earlier one of the same notice and hook."""
        ...

    async def settle(self, rollout_id: str, seq: int) -> None:
        """Nothing is due any more up to this entry; it never goes back."""
        ...


class Inventory(Protocol):
    """Where devices come from."""

    @property
    def digest(self) -> str:
        """SHA-256 of everything that was read."""
        ...

    def select(self, pattern: str, *, limit: str | None = None) -> Sequence[Device]:
        """Devices of an Ansible host pattern, in inventory order.

        Raises:
            PlanError: unknown group, empty limit, or the pattern does not parse.
        """
        ...
