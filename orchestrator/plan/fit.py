"""Whether a plan fits the devices it selects: labels that it counts by, zones, windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.device.model import Device, DeviceId
from orchestrator.errors import Diagnostic, Where
from orchestrator.plan.calendar import device_needs_s
from orchestrator.plan.confirm import timeouts_of
from orchestrator.plan.model import Plan, Text
from orchestrator.plan.resolved import RequirePer, Risk
from orchestrator.plan.zones import zone_problems
from orchestrator.source.suggest import did_you_mean
from orchestrator.units import format_duration

SITE_LABEL = RequirePer.SITE.value  # `requires: [{per: site}]` means devices of one such value


def check_fleet(
    plan: Plan, eligible: Mapping[DeviceId, Device], problems: list[Diagnostic]
) -> list[Risk]:
    """Notes what these devices lack for this plan; returns risks. Cost: linear in devices."""
    risks = []
    for key, label in _labels(plan):
        missing = [device for device, each in eligible.items() if label.text not in each.labels]
        if len(missing) == len(eligible):
            problems.append(_no_such_label(key, label, eligible))
        elif missing:
            risks.append(_some_without(key, label, missing))
    problems += _windows(plan)
    problems += [
        Diagnostic(_where(plan), "P217", problem, "labels are variables of the inventory")
        for problem in zone_problems(plan.controls.schedule, eligible.values())
    ]
    return risks


def _labels(plan: Plan) -> Iterator[tuple[str, Text]]:
    """The labels that the plan counts devices by, each with the key that names it."""
    covers = [plan.limits.cover or (), *(wave.limits.cover or () for wave in plan.waves)]
    pairs = [("spread", label) for label in plan.order.spread]
    pairs += [("cover", label) for cover in covers for label in cover]
    pairs += [("max_parallel_per", each.label) for each in plan.controls.max_parallel_per]
    if any(each.per is RequirePer.SITE for each in plan.controls.requires):
        pairs.append(("requires", Text(SITE_LABEL, plan.controls.requires_where or plan.where)))
    seen: set[tuple[str, str]] = set()
    for key, label in pairs:
        if (key, label.text) not in seen:
            seen.add((key, label.text))
            yield key, label


def _no_such_label(key: str, label: Text, eligible: Mapping[DeviceId, Device]) -> Diagnostic:
    known = sorted({name for device in eligible.values() for name in device.labels})
    message = f"`{key}`: no device has the label `{label.text}`{did_you_mean(label.text, known)}"
    hint = "labels are the variables of the inventory that hold one value"
    return Diagnostic(label.where, "P215", message, hint)


def _some_without(key: str, label: Text, missing: list[DeviceId]) -> Risk:
    count = "1 device is" if len(missing) == 1 else f"{len(missing)} devices are"
    what = "nothing of theirs is covered" if key == "cover" else "they count as one group"
    message = f"`{key}`: {count} without the label `{label.text}`, as `{missing[0]}`; {what}"
    return Risk("P924", message, label.where.line)


def _where(plan: Plan) -> Where:
    return plan.controls.windows_where or plan.where


def _windows(plan: Plan) -> Iterator[Diagnostic]:
    """Windows in which no device could ever start (R12)."""
    schedule = plan.controls.schedule
    needed_s = device_needs_s(timeouts_of(plan.timeouts, plan.gates), schedule)
    for window in schedule.windows:
        if window.must_finish and window.duration_s < needed_s:
            message = (
                f"the window of {format_duration(window.duration_s)} never lets a device start: "
            )
            message += f"one may take {format_duration(needed_s)} by its timeouts"
            hint = "make it longer, lower `timeouts`, or set `stage_outside_window: true`"
            yield Diagnostic(_where(plan), "P216", message, hint)
