"""docs/how-to/budgets.md: what its plans allow, and which series of failures trip."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.budget import allowed_failures
from orchestrator.plan.parse import parse_plan
from orchestrator.plan.resolve import resolve_plan
from orchestrator.plan.resolved import PlannedArtifact, ResolvedPlan
from orchestrator.rollout.states import RolloutState
from orchestrator.rollout.verdict import flight_bound
from orchestrator.testing.hand import Hand
from orchestrator.units import parse_duration

PAGE = (Path(__file__).parents[2] / "docs/how-to/budgets.md").read_text(encoding="utf-8")
HEAD = "schema: 1\nname: gw\nhosts: all\nartifact: a.mender\n"
ARTIFACT = PlannedArtifact("a.mender", "gw-1", "0" * 64, "1" * 64, "directory", ("pi4",), 1, 1)
_ALLOWS = re.compile(r"```yaml\n([^`]*)```\n\| devices in the wave \|.*\n\|.*\n((?:\|.*\n)+)")
_BURSTS = re.compile(r"```yaml\n([^`]*)```\n\| failures at \|.*\n\|.*\n((?:\|.*\n)+)")


def cases(pattern: re.Pattern[str]) -> list[tuple[str, ...]]:
    return [
        (text, *(cell.strip() for cell in row.strip("|").split("|")))
        for text, table in pattern.findall(PAGE)
        for row in table.splitlines()
    ]


def resolved(text: str, count: int) -> ResolvedPlan:
    waves = "" if "waves:" in text else "waves: [rest]\n"
    devices = [Device(DeviceId(f"gw-{n}"), Address("192.0.2.1")) for n in range(count)]
    return resolve_plan(
        parse_plan((HEAD + waves + text).encode(), file="page.yml"),
        devices=devices, artifact=ARTIFACT, survey=None, claims={}, set_vars={},
        plan_sha256="0" * 64, inventory_sha256="0" * 64, now=0.0, tool_version="0",
    )  # fmt: skip


def test_the_page_has_its_tables() -> None:
    assert len(cases(_ALLOWS)) == 10
    assert len(cases(_BURSTS)) == 6


@pytest.mark.parametrize(("text", "devices", "allowed", "halts", "first"), cases(_ALLOWS))
def test_a_wave_allows_what_the_page_says(
    text: str, devices: str, allowed: str, halts: str, first: str
) -> None:
    count = int(devices)

    wave = resolved(text, count).waves[0]

    may_fail = allowed_failures(wave, count)
    bound = wave.max_parallel
    if wave.slow_start:
        bound = flight_bound(
            max_parallel=wave.max_parallel, allowed=may_fail, counted=0, successes=0
        )
    assert (may_fail, may_fail + 1, bound) == (int(allowed), int(halts), int(first))


@pytest.mark.parametrize(("text", "times", "trips"), cases(_BURSTS))
def test_a_burst_trips_as_the_page_says(text: str, times: str, trips: str) -> None:
    rollout = Hand(resolved(text + "slow_start: false\n", 20))
    devices = list(rollout.wanted())

    for device, at in zip(devices, times.split(), strict=False):
        rollout.tick(parse_duration(at))
        rollout.report(device, Reason.INSTALL)

    assert (rollout.rollout.state is RolloutState.HALTED) is (trips == "yes")


def test_the_whole_rollouts_budget_is_what_the_page_writes() -> None:
    text = re.findall(r"```yaml\n(budget:[^`]*)```", PAGE)[0]

    budget = resolved(text, 10).budget

    assert (budget.max_failures, budget.window.failures, budget.window.in_s) == (25, 5, 3600.0)
