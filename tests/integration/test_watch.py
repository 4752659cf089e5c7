"""Looking on from another process, while one applies, dies, and another goes on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode
from tests.integration.project import Project

pytestmark = pytest.mark.integration
END_S = 60.0


@contextmanager
def started(project: Project, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A command in a session of its own."""
    process = subprocess.Popen(
        project.command(*words), cwd=project.root, env=project.environment(), text=True,
        start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def until(process: subprocess.Popen[str], text: str) -> str:
    """Reads stderr up to a line that has the text."""
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"no `{text}` came: {seen}")


@pytest.fixture(params=["sqlite", "postgresql"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    env = {}
    if request.param == "postgresql":
        env = {"ROLLOUT_STATE": request.getfixturevalue("postgres").make()}
    made = Project(tmp_path, devices=3, env=env)
    made.up()
    try:
        if env:
            made.run("state", "migrate")
        yield made
    finally:
        made.down()


def plan(project: Project, number: str, soak: str) -> Path:
    made = project.directory_release(number)
    text = made.read_text().replace("[1, 50%, rest]", "[1, rest]")
    made.write_text(text.replace("gates:", f"soak: {soak}\ngates:"))
    return made


def test_another_process_sees_all_until_the_end(project: Project) -> None:
    long_soak = plan(project, "1.0", "100s")
    apply = ("apply", long_soak, "-i", project.inventory, "--yes")

    with started(project, *apply) as engine:
        until(engine, "soak")
        with started(project, "watch", "--events", "-") as watcher:
            until(watcher, "driven by")
            os.killpg(engine.pid, signal.SIGKILL)
            gone = until(watcher, "no engine drives it now")
            with started(project, *apply) as other:
                until(watcher, "an engine took over")
                project.run("promote", "--reason", "looks good")
                until(watcher, "looks good")
                project.run("abort", "--reason", "enough")
                stdout, stderr = watcher.communicate(timeout=END_S)
                other.communicate(timeout=END_S)

    assert "rollout resume" in gone
    assert watcher.returncode == other.returncode
    assert "ABORTED" in stderr
    assert stdout.count('"type":"engine_started"') == 2
    assert '"type":"rollout_done"' in stdout


def test_looking_on_ends_alone(project: Project) -> None:
    made = plan(project, "2.0", "100s")

    with started(project, "apply", made, "-i", project.inventory, "--yes") as engine:
        until(engine, "soak")
        timed = project.run("watch", "--timeout", "1s", code=ExitCode.WAITING)
        with started(project, "watch") as watcher:
            until(watcher, "driven by")
            os.killpg(watcher.pid, signal.SIGINT)
            _, said = watcher.communicate(timeout=END_S)
        assert engine.poll() is None, "the engine does not notice"

    assert "wave-1" in timed.stdout
    assert watcher.returncode == ExitCode.INTERRUPTED
    assert "the rollout goes on without you" in said


def test_what_is_over_is_told_as_a_whole(project: Project) -> None:
    project.apply(plan(project, "3.0", "0s"))

    seen = project.run("watch")
    none = project.run("watch", "r-none", code=ExitCode.USAGE)

    assert "SUCCEEDED" in seen.stdout
    assert "wave-1 passed" in seen.stderr
    assert "no engine" not in seen.stderr
    assert "no rollout `r-none`" in none.stderr
