"""docs/how-to/windows.md: each plan in it, and what the table below it says about that plan."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from orchestrator.plan.calendar import Calendar, Never
from orchestrator.plan.schedule import Freeze, Schedule, Window
from orchestrator.units import parse_duration

PAGE = (Path(__file__).parents[2] / "docs/how-to/windows.md").read_text(encoding="utf-8")
_EXAMPLE = re.compile(r"```yaml\n(windows:\n[^`]*)```\n\|.*\n\|.*\n((?:\|.*\n)+)")


def schedule(text: str) -> Schedule:
    plan = yaml.safe_load(text)
    windows = tuple(
        Window(
            tuple(each["days"]),
            each["start"],
            parse_duration(each["duration"]),
            each["timezone"],
            each.get("must_finish", False),
        )
        for each in plan["windows"]
    )
    freezes = tuple(
        Freeze(each["from"].timestamp(), each["to"].timestamp(), each["reason"])
        for each in plan.get("freezes", ())
    )
    return Schedule(windows=windows, freezes=freezes)


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


EXAMPLES = [
    (text, *(cell.strip() for cell in row.strip("|").split("|")))
    for text, table in _EXAMPLE.findall(PAGE)
    for row in table.splitlines()
]


def test_every_plan_of_the_page_has_a_table() -> None:
    assert len(_EXAMPLE.findall(PAGE)) == PAGE.count("```yaml\nwindows:")
    assert len(EXAMPLES) > 10


@pytest.mark.parametrize(("text", "now", "needs", "expected"), EXAMPLES)
def test_devices_start_when_the_page_says(text: str, now: str, needs: str, expected: str) -> None:
    opens_at = Calendar(schedule(text)).opens_at(seconds(now), parse_duration(needs))

    if expected == "never":
        assert isinstance(opens_at, Never)
    else:
        assert opens_at == seconds(expected)
