"""Windows, freezes and the start of a rollout, from the nodes of a plan (rollout-rules R12)."""

from __future__ import annotations

import re
from datetime import datetime

from orchestrator.plan.language import FREEZE, WINDOW
from orchestrator.plan.model import Deadline
from orchestrator.plan.reader import Fields, Reader
from orchestrator.plan.resolved import DeadlineAction, Freeze, Schedule, Window
from orchestrator.plan.schedule import ZONE_OF_DEVICE, Day
from orchestrator.plan.zones import zone_names, zone_problem
from orchestrator.source import Node, ScalarNode

WINDOWS_MAX = 64
FREEZES_MAX = 256
WEEK_S = 7 * 86400.0
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d)?([Zz]|[+-]\d\d:\d\d)")
_INSTANT_HINT = "with day, time and zone, as `2026-12-01T01:00:00Z`"


def read_schedule(reader: Reader, fields: Fields, deadline: Deadline | None) -> Schedule:
    """Everything about time that a plan says, but the timeouts of devices."""
    staged = reader.boolean(fields.get("stage_outside_window"), "stage_outside_window") or False
    windows = _windows(reader, fields.get("windows"))
    if staged and "windows" not in fields.keys:
        message = "`stage_outside_window` means nothing without `windows`"
        reader.error(fields.key_where("stage_outside_window"), "P102", message, "remove it")
    return Schedule(
        start_at=_instant(reader, fields.get("start_at"), "start_at"),
        windows=windows,
        freezes=_freezes(reader, fields.get("freezes")),
        stage_outside_window=staged,
        deadline_s=None if deadline is None else deadline.after_s,
        deadline_action=DeadlineAction.HALT if deadline is None else deadline.action,
    )


def _windows(reader: Reader, node: Node | None) -> tuple[Window, ...]:
    items = reader.sequence(node, "windows", '[{days: [mon], start: "01:00", duration: 4h, ...}]')
    if items is None or node is None:
        return ()
    if not 0 < len(items) <= WINDOWS_MAX:
        message = f"`windows` has {len(items)} entries; it has 1 to {WINDOWS_MAX}"
        reader.error(node.where, "P104", message, "without the key it is always open")
        return ()
    found = [_window(reader, item) for item in items]
    return tuple(window for window in found if window is not None)


def _window(reader: Reader, node: Node) -> Window | None:
    before = len(reader.findings)
    fields = reader.mapping(node, WINDOW, "a window")
    if fields is None:
        return None
    duration_s = reader.duration(fields.get("duration"), "duration", positive=True)
    if duration_s is not None and duration_s > WEEK_S:
        message = "a window is no longer than a week"
        reader.error(fields.key_where("duration"), "P104", message, "remove it: then it is open")
    start = _clock(reader, fields.get("start"))
    zone = _zone(reader, fields.get("timezone"))
    window = Window(
        days=_days(reader, fields),
        start=start or "",
        duration_s=duration_s or 0.0,
        timezone=zone or "",
        must_finish=reader.boolean(fields.get("must_finish"), "must_finish") or False,
    )
    return None if reader.has_errors(before) else window


def _days(reader: Reader, fields: Fields) -> tuple[str, ...]:
    items = reader.sequence(fields.get("days"), "days", "[mon, tue]")
    if items is None:
        return tuple(str(day) for day in Day)
    if not items:
        message = "`days` is empty, so the window never opens"
        reader.error(
            fields.key_where("days"), "P104", message, "remove it: then every day is meant"
        )
    words = {reader.word(item, "days", Day) for item in items}
    return tuple(str(day) for day in Day if day in words)


def _clock(reader: Reader, node: Node | None) -> str | None:
    if node is None:
        return None
    if isinstance(node, ScalarNode) and not isinstance(node.value, str):
        message = f"`start` is a time of day, but `{node.text}` is {node.kind} in YAML"
        reader.error(node.where, "Y902", message, 'quote it, as `start: "01:00"`')
        return None
    text = reader.text(node, "start")
    if text is None:
        return None
    if not is_clock(text.text):
        message = f"`start` is a time of day, not `{text.text}`"
        reader.error(text.where, "P110", message, 'from `"00:00"` to `"23:59"`')
        return None
    return text.text


def _zone(reader: Reader, node: Node | None) -> str | None:
    text = reader.text(node, "timezone")
    if text is None:
        return None
    if text.text != ZONE_OF_DEVICE and (problem := zone_problem(text.text, zone_names())):
        hint = "as `Europe/Berlin`, `UTC`, or `device` for the zone of each device"
        reader.error(text.where, "P110", f"`timezone`: {problem}", hint)
        return None
    return text.text


def is_clock(text: str) -> bool:
    """Whether a text is a time of day, as "01:00"."""
    return bool(_CLOCK.fullmatch(text))


def _freezes(reader: Reader, node: Node | None) -> tuple[Freeze, ...]:
    items = reader.sequence(node, "freezes", "[{from: ..., to: ...}]")
    if items is None or node is None:
        return ()
    if len(items) > FREEZES_MAX:
        message = f"`freezes` has {len(items)} entries; at most {FREEZES_MAX} are read"
        reader.error(node.where, "P104", message)
        return ()
    found = [_freeze(reader, item) for item in items]
    return tuple(freeze for freeze in found if freeze is not None)


def _freeze(reader: Reader, node: Node) -> Freeze | None:
    fields = reader.mapping(node, FREEZE, "a freeze")
    if fields is None:
        return None
    from_at = _instant(reader, fields.get("from"), "from")
    to_at = _instant(reader, fields.get("to"), "to")
    reason = reader.text(fields.get("reason"), "reason")
    if from_at is None or to_at is None:
        return None
    if to_at <= from_at:
        message = "a freeze ends after it begins"
        reader.error(fields.key_where("to"), "P104", message, "exchange `from` and `to`")
        return None
    return Freeze(from_at, to_at, "" if reason is None else reason.text)


def _instant(reader: Reader, node: Node | None, key: str) -> float | None:
    """UTC seconds of a point in time with its zone."""
    text = reader.text(node, key)
    if text is None:
        return None
    if not _INSTANT.fullmatch(text.text):
        message = f"`{key}` is a point in time, not `{text.text}`"
        reader.error(text.where, "P110", message, _INSTANT_HINT)
        return None
    try:
        return datetime.fromisoformat(text.text.upper()).timestamp()
    except ValueError:
        message = f"there is no such day or time as `{text.text}`"
        reader.error(text.where, "P110", message, _INSTANT_HINT)
        return None
