"""What a plan means, beyond its form: gates that cannot speak, limits that contradict, risks.

Source: rollout-rules R9 ("Limits under which a gate could pass without a majority, never fail or
never pass are plan errors"), R16, R17.
"""

from __future__ import annotations

from orchestrator.plan.confirm import confirm_s, needed_s
from orchestrator.plan.model import GateText, Plan
from orchestrator.plan.reader import Reader
from orchestrator.plan.resolved import Stage
from orchestrator.units import format_duration

LONG_CONFIRM_S = 3600.0  # a device that lost its network stays away this long


def lint_gate(reader: Reader, gate: GateText) -> None:
    """Notes limits under which a gate could not do its work."""
    if gate.success_when and gate.fail_when and gate.success_when.text == gate.fail_when.text:
        message = f"gate `{gate.name}` never passes: both conditions are the same"
        reader.error(gate.fail_when.where, "P204", message, "keep one of the two")
    bad_count = gate.failure_limit + gate.inconclusive_limit
    if gate.consecutive_success_limit is not None:
        _lint_consecutive(reader, gate, gate.consecutive_success_limit, bad_count)
        return
    if gate.stage is Stage.BACKGROUND:  # measured again and again until the rollout ends
        return
    count = gate.count or 1
    if gate.failure_limit >= count:
        message = (
            f"gate `{gate.name}` never fails: {_samples(count)}, "
            f"of which {gate.failure_limit} may fail"
        )
        hint = f"set `failure_limit` below `count`, or `count` to {2 * gate.failure_limit + 1}"
        reader.error(gate.where, "P205", message, hint)
    elif 2 * bad_count >= count:
        message = (
            f"gate `{gate.name}` could end without a majority: {_samples(count)}, "
            f"of which {bad_count} may be bad"
        )
        hint = f"`count` of at least {2 * bad_count + 1}"
        reader.error(gate.where, "P206", message, hint)


def _lint_consecutive(reader: Reader, gate: GateText, wanted: int, bad_count: int) -> None:
    if gate.count is not None and gate.count < wanted:
        message = f"gate `{gate.name}` never passes: `count` {gate.count} is less than "
        message += f"`consecutive_success_limit` {wanted}"
        reader.error(gate.where, "P204", message, "remove `count`")
    if wanted <= bad_count:
        message = f"gate `{gate.name}` could pass without a majority: {wanted} in a row are "
        message += f"enough, {bad_count} may be bad"
        hint = f"`consecutive_success_limit` of at least {bad_count + 1}"
        reader.error(gate.where, "P206", message, hint)


def _samples(count: int) -> str:
    return "it takes one sample" if count == 1 else f"it takes {count} samples"


def lint_plan(reader: Reader, plan: Plan) -> None:
    """Notes what the parts of a plan mean together."""
    _lint_confirm(reader, plan)
    _lint_deadlines(reader, plan)
    limits = [plan.limits, *(wave.limits for wave in plan.waves)]
    if any(limit.slow_start is False for limit in limits):
        message = "without slow start a bad release reaches `max_parallel` devices at once"
        reader.warn(plan.where, "P903", message, "remove `slow_start: false`")


def _lint_deadlines(reader: Reader, plan: Plan) -> None:
    """Notes deadlines that soaks alone take longer than."""
    soaks_s = []
    for wave in plan.waves:
        soak_s = wave.limits.soak_s
        soaks_s.append((plan.limits.soak_s or 0.0) if soak_s is None else soak_s)
        if wave.deadline is not None and wave.deadline.after_s <= soaks_s[-1]:
            message = f"wave `{wave.name}` is never over in time: its soak takes "
            message += f"{format_duration(soaks_s[-1])}, its deadline is "
            message += format_duration(wave.deadline.after_s)
            reader.error(
                wave.where, "P221", message, "make the deadline longer, or the soak shorter"
            )
    limit_s = plan.controls.schedule.deadline_s
    if limit_s is not None and limit_s <= sum(soaks_s):
        message = "the rollout is never over in time: its soaks take "
        message += f"{format_duration(sum(soaks_s))}, its deadline is {format_duration(limit_s)}"
        where = plan.controls.deadline_where or plan.where
        reader.error(where, "P221", message, "make the deadline longer, or the soaks shorter")


def lint_evidence(reader: Reader, plan: Plan) -> None:
    """Warns where no gate decides."""
    if any(not gate.dry_run for gate in plan.gates):
        return
    what = "all gates are dry runs" if plan.gates else "the plan has no gates"
    message = f"{what}: only installing and reading back decide"
    hint = "add a gate, as `{name: healthy, check: NAME, success_when: result.exit == 0}`"
    reader.warn(plan.where, "P901", message, hint)


def _lint_confirm(reader: Reader, plan: Plan) -> None:
    times = plan.timeouts
    least_s = needed_s(times, plan.gates)
    where = times.confirm_where or plan.where
    if times.confirm_s is not None and times.confirm_s < least_s:
        message = f"`confirm` of {format_duration(times.confirm_s)} is shorter than a device may "
        message += f"need: {format_duration(least_s)}"
        reader.error(where, "P207", message, "remove it; it is computed from the other limits")
        return
    used_s = confirm_s(times, plan.gates)
    if used_s > LONG_CONFIRM_S:
        message = "a device that cannot prove itself goes back only after "
        message += format_duration(used_s)
        hint = "lower the `timeout` or the limits of the gates of stage `device`"
        reader.warn(where, "P905", message, hint)
    if times.lost_after_s is not None and times.lost_after_s < used_s:
        message = f"`lost_after` of {format_duration(times.lost_after_s)} gives a device up "
        message += f"before it may go back by itself ({format_duration(used_s)})"
        reader.warn(times.lost_after_where or plan.where, "P906", message, "make it longer")
