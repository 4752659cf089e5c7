"""docs/how-to/waves.md: each plan in it, and the sizes that the table below it gives."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.plan.parse import parse_plan
from orchestrator.plan.resolve import resolve_plan
from orchestrator.plan.resolved import PlannedArtifact

PAGE = (Path(__file__).parents[2] / "docs/how-to/waves.md").read_text(encoding="utf-8")
_EXAMPLE = re.compile(r"```yaml\n([^`]*)```\n\| fleet \| waves \|\n\|.*\n((?:\|.*\n)+)")
HEAD = "schema: 1\nname: gw\nhosts: all\nartifact: a.mender\n"
ARTIFACT = PlannedArtifact("a.mender", "gw-1", "0" * 64, "1" * 64, "directory", ("pi4",), 1, 1)
EXAMPLES = [
    (text, *(cell.strip() for cell in row.strip("|").split("|")))
    for text, table in _EXAMPLE.findall(PAGE)
    for row in table.splitlines()
]


def fleet(text: str) -> tuple[list[Device], list[DeviceId]]:
    """Devices of a cell as `60 site=berlin, 30 site=lisbon` or `104, 4 in lab`, and the lab."""
    devices: list[Device] = []
    lab_count = 0
    for part in text.split(", "):
        count, _, words = part.partition(" ")
        if words == "in lab":
            lab_count = int(count)
            continue
        key, _, value = words.partition("=")
        labels = {key: value} if value else {}
        first = len(devices)
        ids = [DeviceId(f"gw-{number}") for number in range(first, first + int(count))]
        devices += [Device(device, Address("192.0.2.1"), labels) for device in ids]
    return devices, [device.id for device in devices[:lab_count]]


def test_every_plan_of_the_page_has_a_table() -> None:
    assert len(_EXAMPLE.findall(PAGE)) == PAGE.count("```yaml\n")
    assert len(EXAMPLES) > 15


@pytest.mark.parametrize(("text", "devices_text", "expected"), EXAMPLES)
def test_waves_are_as_large_as_the_page_says(text: str, devices_text: str, expected: str) -> None:
    devices, lab = fleet(devices_text)
    sites = list(dict.fromkeys(device.labels.get("site", "") for device in devices))
    by_id = {device.id: device for device in devices}

    resolved = resolve_plan(
        parse_plan((HEAD + text).encode(), file="page.yml"),
        devices=devices, artifact=ARTIFACT, survey=None, claims={"lab": lab}, set_vars={},
        plan_sha256="0" * 64, inventory_sha256="0" * 64, now=0.0, tool_version="0",
    )  # fmt: skip

    shown = []
    for wave in resolved.waves:
        counts = Counter(by_id[device].labels.get("site", "") for device in wave.devices)
        shown.append("+".join(str(counts[site]) for site in sites))
    assert " / ".join(shown) == expected
