"""The fleet as rows for a spreadsheet: one line a device, below a line of names.

Law: what devices and inventories say is text there, and never a formula: a cell that a spreadsheet
would calculate begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

from orchestrator.render.fleet import (
    FleetFacts,
    held_words,
    trouble_words,
    value_of,
    why_words,
)
from orchestrator.render.text import escape
from orchestrator.rollout.drift import FleetDevice

CELL_CELLS_MAX = 1000
# what makes a spreadsheet calculate, also in the wide forms that some of them read alike
FORMULA_BEGINS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
COLUMNS = (
    "device", "group", "version", "manifest", "seen_at", "seen_by", "hardware", "site",
    "left_by", "left_version", "left_at", "drift", "why", "held", "quarantined", "unconfirmed",
    "helper", "old_helper", "trouble",
)  # fmt: skip


def csv_text(facts: FleetFacts, by: str) -> str:
    """The devices as CSV (RFC 4180, but for lines that end as everywhere here)."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([_cell(value) for value in _row(device, by)] for device in facts.devices)
    return written.getvalue()


def _row(device: FleetDevice, by: str) -> tuple[str, ...]:
    seen, left = device.seen, device.left
    return (
        device.id,
        value_of(device, by),
        device.version or "",
        "" if seen is None else seen.manifest,
        "" if seen is None else _time(seen.at),
        "" if seen is None else seen.by.value,
        device.hardware,
        device.labels.get("site", ""),
        "" if left is None else left.rollout_id,
        "" if left is None else left.artifact,
        "" if left is None else _time(left.at),
        device.judged.drift.value,
        why_words(device),
        held_words(device),
        _flag(device.is_quarantined),
        _flag(device.is_unconfirmed),
        "" if seen is None else seen.helper,
        _flag(device.has_old_helper),
        trouble_words(device),
    )


def _cell(text: str) -> str:
    shown = escape(text, limit=CELL_CELLS_MAX)
    return f"'{shown}" if shown.lstrip().startswith(FORMULA_BEGINS) else shown


def _flag(value: bool) -> str:
    return "yes" if value else "no"


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
