"""When a rollout may move and who must agree, for people."""

from __future__ import annotations

from orchestrator.plan.preview import Preview
from orchestrator.plan.resolved import Approval, Freeze, Requirement, RequirePer, Window
from orchestrator.plan.schedule import ZONE_OF_DEVICE, Day
from orchestrator.render.limit_lines import labelled
from orchestrator.render.text import Look, escape, plural
from orchestrator.render.words import instant, instants
from orchestrator.secret_names import shown_url
from orchestrator.units import format_duration

FREEZES_MAX = 5  # more are in the JSON form


def schedule_lines(preview: Preview, look: Look) -> list[str]:
    """Start, windows, freezes, deadline, approval, requirements and hooks, where there are any."""
    plan, schedule = preview.plan, preview.plan.schedule
    lines: list[str] = []
    if plan.approval is not None:
        lines += labelled("Approval", f"starts after {approval_words(plan.approval)}", look)
    for requirement in plan.requires:
        lines += labelled("Requires", _requirement(requirement), look)
    lines += _times(preview, look)
    if schedule.deadline_s is not None:
        after = format_duration(schedule.deadline_s)
        words = f"{schedule.deadline_action}s if it is not over {after} after its start"
        lines += labelled("Deadline", words, look)
    for hook in plan.hooks:
        told = escape(shown_url(hook.http) or hook.email or " ".join(hook.command))
        events = ", ".join(event.replace("_", " ") for event in hook.events)
        lines += labelled("Tells", f"{told} when {events}", look)
    return [*lines, ""] if lines else []


def _times(preview: Preview, look: Look) -> list[str]:
    schedule = preview.plan.schedule
    lines: list[str] = []
    if schedule.start_at is not None:
        lines += labelled("Starts", f"not before {instant(schedule.start_at, preview.zone)}", look)
    for window in schedule.windows:
        lines += labelled("Window", _window(window, preview.needs_s), look)
    if preview.starts_at is not None:
        lines += labelled(
            "First", f"a device may start at {instant(preview.starts_at, preview.zone)}", look
        )
    if schedule.stage_outside_window:
        lines += labelled("Staging", "artifacts are sent at any time", look)
    for freeze in schedule.freezes[:FREEZES_MAX]:
        lines += labelled("Frozen", _freeze(freeze, preview.zone), look)
    if len(schedule.freezes) > FREEZES_MAX:
        lines += labelled("Frozen", f"{len(schedule.freezes) - FREEZES_MAX} times more", look)
    return lines


def approval_words(approval: Approval) -> str:
    """Who must agree: `2 approvals from ops or safety, not of the author, within 1d`."""
    words = plural(approval.required, "approval")
    if approval.roles:
        words += f" from {' or '.join(escape(role) for role in approval.roles)}"
    if approval.not_author:
        words += ", not of the author"
    if approval.expires_s is not None:
        words += f", within {format_duration(approval.expires_s)}"
    return words


def _requirement(requirement: Requirement) -> str:
    release = f" {escape(requirement.release)}" if requirement.release else ", any release,"
    where = {
        RequirePer.DEVICE: "on a device before it starts",
        RequirePer.SITE: "on all devices of its site before a device starts",
        RequirePer.ALL: "on all devices before the first one starts",
    }[requirement.per]
    return f"{escape(requirement.plan)}{release} {where}"


def _window(window: Window, needs_s: float) -> str:
    days = "every day" if len(window.days) == len(Day) else ", ".join(window.days)
    zone = f"({escape(window.timezone)})"
    if window.timezone == ZONE_OF_DEVICE:
        zone = "in the time zone of the device"
    words = f"{days} from {window.start} for {format_duration(window.duration_s)} {zone}"
    if window.must_finish:
        words += f"; a device starts while {format_duration(needs_s)} are left"
    return words


def _freeze(freeze: Freeze, zone: str) -> str:
    reason = f" ({escape(freeze.reason)})" if freeze.reason else ""
    start, end = instants((freeze.from_at, freeze.to_at), zone)
    return f"from {start} to {end}{reason}"
