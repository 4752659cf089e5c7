"""docs/how-to/offline.md: each plan in it runs, and ends as the table below it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.parse import parse_plan
from orchestrator.plan.resolve import resolve_plan
from orchestrator.plan.resolved import PlannedArtifact, ResolvedPlan
from orchestrator.rollout.actions import Work
from orchestrator.rollout.states import DeviceState, RolloutState, WaveState
from orchestrator.testing.hand import Hand
from orchestrator.units import format_duration, parse_duration

PAGE = (Path(__file__).parents[2] / "docs/how-to/offline.md").read_text(encoding="utf-8")
_EXAMPLE = re.compile(r"```yaml\n([^`]*)```\n\| ([^|]*) \|.*\n\|.*\n((?:\|.*\n)+)")
HEAD = "schema: 1\nname: gw\nhosts: all\nartifact: a.mender\nretries: {count: 0}\n"
GATE = "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"
ARTIFACT = PlannedArtifact("a.mender", "gw-1", "0" * 64, "1" * 64, "directory", ("pi4",), 1, 1)


def rows(head: str) -> list[tuple[str, ...]]:
    return [
        (text, *(cell.strip() for cell in row.strip("|").split("|")))
        for text, column, table in _EXAMPLE.findall(PAGE)
        if column == head
        for row in table.splitlines()
    ]


def resolved(text: str, count: int) -> ResolvedPlan:
    waves = "" if "waves:" in text else "waves: [1, rest]\n"
    devices = [Device(DeviceId(f"gw-{n}"), Address("192.0.2.1")) for n in range(count)]
    return resolve_plan(
        parse_plan((HEAD + GATE + waves + text).encode(), file="page.yml"),
        devices=devices, artifact=ARTIFACT, survey=None, claims={}, set_vars={},
        plan_sha256="0" * 64, inventory_sha256="0" * 64, now=0.0, tool_version="0",
    )  # fmt: skip


def drive(rollout: Hand, away: set[DeviceId]) -> None:
    """Until nothing more starts: devices that are away do not answer, others are updated."""
    while starting := [one for one, work in rollout.wanted().items() if work is Work.DELIVER]:
        if starting[0] in away:
            rollout.report(starting[0], Reason.UNREACHABLE, reached=False)
        elif rollout.rollout.state is RolloutState.PAUSED:
            rollout.ready(starting[0])  # no go comes: it is queued again
        else:
            rollout.succeed(starting[0])


def ending(rollout: Hand) -> str:
    return f"{rollout.rollout.state.replace('_', ' ')}, exit {rollout.rollout.exit_code:d}"


def test_every_plan_of_the_page_has_a_table() -> None:
    assert len(_EXAMPLE.findall(PAGE)) == PAGE.count("```yaml\n")
    assert len(rows("devices in their order") + rows("the device answers after")) >= 12


@pytest.mark.parametrize(("text", "fates", "first", "expected"), rows("devices in their order"))
def test_rollouts_go_as_the_page_says(text: str, fates: str, first: str, expected: str) -> None:
    words = fates.split(", ")
    plan = resolved(text, len(words))
    order = [device for wave in plan.waves for device in wave.devices]
    rollout = Hand(plan)

    drive(rollout, {device for device, word in zip(order, words, strict=True) if word == "away"})

    wave = rollout.rollout.ledger.waves[0]
    passed = "passed" if wave.state is WaveState.PASSED else "not passed"
    assert f"{passed}: {wave.successes} of {wave.total}" == first
    assert ending(rollout) == expected
    assert rollout.rollout.is_resting or rollout.rollout.is_terminal


@pytest.mark.parametrize(
    ("text", "answers", "updated", "expected"), rows("the device answers after")
)
def test_devices_follow_when_the_page_says(
    text: str, answers: str, updated: str, expected: str
) -> None:
    plan = resolved(text, 3)
    missing = plan.waves[0].devices[0]
    rollout = Hand(plan)
    drive(rollout, {missing})
    assert rollout.rollout.state is RolloutState.CATCHING_UP

    while not rollout.rollout.is_terminal:
        at = rollout.rollout.next_wakeup
        assert at is not None
        rollout.tick(at)
        drive(rollout, {missing} if at < parse_duration(answers) else set())

    good = rollout.state(missing) is DeviceState.SUCCEEDED
    assert (format_duration(rollout.now) if good else "never") == updated
    given_up = f"given up after {format_duration(rollout.now)}, exit {rollout.rollout.exit_code:d}"
    assert (ending(rollout) if good else given_up) == expected
