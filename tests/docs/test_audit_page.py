"""docs/how-to/audit.md: its blocks are run as they stand, in a project with a rollout."""

from __future__ import annotations

import getpass
import os
import re
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode
from orchestrator.rollout.audit import Fault
from tests.docs.test_commands_page import waiting_rollout

PAGE = (Path(__file__).parents[2] / "docs/how-to/audit.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

Shell = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(tmp_path: Path, rollout_program: Path) -> Shell:
    """Runs scripts in a project whose journal has a checkpoint."""
    project = tmp_path / "project"
    project.mkdir()
    fleet = "all: {hosts: {web1: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n"
    (tmp_path / "fleet.yml").write_text(fleet)
    settings = f'people = ["{getpass.getuser()}=ops"]\ninventory = ["fleet.yml"]\n'
    (tmp_path / "config.toml").write_text(settings)
    waiting_rollout(project)
    environment = {
        **os.environ, "HOME": str(tmp_path), "NO_COLOR": "1",
        "ROLLOUT_CONFIG": str(tmp_path / "config.toml"),
        "PATH": f"{rollout_program}:{os.environ['PATH']}",
    }  # fmt: skip

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ("sh", "-euc", script), cwd=project, env=environment, timeout=120,
            capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    assert run("rollout approve r-7f3a --deny").returncode == 0  # answered here, so signed here
    return run


def test_commands_of_the_page_do_what_it_says(shell: Shell, tmp_path: Path) -> None:
    verified, followed, copied, judged, signed, parted, asked = map(shell, BLOCKS)

    assert [one.returncode for one in (verified, followed, copied, judged, signed, parted)] == [
        0
    ] * 6
    assert asked.returncode == ExitCode.PARTIAL  # nobody is there
    assert asked.stdout.startswith("the journals hold, as far as devices could be asked: 1 rollout")
    assert "  not asked: web1: " in asked.stdout
    assert verified.stdout.startswith("the journals hold: 1 rollout")
    checkpoints = (tmp_path / "project/.rollout/checkpoints").read_text()
    assert re.findall(r"^hash (.*)$", checkpoints, re.MULTILINE) == [followed.stdout.split()[1]]
    assert "1 checkpoint of witness found again" in copied.stdout.replace(str(tmp_path), "")
    assert 'Good "rollout-audit@' in judged.stdout
    assert signed.stderr.startswith("0 checkpoints added")
    assert parted.stdout.startswith("the journals hold: 1 rollout")


def test_page_and_program_agree_that_a_change_is_one(shell: Shell, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "project/.rollout/state.db")) as database, database:
        database.execute("UPDATE journal SET data = replace(data, 'zoe', 'eve') WHERE seq = 1")

    verified, followed = shell(BLOCKS[0]), shell(BLOCKS[1])

    assert verified.returncode == followed.returncode == 1
    assert "J101 rollout r-7f3a, entry 1" in verified.stdout
    assert "AssertionError" in followed.stderr


def test_every_finding_is_explained() -> None:
    table = PAGE.partition("## What a finding means")[2]

    assert re.findall(r"^\| `(J\d+)` \|", table, re.MULTILINE) == [str(fault) for fault in Fault]
