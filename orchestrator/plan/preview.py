"""What would happen, as data: a preview is a pure function of the resolved plan.

Source: rollout-rules R6 (allowed failures), R16 (what a release that breaks everything costs),
R17 (until when devices can go back), "Honest statistics" (what a wave can prove).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.budget import allowed_failures, allowed_in_all, allowed_unreachable
from orchestrator.plan.calendar import device_needs_s
from orchestrator.plan.earliest import Starts, gates_s
from orchestrator.plan.first_wave import narrow_canary
from orchestrator.plan.joiners import target_set_digest
from orchestrator.plan.jumps import version_jumps
from orchestrator.plan.pace import pace_s
from orchestrator.plan.resolved import (
    Approval,
    Burst,
    Covered,
    DeadlineAction,
    ResolvedPlan,
    ResolvedWave,
    Risk,
    Stage,
)
from orchestrator.plan.schedule import ZONE_OF_DEVICE
from orchestrator.plan.statistics import upper_bound
from orchestrator.plan.ticket_fit import WaveOpening, wave_openings
from orchestrator.plan.ticks import rarely_asked
from orchestrator.plan.times_fit import WaveTimes, misfits
from orchestrator.plan.trust_groups import TrustGroup, root_risks, trust_groups
from orchestrator.plan.untried import untried_waves

UTC_ZONE = "UTC"


@dataclass(frozen=True, slots=True)
class GatePreview:
    """A gate as it applies to a wave."""

    name: str
    stage: Stage
    dry_run: bool


@dataclass(frozen=True, slots=True)
class WavePreview:
    """Facts of one wave.

    `worst_case_count`: devices that a release breaking everything reaches in this wave (R16), the
    limits of bursts and of the whole rollout considered.
    `upper_bound`: failure rate excluded with 95 % confidence when no device of it fails.
    `current`: artifact names with their number of devices, most first; None where the device was
    not asked or did not answer, "" where it has nothing of ours.
    `earliest_end_s`: seconds after the start before which this wave cannot end, from soaks, gates,
    rate, windows, freezes and the `open` lines of the ticket alone; `openings` are these lines. `final_count`: devices that cannot go back once the wave has passed, which is
    after `earliest_end_s` (R17). `notes` say why it has these devices and so many.
    """

    name: str
    size_text: str
    devices: tuple[DeviceId, ...]
    cumulative_count: int
    cumulative_share: Fraction
    unchanged_count: int
    unknown_count: int
    allowed_failures_count: int
    allowed_unreachable_count: int
    worst_case_count: int
    slow_start: bool
    max_parallel: int
    upper_bound: float
    soak_s: float
    earliest_end_s: float
    gates: tuple[GatePreview, ...]
    current: tuple[tuple[str | None, int], ...]
    final_count: int
    notes: tuple[str, ...]
    hosts: str
    capped: bool
    covered: tuple[Covered, ...]
    backfill_limit: int
    window: Burst | None
    approval: Approval | None
    deadline_s: float | None
    deadline_action: DeadlineAction
    openings: tuple[WaveOpening, ...]

    @property
    def devices_count(self) -> int:
        """Devices in this wave."""
        return len(self.devices)


@dataclass(frozen=True, slots=True)
class Preview:
    """Facts of a rollout before it starts. `skipped`: reasons with their number of devices.

    `budget_count`: failures that the whole rollout may have, None without a limit. `needs_s`:
    what changing one device may take by its timeouts, which windows with `must_finish` must hold.
    `starts_at`: UTC seconds when the first device may start, seen from when the plan was made; None
    where it may at once. `trust`: what devices hold releases against, most devices first. `zone`: the one in which the plan's windows are, UTC where they have none
    or several. `transfer_bytes` are sent at most, `least_bytes` where the `difference_count` devices that run what a
    difference starts from take that; whether they do is theirs to say. `risks` are all that a reader is warned of, those of the plan itself first.
    """

    plan: ResolvedPlan
    waves: tuple[WavePreview, ...]
    devices_count: int
    update_count: int
    unchanged_count: int
    unknown_count: int
    skipped: tuple[tuple[Reason, int], ...]
    transfer_bytes: int
    least_bytes: int
    difference_count: int
    earliest_end_s: float
    confirm_s: float
    needs_s: float
    starts_at: float | None
    budget_count: int | None
    target_set_sha256: str
    zone: str
    trust: tuple[TrustGroup, ...]
    risks: tuple[Risk, ...]

    @property
    def earliest_end_at(self) -> float:
        """Before when it cannot end that is started when the plan was made; UTC seconds."""
        starts_at = self.plan.made_at if self.starts_at is None else self.starts_at
        return starts_at + self.earliest_end_s

    @property
    def unsigned_count(self) -> int:
        """Devices that answered and whose proofs nobody will sign."""
        answered = [each for each in self.plan.devices.values() if each.current is not None]
        return sum(not device.signs for device in answered)

    @property
    def has_changes(self) -> bool:
        """Whether applying would change any device."""
        return self.update_count > 0


def preview(
    plan: ResolvedPlan, *, tick_s: float | None = None, saves: Mapping[str, int] | None = None
) -> Preview:
    """The facts that a reader needs to say yes or no.

    Args:
        plan: what would be done.
        tick_s: how often an engine comes while the rollout waits; None where nobody said.
        saves: bytes that a difference saves to a device, by the manifest of what it runs.
    """
    waves: list[WavePreview] = []
    starts = Starts(plan)
    starts_at = starts.first_at()
    begin = _Begin(0, 0.0, plan.made_at if starts_at is None else starts_at)
    times: list[WaveTimes] = []
    for wave in plan.waves:
        facts = _wave(plan, wave, begin, starts)
        ends_at = begin.rollout_at + facts.earliest_end_s
        times.append(WaveTimes(wave.name, begin.at, ends_at, wave.deadline_s, facts.openings))
        begin = replace(begin, devices_count=facts.cumulative_count, after_s=facts.earliest_end_s)
        waves.append(facts)
    trust = trust_groups(plan)
    unchanged_count = sum(wave.unchanged_count for wave in waves)
    update_count = len(plan.devices) - unchanged_count
    transfer_bytes = update_count * plan.artifact.transfer_bytes
    running = [device.current_manifest for device in plan.devices.values()]
    saved = [saves[manifest] for manifest in running if manifest and saves and manifest in saves]
    return Preview(
        plan=plan,
        waves=tuple(waves),
        devices_count=len(plan.devices),
        update_count=update_count,
        unchanged_count=unchanged_count,
        unknown_count=sum(wave.unknown_count for wave in waves),
        skipped=tuple(Counter(each.reason for each in plan.skipped).most_common()),
        transfer_bytes=transfer_bytes,
        least_bytes=transfer_bytes - sum(saved),
        difference_count=len(saved),
        earliest_end_s=begin.after_s,
        confirm_s=plan.timeouts.confirm_s,
        needs_s=device_needs_s(plan.timeouts, plan.schedule),
        starts_at=starts_at,
        budget_count=allowed_in_all(plan.budget, len(plan.devices)),
        target_set_sha256=target_set_digest(plan),
        zone=_zone(plan),
        trust=trust,
        risks=(
            *(Risk("", text) for text in plan.warnings),
            *plan.risks,
            *narrow_canary(plan),
            *version_jumps(plan),
            *untried_waves(plan),
            *rarely_asked(plan, tick_s),
            *root_risks(plan, trust),
            *misfits(plan, starts_at, times),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Begin:
    """What comes before a wave: devices, and the least time after the rollout's start."""

    devices_count: int
    after_s: float
    rollout_at: float

    @property
    def at(self) -> float:
        return self.rollout_at + self.after_s


def _zone(plan: ResolvedPlan) -> str:
    zones = {window.timezone for window in plan.schedule.windows}
    return zones.pop() if len(zones) == 1 and ZONE_OF_DEVICE not in zones else UTC_ZONE


def worst_case(
    wave: ResolvedWave, base_count: int, allowed_count: int, other_count: int | None = None
) -> int:
    """Devices that a release which breaks all of them reaches before it is stopped (R16).

    Args:
        wave: its slow start and parallelism.
        base_count: devices to update.
        allowed_count: failures that the wave may have.
        other_count: failures at which something else stops it: a burst, the rollout's budget.
    """
    stop_count = allowed_count if other_count is None else min(allowed_count, other_count)
    reached_count = stop_count + wave.max_parallel
    if wave.slow_start:  # in flight and counted together are never more
        reached_count = min(reached_count, allowed_count + 1)
    return min(base_count, reached_count)


def _wave(plan: ResolvedPlan, wave: ResolvedWave, begin: _Begin, starts: Starts) -> WavePreview:
    cumulative_count = begin.devices_count + len(wave.devices)
    members = [plan.devices[device] for device in wave.devices]
    target = plan.artifact.manifest_sha256
    unchanged_count = sum(device.current_manifest == target for device in members)
    base_count = len(members) - unchanged_count
    allowed_count = allowed_failures(wave, base_count)
    current = Counter(device.current for device in members)
    others = [burst.failures for burst in (wave.window, plan.budget.window) if burst is not None]
    in_rollout_count = allowed_in_all(plan.budget, len(plan.devices))
    others += [] if in_rollout_count is None else [in_rollout_count]
    paced_s = pace_s(plan.rate, cumulative_count) - pace_s(
        plan.rate, cumulative_count - len(members)
    )
    gates = tuple(gate for gate in plan.gates if not gate.waves or wave.name in gate.waves)
    openings = wave_openings(plan, wave, begin.at)
    line_at = max((one.opens_at for one in openings if one.opens_at is not None), default=0.0)
    started_at = starts.last_at(wave.devices, max(begin.at, line_at), paced_s)
    return WavePreview(
        name=wave.name,
        size_text=wave.size_text,
        devices=wave.devices,
        cumulative_count=cumulative_count,
        cumulative_share=Fraction(cumulative_count, len(plan.devices)),
        unchanged_count=unchanged_count,
        unknown_count=sum(device.current is None for device in members),
        allowed_failures_count=allowed_count,
        allowed_unreachable_count=allowed_unreachable(wave, base_count),
        worst_case_count=worst_case(wave, base_count, allowed_count, min(others, default=None)),
        slow_start=wave.slow_start,
        max_parallel=wave.max_parallel,
        upper_bound=upper_bound(base_count),
        soak_s=wave.soak_s,
        earliest_end_s=started_at - begin.rollout_at + wave.soak_s + gates_s(gates),
        gates=tuple(GatePreview(gate.name, gate.stage, gate.dry_run) for gate in gates),
        current=tuple(current.most_common()),
        final_count=sum(not device.keeps_previous for device in members),
        notes=wave.notes,
        hosts=wave.hosts,
        capped=wave.capped,
        covered=wave.covered,
        backfill_limit=wave.backfill_limit,
        window=wave.window,
        approval=wave.approval,
        deadline_s=wave.deadline_s,
        deadline_action=wave.deadline_action,
        openings=openings,
    )
