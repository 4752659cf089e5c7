"""The difference between two artifacts goes to devices that can use it, the whole to the others."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.project import Project

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not shutil.which("xdelta3"), reason="xdelta3 is not installed"),
]
OLD = random.Random(1).randbytes(400_000)
NEW = OLD[:1000] + b"new" + OLD[1000:]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = Project(tmp_path, devices=2)
    found.up()
    try:
        yield found
    finally:
        found.down()


def release(project: Project, name: str, content: bytes) -> Path:
    (project.root / "data.bin").write_bytes(content)
    project.run(
        *f"artifact build single-file data.bin --dest /etc/data.bin --device-type lab --name {name}"
        f" --key release.key --out {name}.mender".split()
    )
    return project.plan(name, waves="[rest]", more="")


def test_difference_goes_to_those_that_can_use_it(project: Project) -> None:
    project.apply(release(project, "r1", OLD))
    plan = release(project, "r2", NEW)
    said = project.run("artifact", "delta", "r1.mender", "r2.mender").stdout
    able, unable = sorted(project.facts())
    programs = [
        project.device_root(device) / "usr/lib/rollout/delta.sh" for device in (able, unable)
    ]
    made = project.device_root(able) / "made"
    text = programs[0].read_text()
    programs[0].write_text(
        text.replace("\nset -fu\n", '\nset -fu\necho "$1" >>"$ROLLOUT_ROOT/made"\n')
    )
    programs[1].unlink()
    facts = project.facts()
    assert (facts[able]["delta"], "delta" in facts[unable]) == ("xdelta3", False)

    shown = project.run("preview", plan, "-i", project.inventory).stdout
    project.apply(plan)

    assert "where 2 of them take the difference" in " ".join(shown.split())
    assert "for devices that run r1" in said
    assert "make" in made.read_text().split()
    for device in (able, unable):
        assert (project.device_root(device) / "etc/data.bin").read_bytes() == NEW
    assert {row["artifact"] for row in project.facts().values()} == {"r2"}
