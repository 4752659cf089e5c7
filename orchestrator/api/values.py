"""What callers of the api give and get: frozen values, nothing that does anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from orchestrator.device.reason import Reason
from orchestrator.errors import Diagnostic, ExitCode, OrchestratorError, TrustError

if TYPE_CHECKING:  # the core is loaded by what uses it: `validate` has half a second for all
    from orchestrator.device.model import DeviceId
    from orchestrator.plan.difference import Since
    from orchestrator.plan.joiners import Joiner
    from orchestrator.plan.preview import Preview
    from orchestrator.plan.resolved import ResolvedPlan, Skipped
    from orchestrator.rollout.around import FleetFreeze
    from orchestrator.rollout.events import JournalEntry
    from orchestrator.rollout.story import Story
    from orchestrator.rollout.waiting import Waiting
    from orchestrator.rollout.why import DeviceStory

LAB_DEVICES_DEFAULT = 24


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's configuration; all paths absolute.

    `trusted_keys` are public keys with which the controller itself checks artifacts (devices
    check in any case); `allow_commands` are programs that `command` gates may run,
    `allow_gate_kinds` kinds of gates of other packages, `allow_device_access` whether people may
    have a `shell` on devices and `fetch` their files, `gate_tokens` say where bearer tokens for
    monitoring systems lie (`ORIGIN=file:PATH`, `ORIGIN=env:NAME`);
    `connections_max` bounds SSH handshakes under way at once; `reconcile_every_s` is how far apart
    passes of `reconcile` are, None where nobody said; `people` may approve, each
    `NAME=ROLE,ROLE`; `roles` say who may do what, each `ROLE=NAME,NAME`. `trust_root` is the
    fleet's, for devices that are enrolled. With
    `allowed_signers` (OpenSSH's file) approvals of the `fleet` count by their
    signature alone, except those of keys in `revoked_signers`, with `require_hardware_keys` only
    those of keys in security tokens. With
    `require_signed_commit` rollouts start only from a commit that one of them signed, with
    `evidence_policy` (a file) only of artifacts whose evidence satisfies it.
    With `require_signed_reports` no device is proven without a report that its host's key signed.
    `audit_key` signs checkpoints of the journals, which `audit_checkpoints` keeps.
    Hooks: `allow_commands` are also those that may be told, `hook_secrets` say
    what webhooks are signed with (as `gate_tokens`), `mail_server` (`smtps://HOST:PORT`),
    `mail_from` and `mail_login` (a file) how letters go out.
    `vault_passwords` (`[LABEL=]FILE`) open what ansible-vault has encrypted in inventories;
    `inventory_programs` may list hosts, and get the variables of `inventory_program_env`;
    `inventory_servers` may too, each an origin (with a token, as `gate_tokens`).
    Certificates: `host_ca` (a file of public keys) vouches for devices that have no pin; `user_ca`
    (a private key, its public one beside it) makes what the engine logs in with.
    """

    root: Path
    state: str = field(repr=False)  # an address may hold a password
    inventory: tuple[str, ...] = ()
    trusted_keys: tuple[Path, ...] = ()
    allow_commands: tuple[str, ...] = ()
    allow_gate_kinds: tuple[str, ...] = ()
    allow_device_access: tuple[str, ...] = ()
    gate_tokens: tuple[str, ...] = ()
    known_hosts: tuple[Path, ...] = ()
    identity_files: tuple[Path, ...] = ()
    connections_max: int = 100
    reconcile_every_s: float | None = None
    people: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    fleet: str = ""
    trust_root: Path | None = None
    allowed_signers: Path | None = None
    revoked_signers: Path | None = None
    require_hardware_keys: bool = False
    require_signed_commit: bool = False
    require_signed_reports: bool = False
    audit_key: Path | None = None
    audit_checkpoints: Path | None = None
    evidence_policy: Path | None = None
    hook_secrets: tuple[str, ...] = ()
    vault_passwords: tuple[str, ...] = ()
    inventory_programs: tuple[str, ...] = ()
    inventory_program_env: tuple[str, ...] = ()
    inventory_servers: tuple[str, ...] = ()
    mail_server: str = ""
    mail_from: str = ""
    mail_login: Path | None = None
    host_ca: Path | None = None
    user_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where devices come from: inventory sources (empty: the settings'), limit, extra variables."""

    inventory: tuple[str, ...] = ()
    limit: str | None = None
    extra_vars: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Validated:
    """Findings of `validate`, and the files that were looked at."""

    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...]

    @property
    def file_count(self) -> int:
        """How many files were looked at."""
        return len(self.files)


@dataclass(frozen=True, slots=True)
class StateMigrated:
    """A state store, and from which schema it came to which; `before` is empty for a new one."""

    place: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A plan to prepare: YAML, or a saved plan (told apart by content).

    `since` is a saved plan to compare it with.
    """

    plan: Path
    source: Source = Source()
    offline: bool = False
    since: Path | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A resolved plan ready to be shown or applied.

    `continues` is the id of a rollout under way of the same plan file, inventory and artifact:
    applying joins it. `saved` tells that the plan came from a file of `preview --out`. `joiners`
    are devices that joined the fleet since, where the plan appends them to its last wave; `unfit`
    would, and cannot take part. `uncommitted` is why nothing of this may be started here, where
    signed commits are required; `unevidenced` the same for its artifact, where a policy asks for
    evidence. `findings` are what is odd in the inventory, of other devices,
    too, and a circle of `requires` with plans beside this one. `since` is what
    changed since the saved plan that was to be compared with.
    """

    resolved: ResolvedPlan
    preview: Preview
    plan_json: bytes
    digest: str
    saved: bool
    continues: str | None = None
    joiners: Mapping[DeviceId, Joiner] = field(default_factory=dict)
    unfit: tuple[Skipped, ...] = ()
    uncommitted: TrustError | None = None
    findings: tuple[Diagnostic, ...] = ()
    unevidenced: OrchestratorError | None = None
    since: Since | None = None

    @property
    def saved_file(self) -> bytes:
        """What `preview --out` writes: the plan and its digest."""
        from orchestrator.plan.envelope import to_saved

        return to_saved(self.plan_json)


@dataclass(frozen=True, slots=True)
class Run:
    """A rollout that this process is about to drive; `history` when it continues one."""

    rollout_id: str
    resolved: ResolvedPlan
    digest: str
    joined: bool
    history: tuple[JournalEntry, ...] = ()


class Observer(Protocol):
    """Who watches a rollout; every method returns at once."""

    def started(self, run: Run) -> None:
        """The lease is taken."""
        ...

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """Entries, after their commit, in order and without gaps."""
        ...

    def working(self, device: str, step: str, sent_bytes: int, total_bytes: int) -> None:
        """Progress that is not journalled."""
        ...

    def tick(self, now: float) -> None:
        """Time passed, also when nothing happens."""
        ...

    def waits(self, found: Waiting) -> None:
        """What it waits for, where it is driven here; told again and again."""
        ...


class Nobody:
    """An observer that looks away."""

    def started(self, run: Run) -> None:
        """Looks away."""

    def journal(self, entries: Sequence[JournalEntry]) -> None:
        """Looks away."""

    def working(self, device: str, step: str, sent_bytes: int, total_bytes: int) -> None:
        """Looks away."""

    def tick(self, now: float) -> None:
        """Looks away."""

    def waits(self, found: Waiting) -> None:
        """Looks away."""

    def stands(self, status: Status) -> None:
        """Looks away."""


@dataclass(frozen=True, slots=True)
class Status:
    """A stored rollout at `now` (UTC seconds); `engine` owns a live lease, or is empty.

    `returnable` are the devices that a rollback would take back now, each with its wave.
    `frozen` is the freeze of all rollouts that is on. `controller` is the `reconcile` that follows a
    branch and comes by, at each of its passes, for as long as no engine drives it; empty for none.
    """

    rollout_id: str
    resolved: ResolvedPlan
    digest: str
    story: Story
    engine: str
    now: float
    returnable: Mapping[DeviceId, str] = field(default_factory=dict)
    frozen: FleetFreeze | None = None
    controller: str = ""

    def concerned(self, *, wave: str | None, devices: Collection[str]) -> set[DeviceId]:
        """The devices that a rollback of this scope would take back now."""
        return {
            device
            for device, own in self.returnable.items()
            if wave in (None, own) and (not devices or device in devices)
        }


@dataclass(frozen=True, slots=True)
class Why:
    """A device's story with its journal lines, oldest first, and the status of its rollout.

    `txn` is the newest attempt as the device knows it; empty before the first.
    """

    status: Status
    story: DeviceStory
    journal: Sequence[JournalEntry]
    txn: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """How driving a rollout ended: where it stands now, and with which exit code.

    `unsealed` says why its journal's end has no checkpoint; empty where it has one.
    """

    status: Status
    exit_code: ExitCode
    unsealed: str = ""


class Onlooker(Observer, Protocol):
    """Who watches a rollout that others drive."""

    def stands(self, status: Status) -> None:
        """Where it stands, what it waits for and who drives it: at first, and after every news."""
        ...


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored rollout that cannot be read, what is known of it all the same, and why."""

    rollout_id: str
    plan_name: str
    state: str
    why: str


class Stay(StrEnum):
    """For which waits whoever drives a rollout stays, besides for devices at work."""

    NOTHING = "nothing"
    SOAKS = "soaks"
    PAUSES = "pauses"  # soaks, and a pause by a person who can end it where that is shown
    ALL = "all"  # approvals, windows, freezes and the time of its start too


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A rollout that was advanced: where it stands now, what it waits for, and until when.

    `engine` names who drives it elsewhere, so that nothing was done here; `error` says what kept
    it from being advanced, with the exit code of that; `unsealed` as of `Finished`.
    """

    rollout_id: str
    plan_name: str
    state: str
    waits_for: tuple[str, ...]
    exit_code: ExitCode
    engine: str = ""
    error: str = ""
    unsealed: str = ""
    until: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """What came of asking one device."""

    device: str
    ok: bool
    reason: str = Reason.OK
    detail: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabRequest:
    """A lab fleet to start in `directory`; `keys` are public keys its devices trust."""

    directory: Path
    count: int = LAB_DEVICES_DEFAULT
    server: str = "asyncssh"
    keys: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class LabShown:
    """A lab fleet: name, state and artifact of each device."""

    directory: Path
    inventory: Path
    devices: tuple[tuple[str, str, str], ...]
    pid: int
