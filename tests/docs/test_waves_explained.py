"""docs/explanation/waves.md: its command is run, and every number of its tables computed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.device.bucket import bucket
from orchestrator.plan.statistics import upper_bound
from tests.in_process import empty_project, run
from tests.unit.cli.test_proposing import halted_project

PAGE = (Path(__file__).parents[2] / "docs/explanation/waves.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"^```sh\nrollout (.*)\n```\n", PAGE, re.MULTILINE)
SHOWN = re.findall(r"^```\n( wave.*?)```", PAGE, re.MULTILINE | re.DOTALL)
PLAN = """\
schema: 1
name: gateway
hosts: all
artifact: ../site.mender
waves:
  - {name: canary, size: 1, soak: 30m}
  - {name: early, size: 59, soak: 2h}
  - {name: rest, size: rest, max_fail_percentage: 5}
gates: [{name: healthy, check: app, success_when: result.exit == 0}]
"""


def rows(head: str) -> list[list[str]]:
    """The cells of the table that begins with that cell."""
    _, found, table = PAGE.partition(f"| {head} |")
    assert found
    lines = table.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def percent(share: float) -> str:
    digits = 1 if share < 0.0095 else 0
    return f"{100 * share:.{digits}f} %"


def test_preview_of_the_page_is_what_the_command_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    empty_project(tmp_path, monkeypatch)
    halted_project(tmp_path)
    for name in ("plans", "inventory"):
        (tmp_path / name).mkdir()
    (tmp_path / "plans/gateway.yml").write_text(PLAN)
    (tmp_path / "inventory/hosts.yml").write_text("gateways: {hosts: {'gw-[001:400]': }}\n")

    code, out, _ = run(capsys, BLOCK)

    assert code == 0
    assert SHOWN[0] in out


def test_what_a_wave_proves_is_computed() -> None:
    found = [(count, said) for count, said in rows("devices without a failure")]

    assert len(found) == 7
    assert all(said == percent(upper_bound(int(count))) for count, said in found)


def test_how_likely_a_wave_meets_a_failure_is_computed() -> None:
    shares = {"every second": 0.5, "1 of 10": 0.1, "1 of 100": 0.01, "1 of 1000": 0.001}
    counts = (1, 5, 59, 299)

    for name, *said in rows("breaks"):
        assert said == [percent(1 - (1 - shares[name]) ** count) for count in counts]


def test_buckets_are_those_that_devices_compute() -> None:
    for name, *said in rows("device"):
        assert said == [str(bucket(serial, name)) for serial in (41, 42)]
