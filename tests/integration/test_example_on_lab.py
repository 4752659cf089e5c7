"""The shortest example of the plan language, word for word, on the real lab.

The lab satisfies it: a group `gateways`, a release at the plan's path, and its health check. Soaks
of 30 minutes are ended from another process, as an operator may.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode
from tests.children import child
from tests.integration.project import Project

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

PLAN = "gateway-fw.yml"
PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
GROUPS = "groups.yml"
DEVICES = 6
END_S = 60


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    found = Project(tmp_path_factory.mktemp("example"), devices=DEVICES)
    found.up()
    try:
        for checks in found.device_root("").glob("*/etc/rollout/health.d"):
            shutil.copy(checks / "app", checks / "gatewayd")
        (found.root / GROUPS).write_text("gateways: {children: {lab: {}}}\n")
        (found.root / "releases").mkdir()
        shutil.copy(PLAYBOOKS / PLAN, found.root)
        yield found
    finally:
        found.down()


def release(project: Project, name: str, *, healthy: bool = True) -> None:
    """Puts a release where the plan looks for it."""
    project.directory_release(name, healthy=healthy)
    built = project.root / f"app-{name}.mender"
    shutil.copy(built, project.root / "releases/gateway-1.4.2.mender")


def applied(project: Project, *, promoted: bool) -> tuple[int, list[dict[str, object]]]:
    """Applies the plan; its exit code, and its journal as it was printed."""
    sources = ("-i", project.inventory, "-i", GROUPS)
    printed = []
    with child(
        project.command("apply", PLAN, *sources, "--yes", "--events", "-"),
        cwd=project.root, env=project.environment(), text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as engine:  # fmt: skip
        assert engine.stdout is not None
        for line in engine.stdout:
            printed.append(json.loads(line))
            if promoted and printed[-1]["type"] == "soak_started":
                project.run("promote", "--full", "--reason", "a test does not wait for 30 minutes")
        return engine.wait(END_S), printed


def told(journal: list[dict[str, object]], kind: str) -> list[dict[str, object]]:
    return [dict(one["data"]) for one in journal if one["type"] == kind]  # type: ignore[call-overload]


def artifacts(project: Project) -> dict[str, tuple[str, str]]:
    return {name: (one["artifact"], one["state"]) for name, one in project.facts().items()}


def test_example_runs_word_for_word_on_ssh_devices(project: Project) -> None:
    release(project, "1.4.2")

    code, journal = applied(project, promoted=True)

    assert code == ExitCode.DONE
    assert [one["devices"] for one in told(journal, "wave_started")] == [1, 1, DEVICES - 2]
    assert [one["soak_s"] for one in told(journal, "soak_started")] == [1800]
    assert list(artifacts(project).values()) == [("app-1.4.2", "committed")] * DEVICES


def test_bad_release_of_the_example_is_taken_back_in_its_first_wave(project: Project) -> None:
    before = {name: artifact for name, (artifact, _) in artifacts(project).items()}
    release(project, "1.4.3", healthy=False)

    code, journal = applied(project, promoted=False)

    assert code == ExitCode.ROLLED_BACK
    assert [one["cause"] for one in told(journal, "halted")] == ["budget"]
    assert len({one["device"] for one in journal if one["type"] == "device_state"}) == 1
    assert {name: artifact for name, (artifact, _) in artifacts(project).items()} == before
