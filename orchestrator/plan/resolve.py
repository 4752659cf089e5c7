"""A plan, its devices and its artifact to a `ResolvedPlan`: every choice is made here.

Laws:
1. The same inputs give the same resolved plan, byte for byte, on every machine.
2. A device that cannot take part is left out with its reason (R1); one that does not answer
   keeps its place (R7); one that is at the target already keeps it too (R6 counts it out).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from orchestrator.device.model import Device, DeviceId
from orchestrator.errors import Diagnostic, PlanError
from orchestrator.plan.confirm import timeouts_of
from orchestrator.plan.dead_man import lone_dead_men
from orchestrator.plan.eligible import eligible_devices, planned_device
from orchestrator.plan.fit import check_fleet
from orchestrator.plan.missing_checks import missing_checks
from orchestrator.plan.model import GateText, Plan, Text
from orchestrator.plan.powered import Fleet, check_power, weak_rehearsals
from orchestrator.plan.render_text import plan_variables, refused, rendered, resolved_probes
from orchestrator.plan.resolve_waves import Findings, Ranks, resolve_waves
from orchestrator.plan.resolved import Gate, PlannedArtifact, ResolvedPlan, Risk, Skipped
from orchestrator.plan.survey import Surveyed

RELEASE_CHARS_MAX = 200


def resolve_plan(  # noqa: PLR0913  each is an input of the digest in its own right
    plan: Plan,
    *,
    devices: Sequence[Device],
    artifact: PlannedArtifact,
    survey: Mapping[DeviceId, Surveyed] | None,
    claims: Mapping[str, Sequence[DeviceId]],
    held: Mapping[DeviceId, str] | None = None,
    set_vars: Mapping[str, str],
    plan_sha256: str,
    inventory_sha256: str,
    now: float,
    tool_version: str,
) -> ResolvedPlan:
    """Everything a rollout of this plan needs. Cost: 100 000 devices in about a second.

    Args:
        plan: the checked plan.
        devices: what its `hosts` select, in inventory order.
        artifact: what its `artifact` is.
        survey: what the devices answered; None where they were not asked (`--offline`).
        claims: what the `hosts` of waves that have their own select, by name of the wave.
        held: devices that are not to be tried again, and why.
        set_vars: variables from the command line (`-e`).
        plan_sha256: digest of the plan file's bytes.
        inventory_sha256: digest of everything the inventory was read from.
        now: UTC seconds, recorded; a ticket that is over releases nothing.
        tool_version: version of this program, only recorded.

    Raises:
        PlanError: no device is eligible, or a variable is missing; has every finding.
    """
    eligible, skipped = eligible_devices(devices, artifact, survey or {}, held or {}, now)
    if not eligible:
        raise _nobody(plan, skipped)
    problems: list[Diagnostic] = []
    variables = plan_variables(plan, set_vars)
    release = _release(plan, variables, artifact, problems)
    seed = _seed(plan, variables, release, problems)
    gates = _gates(plan, variables, eligible, problems)
    names = frozenset(device.id for device in devices)
    ranks = Ranks(seed, artifact.ticket)
    waves, risks = resolve_waves(plan, eligible, claims, ranks, Findings(problems, names))
    risks += check_fleet(plan, eligible, problems)
    risks += missing_checks(gates, eligible, survey or {})
    risks += lone_dead_men(eligible, survey or {})
    spread = tuple(label.text for label in plan.order.spread)
    planned = {
        name: planned_device(device, survey or {}, plan.controls.schedule)
        for name, device in eligible.items()
    }
    fleet = Fleet(planned, artifact.manifest_sha256, spread, surveyed=survey is not None)
    problems += check_power(plan, gates, waves, fleet)
    risks += weak_rehearsals(plan, gates, waves, fleet)
    if problems:
        raise refused(plan, problems)
    order, controls = plan.order, plan.controls
    return ResolvedPlan(
        name=plan.name,
        release=release,
        plan_file=plan.file,
        plan_sha256=plan_sha256,
        inventory_sha256=inventory_sha256,
        made_at=now,
        tool_version=tool_version,
        seed=seed,
        surveyed=survey is not None,
        artifact=artifact,
        waves=waves,
        devices=planned,
        skipped=skipped,
        gates=gates,
        timeouts=timeouts_of(plan.timeouts, plan.gates),
        retries=plan.retries,
        rollback=plan.rollback,
        on_failure=plan.on_failure,
        offline=plan.offline.policy,
        offline_for_s=plan.offline.for_s,
        order=order.by,
        sticky=order.sticky,
        spread=spread,
        late_joiners=order.late_joiners,
        schedule=controls.schedule,
        max_parallel_per={each.label.text: each.limit for each in controls.max_parallel_per},
        rate=controls.rate,
        budget=controls.budget,
        approval=controls.approval,
        requires=controls.requires,
        priority=controls.priority,
        on_conflict=controls.on_conflict,
        hooks=controls.hooks,
        component=plan.component,
        become=plan.become,
        risks=(*(_risk(found) for found in plan.warnings), *risks),
    )


def _nobody(plan: Plan, skipped: Sequence[Skipped]) -> PlanError:
    where = plan.hosts.where
    if not skipped:
        message = f"`{plan.hosts.text}` selects no device"
        hint = "look with `rollout hosts PATTERN` what the inventory has"
        return PlanError(message, hint=hint, where=where, code="P209")
    counts = Counter(str(each.reason) for each in skipped)
    causes = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    if len(counts) == 1 and skipped[0].detail:
        causes += f" (`{skipped[0].device}`: {skipped[0].detail})"
    message = f"no device of `{plan.hosts.text}` can take part"
    return PlanError(message, hint=f"left out: {causes}", where=where, code="P209")


# -- texts and limits -----------------------------------------------------------------------------


def _release(
    plan: Plan,
    variables: Mapping[str, object],
    artifact: PlannedArtifact,
    problems: list[Diagnostic],
) -> str:
    if plan.release is None:
        return artifact.name
    try:
        release = rendered(plan.release, variables)
    except PlanError as error:
        problems.extend(error.diagnostics)
        return ""
    if len(release) > RELEASE_CHARS_MAX:
        message = f"`release` is longer than {RELEASE_CHARS_MAX} characters"
        problems.append(Diagnostic(plan.release.where, "P210", message))
    return release


def _seed(
    plan: Plan, variables: Mapping[str, object], release: str, problems: list[Diagnostic]
) -> str:
    """What the order is made of (R3): as given, of the plan alone, or of plan and release."""
    if plan.order.seed is None:
        return plan.name if plan.order.sticky else f"{plan.name}:{release}"
    try:
        return rendered(plan.order.seed, variables)
    except PlanError as error:
        problems.extend(error.diagnostics)
        return ""


def _gates(
    plan: Plan,
    variables: Mapping[str, object],
    devices: Mapping[DeviceId, Device],
    problems: list[Diagnostic],
) -> tuple[Gate, ...]:
    gates = []
    for gate in plan.gates:
        try:
            gates.append(_gate(gate, variables, devices))
        except PlanError as error:
            problems.extend(error.diagnostics)
    return tuple(gates)


def _gate(
    gate: GateText, variables: Mapping[str, object], devices: Mapping[DeviceId, Device]
) -> Gate:
    probe, probes = resolved_probes(gate, variables, devices)
    return Gate(
        name=gate.name,
        stage=gate.stage,
        probe=probe,
        probes=probes,
        success_when=_text(gate.success_when),
        fail_when=_text(gate.fail_when),
        compare=gate.compare,
        count=gate.count or 1,
        interval_s=gate.interval_s,
        initial_delay_s=gate.initial_delay_s,
        timeout_s=gate.timeout_s,
        failure_limit=gate.failure_limit,
        inconclusive_limit=gate.inconclusive_limit,
        consecutive_error_limit=gate.consecutive_error_limit,
        consecutive_success_limit=gate.consecutive_success_limit,
        on_no_data=gate.on_no_data,
        waves=tuple(text.text for text in gate.waves),
        dry_run=gate.dry_run,
    )


def _text(text: Text | None) -> str | None:
    return None if text is None else text.text


def _risk(found: Diagnostic) -> Risk:
    return Risk(found.code, found.message, found.where.line)
