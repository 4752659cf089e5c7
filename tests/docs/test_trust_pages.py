"""docs/how-to/air-gapped.md and docs/how-to/rotate-keys.md, on a lab whose devices have a root.

Each page has devices of its own, as its project is what they serve from then on.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.project import GATES, Project
from tests.pages import Reader, steps

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
PAIRS = ("ann-root", "bob-root", "ann", "bob", "build")
ROOT = (
    "root", "init", "acme-prod", "--threshold", "root=2", "--threshold", "release=2",
    "--root-key", "ann-root.key.pub", "--root-key", "bob-root.key.pub",
    "--release-key", "ann.key.pub", "--release-key", "bob.key.pub", "--build-key", "build.key.pub",
)  # fmt: skip
_HOST = re.compile(r"    (lab-\d\d):\n(?:      .*\n)+")
_PIN = re.compile(r"      rollout_host_keys: .*\n")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The keys and the root of docs/how-to/release.md, and three devices that have that root."""
    project = Project(tmp_path_factory.mktemp("rooted"), devices=3)
    for pair in PAIRS:
        project.run("key", "generate", f"{pair}.key")
    project.run(*ROOT)
    for person in ("ann", "bob"):
        project.run("root", "sign", "root-1.txt", "--key", f"{person}-root.key")
    project.run("lab", "up", "--devices", "3", "--key", "build.key.pub")
    try:
        for number in range(1, 4):
            etc = project.device_root(f"lab-{number:02d}") / "etc/rollout"
            shutil.copy(project.root / "root-1.txt", etc / "root.txt")
        yield project
    finally:
        project.down()


def reader(lab: Project, place: Path, programs: Path, release: str, *devices: str) -> Reader:
    """Somebody in a project of those devices, with the keys, the root and a plan of a release."""
    place.mkdir()
    for name in ("root-1.txt", "root-1.txt.sig", *(f"{pair}.key" for pair in PAIRS)):
        shutil.copy(lab.root / name, place)
    for pair in PAIRS:
        shutil.copy(lab.root / f"{pair}.key.pub", place)
    text = lab.inventory.read_text().partition("site_")[0]
    mine = _HOST.sub(lambda host: host[0] if host[1] in devices else "", text)
    (place / "inventory.yml").write_text(mine)
    (place / "unpinned.yml").write_text(_PIN.sub("", mine))
    (place / "rollout.toml").write_text('inventory = ["inventory.yml"]\n')
    for name in ("app", "plans", "releases"):
        (place / name).mkdir()
    (place / "app/service.json").write_text(json.dumps({"version": release, "healthy": True}))
    (place / "plans/app.yml").write_text(
        "schema: 1\nname: app\nhosts: lab\nwaves: [1, rest]\non_failure: rollback\n"
        f"artifact: ../releases/{release}.mender\n{GATES}"
    )
    return Reader(place, programs)


def test_release_is_carried_in_and_evidence_out(
    lab: Project, tmp_path: Path, rollout_program: Path
) -> None:
    outside = reader(lab, tmp_path / "outside", rollout_program, "app-2.0", "lab-01", "lab-02")
    (tmp_path / "inside").mkdir()

    for step in steps("how-to/air-gapped.md"):
        start = Reader(tmp_path, rollout_program) if step.script.startswith("cd ") else outside
        start.follow(step)

    assert not list((tmp_path / "inside").glob("*.key"))
    assert (tmp_path / "outside/report.html").stat().st_size > 0


# At night: some thirty commands. The root's own way is walked each day for docs/how-to/release.md.
@pytest.mark.night
def test_keys_are_changed_one_kind_after_the_other(
    lab: Project, tmp_path: Path, rollout_program: Path
) -> None:
    here = reader(lab, tmp_path / "fleet", rollout_program, "app-3.0", "lab-03")
    host_key = lab.device_root("lab-03") / "etc/ssh/host_key"
    here.type(f"ssh-keygen -y -f '{host_key}' | ssh-keygen -lf - >lab-03.fingerprint")

    for step in steps("how-to/rotate-keys.md"):
        here.follow(step)
    facts = here.type("rollout device facts all")

    assert re.search(r"^ +root +3$", facts, re.MULTILINE)
