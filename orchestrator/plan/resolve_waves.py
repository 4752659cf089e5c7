"""The waves of a plan with their devices and limits (rollout-rules R1, R2, R5, R7).

Law: a wave that could vanish silently is refused; any other that comes out empty is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from orchestrator.device.model import Device, DeviceId
from orchestrator.errors import Diagnostic
from orchestrator.plan.filling import Filled, WaveSpec, fill_waves
from orchestrator.plan.language import DEFAULT_UNREACHABLE_PERCENT
from orchestrator.plan.model import Limits, Plan, Wave
from orchestrator.plan.order import in_order, spread
from orchestrator.plan.resolved import Covered, DeadlineAction, PlannedTicket, ResolvedWave, Risk

MAX_PARALLEL_DEFAULT = 50
NAMES_MAX = 5  # names in a message; more are counted

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Findings:
    """Where problems go; `selected` are the devices of the plan, left out ones included."""

    problems: list[Diagnostic]
    selected: frozenset[DeviceId]


@dataclass(frozen=True, slots=True)
class Ranks:
    """What decides who goes first: the seed, and the ticket whose `open` lines devices obey (R3)."""

    seed: str
    ticket: PlannedTicket | None = None


def resolve_waves(
    plan: Plan,
    eligible: Mapping[DeviceId, Device],
    claims: Mapping[str, Sequence[DeviceId]],
    ranks: Ranks,
    findings: Findings,
) -> tuple[tuple[ResolvedWave, ...], list[Risk]]:
    """All waves that have devices, and risks; problems are noted.

    Args:
        plan: the checked plan.
        eligible: devices that take part, in the inventory's order.
        claims: what the own hosts of waves select, by name of the wave.
        ranks: what the order is made of.
        findings: told what refuses the plan.
    """
    _check_claims(plan, claims, findings)
    keys = tuple(label.text for label in plan.order.spread)

    def stratum(device: DeviceId) -> tuple[str, ...]:
        labels = eligible[device].labels
        return tuple(labels.get(key, "") for key in keys)

    def arrange(devices: Sequence[DeviceId]) -> Sequence[DeviceId]:
        return spread(devices, stratum, ranks.seed) if keys else devices

    filling = fill_waves(
        [_spec(plan, wave, claims, eligible) for wave in plan.waves],
        in_order(eligible, ranks.seed, plan.order.by, ranks.ticket),
        lambda device: eligible[device].labels,
        arrange,
    )
    if filling.left and all(wave.hosts is not None for wave in plan.waves):
        findings.problems.append(_uncovered(plan, filling.left))
    waves: list[ResolvedWave] = []
    risks: list[Risk] = []
    for index, (wave, filled) in enumerate(zip(plan.waves, filling.waves, strict=True)):
        if filled.devices:
            waves.append(_wave(plan, wave, filled, is_first=not waves))
        elif why := _must_not_vanish(wave, index):
            message = f"wave `{wave.name}` has no device"
            findings.problems.append(Diagnostic(wave.where, "P202", message, why))
        else:
            risks.append(Risk("P921", f"wave `{wave.name}` has no device left and is skipped"))
    if len(eligible) == 1:
        message = "one device only: nothing is tried before it, and it proves little"
        risks.append(Risk("P922", message))
    return tuple(waves), [*risks, *_silent_gates(plan, waves)]


def _spec(
    plan: Plan,
    wave: Wave,
    claims: Mapping[str, Sequence[DeviceId]],
    eligible: Mapping[DeviceId, Device],
) -> WaveSpec:
    cover = _first(wave.limits.cover, plan.limits.cover, ())
    claim = None
    if wave.hosts is not None:
        claim = frozenset(device for device in claims[wave.name] if device in eligible)
    return WaveSpec(wave.size, claim, tuple(label.text for label in cover))


def _check_claims(plan: Plan, claims: Mapping[str, Sequence[DeviceId]], findings: Findings) -> None:
    claimed: dict[DeviceId, str] = {}
    for wave in plan.waves:
        if wave.hosts is None:
            continue
        shared = [device for device in claims[wave.name] if device in claimed]
        if shared:
            message = f"wave `{wave.name}` claims what wave `{claimed[shared[0]]}` claims already: "
            hint = "the hosts of waves must not overlap; exclude them, as `lab:!early`"
            finding = Diagnostic(wave.hosts.where, "P213", message + _names(shared), hint)
            findings.problems.append(finding)
        outside = [device for device in claims[wave.name] if device not in findings.selected]
        if outside:
            message = f"wave `{wave.name}` claims what the plan's `hosts` do not select: "
            hint = f"widen `{plan.hosts.text}`, or narrow `{wave.hosts.text}`"
            finding = Diagnostic(wave.hosts.where, "P214", message + _names(outside), hint)
            findings.problems.append(finding)
        for device in claims[wave.name]:
            claimed.setdefault(device, wave.name)


def _names(devices: Sequence[DeviceId]) -> str:
    shown = ", ".join(f"`{device}`" for device in devices[:NAMES_MAX])
    more = len(devices) - NAMES_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def _uncovered(plan: Plan, left: Sequence[DeviceId]) -> Diagnostic:
    message = f"the waves do not cover all devices: {_names(left)} in none of them"
    hint = "every wave has `hosts` of its own; add a last wave with `size: rest`"
    return Diagnostic(plan.waves[-1].where, "P201", message, hint)


def _must_not_vanish(wave: Wave, index: int) -> str:
    """Why this wave may not be empty, as a hint; "" where it may."""
    if wave.hosts is not None:
        return f"no device of `{wave.hosts.text}` can take part; correct its `hosts`, or remove it"
    if wave.approval is not None:
        return "nobody would be asked for its approval; give it a size that leaves it devices"
    return "a plan begins with devices to learn from; make its first wave smaller" * (index == 0)


def _silent_gates(plan: Plan, waves: Sequence[ResolvedWave]) -> list[Risk]:
    names = {wave.name for wave in waves}
    return [
        Risk("P923", f"gate `{gate.name}` never speaks: its waves have no devices", gate.where.line)
        for gate in plan.gates
        if gate.waves and names.isdisjoint(text.text for text in gate.waves)
    ]


def _wave(plan: Plan, wave: Wave, filled: Filled, *, is_first: bool) -> ResolvedWave:
    limits, of_plan = wave.limits, plan.limits
    max_failures, max_fail_share = _budget(limits, of_plan)
    deadline = wave.deadline
    return ResolvedWave(
        name=wave.name,
        size_text=str(wave.size),
        devices=filled.devices,
        soak_s=_first(limits.soak_s, of_plan.soak_s, 0.0),
        max_parallel=_first(limits.max_parallel, of_plan.max_parallel, MAX_PARALLEL_DEFAULT),
        slow_start=_first(limits.slow_start, of_plan.slow_start, True),
        max_failures=max_failures,
        max_fail_share=max_fail_share,
        max_unreachable_share=_unreachable_share(plan, is_first=is_first),
        backfill_limit=_backfill_limit(plan, wave, len(filled.devices)),
        notes=_notes(wave, filled),
        hosts=wave.hosts.text if wave.hosts else "",
        capped=filled.capped,
        covered=filled.covered,
        window=wave.window,
        approval=wave.approval,
        deadline_s=None if deadline is None else deadline.after_s,
        deadline_action=DeadlineAction.HALT if deadline is None else deadline.action,
    )


def _backfill_limit(plan: Plan, wave: Wave, members_count: int) -> int:
    """R7: by devices of the waves that follow, as many as the wave is large at most."""
    if wave.hosts is not None:
        return 0
    backfill = _first(wave.limits.backfill, plan.limits.backfill, None)
    if backfill is None:
        return members_count
    limit = members_count if backfill.limit is None else min(backfill.limit, members_count)
    return limit if backfill.enabled else 0


def _notes(wave: Wave, filled: Filled) -> tuple[str, ...]:
    """Why the wave has these devices and this number of them."""
    notes = []
    if wave.hosts is not None:
        notes.append(f"claimed by its hosts `{wave.hosts.text}` before the other waves choose")
    if filled.capped:
        notes.append("one device less than its size says: the first wave is never the whole fleet")
    by_label: dict[str, list[Covered]] = {}
    for each in filled.covered:
        by_label.setdefault(each.label, []).append(each)
    for label, added in by_label.items():
        shown = ", ".join(f"`{each.value}` ({each.device})" for each in added[:NAMES_MAX])
        more = f" and {len(added) - NAMES_MAX} more" if len(added) > NAMES_MAX else ""
        notes.append(f"{len(added)} beyond its size, to cover each `{label}`: {shown}{more}")
    return tuple(notes)


def _first(own: _T | None, of_plan: _T | None, default: _T) -> _T:
    if own is not None:
        return own
    return default if of_plan is None else of_plan


def _budget(limits: Limits, of_plan: Limits) -> tuple[int | None, Fraction]:
    """Failures and share allowed; where only one is written the other does not restrict (R6)."""
    failures = _first(limits.max_failures, of_plan.max_failures, None)
    share = _first(limits.max_fail_share, of_plan.max_fail_share, None)
    if share is None:
        return failures, Fraction(0) if failures is None else Fraction(1)
    if share == 0:  # the smaller of both, in numbers: nobody has to know what 0 stands for
        return 0, share
    return failures, share


def _unreachable_share(plan: Plan, *, is_first: bool) -> Fraction:
    if plan.offline.max_unreachable_share is not None:
        return plan.offline.max_unreachable_share
    return Fraction(DEFAULT_UNREACHABLE_PERCENT[0 if is_first else 1], 100)
