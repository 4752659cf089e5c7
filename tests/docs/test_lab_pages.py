"""docs/tutorial.md, docs/how-to/from-ansible.md and docs/how-to/stuck-device.md, on one lab.

The tutorial is walked once; the other pages go on with its project and its devices, in any order.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.device.reason import CLASS_OF, FailureClass, Reason
from tests.docs.test_references import first_cells
from tests.pages import DOCS, Reader, steps

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
TUTORIAL = steps("tutorial.md")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, rollout_program: Path) -> Iterator[Path]:
    """The project that the tutorial leaves, before it takes the lab down."""
    reader = Reader(tmp_path_factory.mktemp("tutorial"), rollout_program)
    killable = tmp_path_factory.mktemp("killable")  # a process of its own, where it is killed
    (killable / "rollout").write_text(f'#!/bin/sh\nexec {sys.executable} -m orchestrator "$@"\n')
    (killable / "rollout").chmod(0o755)
    *blocks, down = TUTORIAL
    try:
        for step in blocks:
            reader.programs = killable if "kill -9" in step.script else rollout_program
            reader.follow(step)
        yield reader.place
    finally:
        reader.programs = rollout_program
        reader.follow(down)


def test_tutorial_leaves_a_report(fleet: Path) -> None:
    report = (fleet / "report.html").read_text()

    assert "app-1.0" in report
    assert "lab-04" in report


@pytest.mark.parametrize("page", ["how-to/from-ansible.md", "how-to/stuck-device.md"])
def test_page_goes_on_with_that_fleet(page: str, fleet: Path, rollout_program: Path) -> None:
    reader = Reader(fleet, rollout_program)

    for step in steps(page):
        reader.follow(step)


def test_every_reason_has_its_remedy() -> None:
    """But those that need none, and those of one class, which share a row."""
    table = (DOCS / "how-to/stuck-device.md").read_text().partition("## Every reason")[2]
    told = set(re.findall(r"`(\w+)`", "".join(first_cells(table.partition("\n## ")[0]))))
    of_trust = {str(reason) for reason, group in CLASS_OF.items() if group is FailureClass.TRUST}

    assert "trust" in told
    assert told - {"trust"} <= set(Reason)
    assert set(Reason) - told - of_trust == {"ok", "unchanged"}
