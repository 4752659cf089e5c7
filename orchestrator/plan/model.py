"""A plan as its author wrote it, after checking: what is not written is None.

`resolve` turns it into a `ResolvedPlan`. Texts and limits know their place in the file, so that
what turns out only at resolve time is reported there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from orchestrator.errors import Diagnostic, Where
from orchestrator.plan.resolved import (
    COMPONENT_DEFAULT,
    OFFLINE_FOR_S_DEFAULT,
    PRIORITY_DEFAULT,
    Approval,
    Budget,
    Burst,
    Compare,
    DeadlineAction,
    Hook,
    LateJoiners,
    OfflinePolicy,
    OnConflict,
    OnFailure,
    OnNoData,
    Order,
    ProbeKind,
    Rate,
    Requirement,
    Retries,
    Rollback,
    Schedule,
    Stage,
)
from orchestrator.plan.waves import Size


@dataclass(frozen=True, slots=True)
class Text:
    """A text that may hold `{{ }}`; `inner` is the place of its first character.

    `inner` is None where the file writes the text with escapes or over several lines.
    """

    text: str
    where: Where
    inner: Where | None = None

    def at(self, offset: int) -> Where:
        """The place of a character, or of the whole text where that is not known."""
        if self.inner is None:
            return self.where
        return Where(self.inner.file, self.inner.line, self.inner.column + offset)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a wave may set for itself and a plan for all its waves."""

    soak_s: float | None = None
    max_parallel: int | None = None
    slow_start: bool | None = None
    max_failures: int | None = None
    max_fail_share: Fraction | None = None
    cover: tuple[Text, ...] | None = None
    backfill: Backfill | None = None


@dataclass(frozen=True, slots=True)
class Backfill:
    """Whether devices of the waves that follow may take the place of unreachable ones (R7).

    `limit` None: as many as the wave is large.
    """

    enabled: bool
    where: Where
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Deadline:
    """How long a wave or a rollout may take, and what happens then."""

    after_s: float
    action: DeadlineAction = DeadlineAction.HALT


@dataclass(frozen=True, slots=True)
class Wave:
    """One wave as written; `name` is `wave-N` where none is written.

    `hosts`: the pattern of the devices that it claims before the others choose.
    """

    name: str
    size: Size
    where: Where
    limits: Limits = Limits()
    size_where: Where | None = None
    hosts: Text | None = None
    approval: Approval | None = None
    deadline: Deadline | None = None
    window: Burst | None = None


@dataclass(frozen=True, slots=True)
class OrderText:
    """In which order devices go; `seed` replaces the one made of plan and release."""

    by: Order = Order.HASH
    seed: Text | None = None
    sticky: bool = False
    spread: tuple[Text, ...] = ()
    late_joiners: LateJoiners = LateJoiners.IGNORE


@dataclass(frozen=True, slots=True)
class LabelLimit:
    """At most so many devices in flight of one value of a label."""

    label: Text
    limit: int


@dataclass(frozen=True, slots=True)
class Controls:
    """What steers the rollout as a whole."""

    schedule: Schedule = field(default_factory=Schedule)
    max_parallel_per: tuple[LabelLimit, ...] = ()
    rate: Rate | None = None
    budget: Budget = field(default_factory=Budget)
    approval: Approval | None = None
    requires: tuple[Requirement, ...] = ()
    priority: int = PRIORITY_DEFAULT
    on_conflict: OnConflict = OnConflict.QUEUE
    hooks: tuple[Hook, ...] = ()
    windows_where: Where | None = None
    deadline_where: Where | None = None
    requires_where: Where | None = None


@dataclass(frozen=True, slots=True)
class ProbeText:
    """What a gate asks, with its templates; the fields of its kind are set."""

    kind: ProbeKind
    check: Text | None = None
    url: Text | None = None
    value: str | None = None
    argv: tuple[Text, ...] = ()
    host: Text | None = None
    port: int = 0
    query: Text | None = None
    label: str = ""
    stat: str = ""
    plugin: str = ""
    options: tuple[tuple[str, Text], ...] = ()

    @property
    def texts(self) -> tuple[Text, ...]:
        """All texts that may hold templates."""
        options = (text for _, text in self.options)
        every = (self.check, self.url, *self.argv, self.host, self.query, *options)
        return tuple(text for text in every if text is not None)


@dataclass(frozen=True, slots=True)
class GateText:
    """A gate as written, its conditions checked."""

    name: str
    where: Where
    stage: Stage
    probe: ProbeText
    success_when: Text | None = None
    fail_when: Text | None = None
    compare: Compare | None = None
    compare_where: Where | None = None
    waves: tuple[Text, ...] = ()
    count: int | None = None
    interval_s: float = 10.0
    initial_delay_s: float = 0.0
    timeout_s: float = 30.0
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = 4
    consecutive_success_limit: int | None = None
    on_no_data: OnNoData = OnNoData.INCONCLUSIVE
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class TimeoutTexts:
    """Deadlines as written, in seconds; `confirm_s` and `lost_after_s` None: computed (R17)."""

    connect_s: float = 10.0
    transfer_s: float = 1800.0
    install_s: float = 600.0
    reboot_s: float = 300.0
    lost_after_s: float | None = None
    drain_s: float = 900.0
    confirm_s: float | None = None
    lost_after_where: Where | None = None
    confirm_where: Where | None = None


@dataclass(frozen=True, slots=True)
class Offline:
    """What happens to devices that do not answer; the share None: 0 first, 20 % later."""

    policy: OfflinePolicy = OfflinePolicy.DEFER
    for_s: float = OFFLINE_FOR_S_DEFAULT
    max_unreachable_share: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked plan. `warnings` are findings that refuse nothing."""

    file: str
    where: Where
    name: str
    hosts: Text
    artifact: Text
    waves: tuple[Wave, ...]
    release: Text | None = None
    variables: Mapping[str, object] = field(default_factory=dict)
    component: str = COMPONENT_DEFAULT
    become: str | None = None
    limits: Limits = Limits()
    order: OrderText = OrderText()
    controls: Controls = field(default_factory=Controls)
    offline: Offline = Offline()
    timeouts: TimeoutTexts = TimeoutTexts()
    retries: Retries = field(default_factory=Retries)
    rollback: Rollback = field(default_factory=Rollback)
    gates: tuple[GateText, ...] = ()
    on_failure: OnFailure = OnFailure.HALT
    warnings: tuple[Diagnostic, ...] = ()
