"""Several processes on one store and one lab: a queue, a freeze of all, and one that supersedes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.project import GATES, Project

pytestmark = [pytest.mark.integration, pytest.mark.night, pytest.mark.timeout(300)]

WITHIN_S = 1.0  # a freeze takes effect
PATIENCE_S = 60.0


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = Project(tmp_path, devices=3)
    found.up()
    try:
        yield found
    finally:
        found.down()


def plan(project: Project, version: str, more: str = "") -> Path:
    project.directory_release(version)
    path = project.plan(f"app-{version}", waves="[1, rest]", more=f"{GATES}{more}")
    path.write_text(path.read_text().replace("name: app\n", f"name: app-{version}\n", 1))
    return path


def status(project: Project, rollout: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(project.run("status", rollout, "--format", "json").stdout)
    return found


def journal(project: Project, rollout: str) -> list[dict[str, object]]:
    done = project.run("events", rollout, "--format", "jsonl")
    return [json.loads(line) for line in done.stdout.splitlines()][1:]


def until(true: Callable[[], bool]) -> None:
    end_at = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_at, "it did not become so"


def test_queue_freeze_and_supersede(project: Project) -> None:
    first = subprocess.Popen(
        project.command(
            "apply", plan(project, "1.0", "soak: 5m\n"), "-i", project.inventory, "--yes",
            "--events", "-", "--wait",
        ),
        cwd=project.root, env=project.environment(), text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with first:
        assert first.stdout is not None
        for line in first.stdout:
            if '"soak_started"' in line:
                break
        old = json.loads(line)["rollout"]

        queued = project.apply(plan(project, "2.0"), code=7)
        assert f"waits for rollout {old} of plan" in queued.stderr.replace("`", "")

        frozen_at = time.time()
        project.run("freeze", "--reason", "incident 4711")
        said_at = time.time()
        until(lambda: status(project, old)["state"] == "paused")
        (pause,) = [each for each in journal(project, old) if each["type"] == "paused"]
        assert "incident 4711" in str(pause["data"])
        assert frozen_at <= float(str(pause["ts"])) <= said_at + WITHIN_S
        project.run("unfreeze", "--reason", "found it")
        until(lambda: status(project, old)["state"] == "running")
        (resumed,) = [each for each in journal(project, old) if each["type"] == "resumed"]
        assert "found it" in str(resumed["data"])

        newer = plan(project, "3.0", "on_conflict: supersede\npriority: 600\n")
        project.apply(newer)
        first.communicate(timeout=PATIENCE_S)

    assert first.returncode == 4
    assert status(project, old)["state"] == "superseded"
    assert {facts["artifact"] for facts in project.facts().values()} == {"app-3.0"}
