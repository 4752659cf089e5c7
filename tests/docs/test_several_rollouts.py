"""docs/how-to/several-rollouts.md: its plans load and run, and its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.plan.controls import OnConflict, RequirePer
from orchestrator.plan.parse import parse_plan

PAGE = (Path(__file__).parents[2] / "docs/how-to/several-rollouts.md").read_text(encoding="utf-8")
PLANS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", PLANS)
def test_plan_of_the_page_loads(text: str) -> None:
    assert parse_plan(text.encode(), file="page.yml").name in ("hotfix", "modem")


def test_every_policy_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE)

    assert rows == ["on_conflict", *(str(one) for one in OnConflict)]
    assert all(f"`per: {one}`" in PAGE for one in RequirePer if one is not RequirePer.DEVICE)
