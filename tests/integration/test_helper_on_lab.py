"""docs/how-to/helper.md on the lab: a new helper for a fleet, and one that answers nobody."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.device.shipped import helper_files, helper_version
from orchestrator.errors import ExitCode
from tests.integration.project import Project

# At night: two rollouts by the command line, and a device that goes back at its deadline, take minutes.
pytestmark = [pytest.mark.integration, pytest.mark.night, pytest.mark.timeout(480)]
PAGE = (Path(__file__).parents[2] / "docs/how-to/helper.md").read_text(encoding="utf-8")
DEVICES = 3
ENROLLED = "1.4.99"  # no helper has such a version: that which devices have had from the beginning
# Answers the one request that a device asks of itself, and nobody else.
MUTE = "  case $verb in\n    hello) fields nonce ;;", '  [ "$1" = component=helper ] || exit 1\n'


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path, devices=DEVICES)
    project.up()
    for number in range(1, DEVICES + 1):
        helper = project.device_root(f"lab-{number:02d}") / "usr/lib/rollout/helper.sh"
        helper.write_text(called(helper.read_text(), ENROLLED))
    shutil.copy(project.inventory, tmp_path / "inventory.yml")
    try:
        yield project
    finally:
        project.down()
        shutil.rmtree(tmp_path / ".rollout", ignore_errors=True)


def called(text: str, version: str) -> str:
    """The text of a helper that says another version."""
    return re.sub(r"(?m)^VERSION=.*$", f"VERSION={version}", text)


def record(project: Project, device: str) -> str:
    """What a device has written down of its component `helper`."""
    place = project.device_root(device) / "var/lib/rollout/component/helper"
    return "".join(file.read_text() for file in sorted(place.glob("state.?")))


def versions(project: Project) -> list[str]:
    return [facts["helper"] for facts in project.facts().values()]


def test_helper_is_rolled_out_in_waves_and_a_broken_one_harms_no_device(project: Project) -> None:
    (project.root / "helper.yml").write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)

    for line in block.splitlines():
        words = shlex.split(line)[1:]
        said = project.run(*words).stdout

    assert versions(project) == [helper_version()] * DEVICES
    assert f"rollout-helper-{helper_version()}" in said
    assert "component: helper" in PAGE

    files = []
    for name, body in helper_files().items():
        file = project.root / name.replace("modules/", "module.")
        before, after = MUTE
        text = body.decode()
        if name == "helper.sh":
            assert before in text
            text = called(text.replace(before, after + before), "6.6.6")
        file.write_text(text)
        files += ["--file", file]
    project.run(
        "artifact", "build", "module", "rollout-helper", *files, "-n", "mute", "-t", "lab",
        "--key", "release.key", "-o", "mute.mender",
    )  # fmt: skip
    short = "component: helper\ntimeouts: {connect: 5s, reboot: 1s}\nwaves: [1, rest]\n"
    (project.root / "mute.yml").write_text(
        f"schema: 1\nname: mute\nhosts: lab\nartifact: ./mute.mender\non_failure: rollback\n{short}"
    )

    # a device has a minute at the least to prove itself
    ended = subprocess.run(
        project.command("apply", "mute.yml", "-i", "inventory.yml", "--yes"),
        cwd=project.root, env=project.environment(), timeout=240,
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip

    assert ended.returncode == ExitCode.ROLLED_BACK, ended.stdout + ended.stderr
    records = [record(project, f"lab-{number:02d}") for number in range(1, DEVICES + 1)]
    (canary,) = [one for one in records if " mute " in one]
    assert re.search(r"^reverted \w", canary, re.MULTILINE)  # by itself: nobody can tell it to
    assert versions(project) == [helper_version()] * DEVICES
