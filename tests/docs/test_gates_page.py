"""docs/how-to/gates.md: each example is a plan that loads, each table is computed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.errors import PlanError
from orchestrator.plan.gate import Compare, CompareTest, CompareTo, Direction
from orchestrator.plan.parse import parse_plan
from orchestrator.plan.power import Sizes, smallest_effect
from orchestrator.plan.resolve import resolve_plan
from orchestrator.plan.resolved import PlannedArtifact, ResolvedPlan
from orchestrator.rollout.comparing import Groups, compared
from orchestrator.rollout.verdict import Reading, Tally, read_sample

PAGE = (Path(__file__).parents[2] / "docs/how-to/gates.md").read_text()
HEAD = "schema: 1\nname: gw\nhosts: all\nartifact: a.mender\n"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ARTIFACT = PlannedArtifact("a.mender", "gw-1", "0" * 64, "1" * 64, "directory", ("pi",), 9, 9)


def resolved(example: str, count: int) -> ResolvedPlan:
    text = HEAD + ("" if "waves:" in example.splitlines()[0] else "waves: [20, rest]\n") + example
    devices = [Device(DeviceId(f"gw-{n}"), Address(f"192.0.2.{n}")) for n in range(count)]
    return resolve_plan(
        parse_plan(text.encode(), file="p.yml"),
        devices=devices, artifact=ARTIFACT, survey=None, claims={}, set_vars={},
        plan_sha256="", inventory_sha256="", now=0.0, tool_version="0",
    )  # fmt: skip


def example_with(word: str) -> str:
    [found] = [example for example in EXAMPLES if word in example]
    return found


def rows(heading: str, *, after: str = "") -> list[list[str]]:
    """The cells of the first table with that heading, after a word of the page."""
    table = PAGE[PAGE.index(after) :].split(f"\n| {heading} |\n", 1)[1].split("\n\n")[0]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[1:]]


@pytest.mark.parametrize("example", [each for each in EXAMPLES if "waves: [1, rest]" not in each])
def test_each_example_is_a_plan(example: str) -> None:
    assert resolved(example, 200).gates


@pytest.mark.parametrize("gate", ["error rate", "crashes, "])
def test_each_sample_says_what_the_page_says(gate: str) -> None:
    [found] = resolved(example_with(f"{{name: {gate}"), 200).gates

    for sample, reading in rows("sample | reading", after=f"{{name: {gate}"):
        assert read_sample(found, json.loads(sample.strip("`"))) == Reading(reading), sample


def test_each_comparison_says_what_the_page_says() -> None:
    [gate] = resolved(example_with("crash rate not worse"), 200).gates
    assert gate.compare is not None
    found = {}
    for ours, theirs, reading, why in rows("updated | controls | reading | why"):
        groups = Groups(*(tuple(map(float, text.split())) for text in (ours, theirs)))
        found[reading] = compared(gate.compare, groups)
        assert found[reading].reading == Reading(reading), why

    assert found["failed"].p == pytest.approx(1 / 1287)
    assert found["success"].effect == pytest.approx(1.07, abs=0.005)
    assert found["inconclusive"].effect == pytest.approx(2.6, abs=0.05)
    assert found["no_data"].reason.startswith("3 of 5 values")


def test_refusal_reads_as_the_page_shows_it() -> None:
    with pytest.raises(PlanError) as caught:
        resolved(example_with("waves: [1, rest]"), 11)

    found = caught.value.diagnostics[0]
    assert f"```\n{found.message}\nhint: {found.hint}\n```" in PAGE


def test_factors_that_sizes_find_are_those_of_the_page() -> None:
    heading = "updated | controls | Mann-Whitney: factor | Fisher: factor"
    for updated, controls, *factors in rows(heading):
        for test, factor in zip(("mann_whitney", "fisher"), factors, strict=True):
            asked = Compare(CompareTo.CONTROL, CompareTest(test), 0.02, Direction.INCREASE, 1.1, 1)
            effect = smallest_effect(asked, Sizes(int(updated), int(controls)))
            assert effect is not None
            assert f"{effect:.2f}" == factor


def test_each_row_of_samples_gives_its_verdict() -> None:
    [gate] = resolved(example_with("stays up"), 200).gates

    for samples, verdict in rows("samples | verdict"):
        tally = Tally()
        for at, word in enumerate(samples.split()):
            tally.add(gate, Reading(word), float(at))
        assert tally.verdict == verdict, samples
