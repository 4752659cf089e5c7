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
    OfflinePolicy,
    OnFailure,
    OnNoData,
    ProbeKind,
    Retries,
    Rollback,
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


@dataclass(frozen=True, slots=True)
class Wave:
    """One wave as written; `name` is `wave-N` where none is written."""

    name: str
    size: Size
    where: Where
    limits: Limits = Limits()
    size_where: Where | None = None


@dataclass(frozen=True, slots=True)
class ProbeText:
    """What a gate asks, with its templates; the fields of its kind are set."""

    kind: ProbeKind
    check: Text | None = None
    url: Text | None = None
    value: str | None = None
    argv: tuple[Text, ...] = ()

    @property
    def texts(self) -> tuple[Text, ...]:
        """All texts that may hold templates."""
        return tuple(text for text in (self.check, self.url, *self.argv) if text is not None)


@dataclass(frozen=True, slots=True)
class GateText:
    """A gate as written, its conditions checked."""

    name: str
    where: Where
    stage: Stage
    probe: ProbeText
    success_when: Text | None = None
    fail_when: Text | None = None
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
    become: str | None = None
    limits: Limits = Limits()
    offline: Offline = Offline()
    timeouts: TimeoutTexts = TimeoutTexts()
    retries: Retries = field(default_factory=Retries)
    rollback: Rollback = field(default_factory=Rollback)
    gates: tuple[GateText, ...] = ()
    on_failure: OnFailure = OnFailure.HALT
    warnings: tuple[Diagnostic, ...] = ()
