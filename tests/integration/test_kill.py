"""kill -9 of the engine at any moment: the next `apply` converges, nothing is installed twice.

The release is a `script` artifact whose install script counts on the device how often it ran.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.project import GATES, Project

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

MOMENTS_COUNT = 10
MOMENTS_NIGHT_COUNT = 50
LATER_S_MAX = 0.25  # the moment lies up to this long after an event, so in mid-effect too
INSTALL = """\
#!/bin/sh
echo ran >>"$ROLLOUT_ROOT/var/lib/{name}"
"""
ROLLBACK = """\
#!/bin/sh
rm -f "$ROLLOUT_ROOT/var/lib/{name}"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    found = Project(tmp_path_factory.mktemp("killed"), devices=4)
    found.up()
    try:
        found.apply(found.directory_release("1.0"))
        yield found
    finally:
        found.down()


def counting_release(project: Project, name: str) -> Path:
    install, rollback = project.root / f"{name}.install", project.root / f"{name}.rollback"
    install.write_text(INSTALL.format(name=name))
    rollback.write_text(ROLLBACK.format(name=name))
    project.run(
        "artifact", "build", "script", install, "--rollback", rollback, "--name", name,
        "--device-type", "lab", "--key", "release.key", "--out", f"{name}.mender",
    )  # fmt: skip
    return project.plan(name, waves="[1, 25%, rest]", more=f"soak: 300ms\n{GATES}")


def apply_and_kill(project: Project, plan: Path, *, after_count: int, later_s: float) -> bool:
    """Kills `apply` `later_s` after it has reported so many events; False when it was faster."""
    engine = subprocess.Popen(
        project.command("apply", plan, "-i", project.inventory, "--yes", "--events", "-"),
        cwd=project.root, env=project.environment(), text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with engine:
        assert engine.stdout is not None
        for count, _ in enumerate(engine.stdout):
            if count == after_count:
                break
        with contextlib.suppress(subprocess.TimeoutExpired):
            engine.wait(later_s)
        alive = engine.poll() is None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(engine.pid, signal.SIGKILL)
    return alive


def check_converged(project: Project, name: str) -> None:
    for device, facts in project.facts().items():
        counted = (project.device_root(device) / "var/lib" / name).read_text().split()
        assert counted == ["ran"], f"{device} installed {len(counted)} times"
        assert facts["artifact"] == name, device
        assert facts["state"] == "committed", device
    entries = project.events()
    assert [entry.get("seq") for entry in entries[1:]] == list(range(1, len(entries)))


def kill_at(project: Project, number: int) -> bool:
    draw = random.Random(number)
    name = f"counted-{number}"
    plan = counting_release(project, name)
    killed = apply_and_kill(
        project, plan, after_count=draw.randrange(1, 40), later_s=draw.uniform(0, LATER_S_MAX)
    )
    project.apply(plan)
    check_converged(project, name)
    return killed


def test_apply_converges_after_kill_at_random_moments(project: Project) -> None:
    killed = [kill_at(project, number) for number in range(MOMENTS_COUNT)]

    assert sum(killed) >= MOMENTS_COUNT // 2, "most moments must hit a living engine"


@pytest.mark.night
def test_apply_converges_after_kill_at_many_random_moments(project: Project) -> None:
    killed = [kill_at(project, 1000 + number) for number in range(MOMENTS_NIGHT_COUNT)]

    assert sum(killed) >= MOMENTS_NIGHT_COUNT // 2, "most moments must hit a living engine"


def test_two_engines_do_not_act_at_once(project: Project) -> None:
    name = "raced"
    plan = counting_release(project, name)
    command = project.command("apply", plan, "-i", project.inventory, "--yes")
    pair = [
        subprocess.Popen(
            command, cwd=project.root, env=project.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]  # fmt: skip

    codes = sorted(engine.wait(60) for engine in pair)

    assert codes in ([0, 0], [0, 8]), (
        codes
    )  # the later one joined a finished rollout, or was locked out
    project.apply(plan)
    check_converged(project, name)


def test_interrupted_apply_can_go_on(project: Project) -> None:
    name = "interrupted"
    plan = counting_release(project, name)
    engine = subprocess.Popen(
        project.command("apply", plan, "-i", project.inventory, "--yes", "--events", "-"),
        cwd=project.root, env=project.environment(), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert engine.stdout is not None
    for line in engine.stdout:
        if json.loads(line).get("type") == "device_state":
            break
    engine.send_signal(signal.SIGINT)
    _, errors = engine.communicate(timeout=60)

    assert engine.returncode == 130, errors
    project.apply(plan)
    check_converged(project, name)
