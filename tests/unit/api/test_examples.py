"""Both examples of the language, word for word, from their files to what people read."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from orchestrator.plan.digest import to_json
from orchestrator.plan.envelope import to_saved
from orchestrator.plan.preview import preview
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.render.preview import text
from orchestrator.render.text import Look, cells
from tests.examples import PLAYBOOKS, ExampleProject
from tests.schema_of import SCHEMAS

DESIGN = Path(__file__).parents[4] / "shared/design/plan-language.md"


@pytest.fixture
def planned(tmp_path: Path) -> Callable[[str], Awaitable[ResolvedPlan]]:
    """A plan of the playbooks, resolved without asking devices."""
    project = ExampleProject(tmp_path)
    project.release("gateway-1.4.2")

    async def prepared(name: str) -> ResolvedPlan:
        resolved = await project.example(name)
        # Signatures are never the same twice, golden files are.
        artifact = replace(resolved.artifact, sha256="a" * 64, size_bytes=1024, transfer_bytes=900)
        return replace(resolved, artifact=artifact)

    return prepared


def test_examples_are_those_of_the_design_word_for_word() -> None:
    if not DESIGN.is_file():
        pytest.skip("the design is not beside this checkout (`../shared/design`)")
    written = re.findall(r"^```yaml\n(.*?)^```$", DESIGN.read_text(), re.DOTALL | re.MULTILINE)

    ours = [(PLAYBOOKS / name).read_text() for name in ("gateway-fw.yml", "gateway-production.yml")]

    assert written[:2] == ours


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("gateway-fw.yml", [1, 40, 359]),
        # 4 of the lab; 2 % of 394 are 7, at least 10, and one more for rev-c; 20 % are 78
        ("gateway-production.yml", [4, 11, 78, 305]),
    ],
)
async def test_example_is_planned(planned, name: str, sizes: list[int]) -> None:
    resolved = await planned(name)

    schema = json.loads((SCHEMAS / "saved-plan.v1.json").read_text())
    jsonschema.validate(json.loads(to_saved(to_json(resolved))), schema)
    assert [len(wave.devices) for wave in resolved.waves] == sizes


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", ["gateway-fw", "gateway-production"])
async def test_preview_of_the_example(planned, golden, name: str, width: int) -> None:
    shown = text(preview(await planned(f"{name}.yml")), "e1" * 32, Look(width))

    golden(f"example-{name}-{width}.txt", shown)
    assert all(cells(line) <= width for line in shown.splitlines())


async def test_canaries_of_the_advanced_example_are_spread_and_cover(planned) -> None:
    resolved = await planned("gateway-production.yml")

    canary = [resolved.devices[device].labels for device in resolved.waves[1].devices]
    assert {labels["hardware"] for labels in canary} == {"rev-a", "rev-b", "rev-c"}
    assert {labels["site"] for labels in canary} == {"berlin", "lisbon", "denver"}
    assert [device.timezone for device in resolved.devices.values()].count("America/Denver") == 98
