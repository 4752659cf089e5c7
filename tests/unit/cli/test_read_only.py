"""Commands that only read work where nothing can be written, and change nothing there.

They run as another user when the tests run as root, whom modes do not stop. Every command runs
before that once in a copy, since what it imports may lie where only root can read.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cli.app import invoke
from orchestrator.engine.ports import Changes
from orchestrator.errors import ExitCode
from orchestrator.plan.digest import to_json
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.store.sql import open_store
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan
from tests.in_process import empty_project

REPOSITORY = Path(__file__).parents[3]
PLAN = "schema: 1\nname: app\nhosts: all\nartifact: app.mender\nwaves: [1, rest]\n"
SCRIPT = """
import contextlib, io, json, os, sys
from orchestrator.cli.app import invoke
project, copy, lines = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
os.environ["NO_COLOR"] = "1"
def run(line):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = invoke(line.split())
    return code, out.getvalue(), err.getvalue()
os.chdir(copy)
for line in lines:
    run(line)
os.chdir(project)
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(json.dumps([run(line) for line in lines]))
"""
Ran = Callable[..., list[tuple[int, str, str]]]


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a rollout, which others may read."""
    base = Path(tempfile.mkdtemp(prefix="rollout-read-only-"))  # pytest's own are the owner's alone
    root = base / "project"
    root.mkdir()
    empty_project(root, monkeypatch)
    monkeypatch.delenv("ROLLOUT_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(base / "none"))
    (root / "hosts.yml").write_text("all: {hosts: {gw-1: , gw-2: }}\n")
    (root / "app.yml").write_text(PLAN)
    (root / "tree").mkdir()
    (root / "tree" / "run").write_text("#!/bin/sh\n")
    assert invoke(["key", "generate", "release.key"]) == 0
    build = "artifact build directory tree --dest /opt/app -n app-1.0 -t lab -o app.mender"
    assert invoke([*build.split(), "--key", "release.key"]) == 0
    a, b = device_ids(2)
    hand = Hand(make_plan([ResolvedWave("canary", "1", (a,)), ResolvedWave("rest", "rest", (b,))]))
    hand.succeed(a)

    async def store() -> None:
        opened = await open_store(str(root / ".rollout/state.db"))
        changes = Changes(hand.rollout_row, hand.rows, tuple(hand.journal))
        await opened.create("r-hand", to_json(hand.plan), changes)
        await opened.close()

    asyncio.run(store())
    yield root
    root.chmod(0o755)
    for path in root.rglob("*"):  # parents come first
        path.chmod(0o755)
    shutil.rmtree(base)


@pytest.fixture
def ran(project: Path, tmp_path: Path) -> Ran:
    """Runs commands in the project as somebody who may only read it."""

    def run(*lines: str, closed: str = "") -> list[tuple[int, str, str]]:
        copy = tmp_path / "copy"
        shutil.copytree(project, copy)
        project.parent.chmod(0o755)
        for path in (project, *project.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = seen(project)
        if closed:
            (project / closed).chmod(0)
        words = [sys.executable, "-c", SCRIPT, str(project), str(copy), json.dumps(lines)]
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        if closed:
            (project / closed).chmod(0o555)
        assert seen(project) == before
        return [(code, out, " ".join(err.split())) for code, out, err in json.loads(done.stdout)]

    return run


def seen(project: Path) -> list[tuple[str, bytes]]:
    """Every file with its bytes."""
    return sorted((str(p), p.read_bytes()) for p in project.rglob("*") if p.is_file())


READS = (
    "status", "status r-hand --format json", "status --all", "events r-hand", "state export r-hand",
    "audit verify", "hosts all -i hosts.yml", "inventory list -i hosts.yml", "validate app.yml",
    "artifact inspect app.mender", "version", "fleet all -i hosts.yml",
    "report r-hand --html -",
    "preview app.yml -i hosts.yml --offline",
)  # fmt: skip


def test_commands_that_read_work_in_a_project_that_cannot_be_written(ran) -> None:
    *answers, (refused, _, why) = ran(*READS, "pause r-hand")

    assert [err for code, _, err in answers if "internal" in err or code == ExitCode.USAGE] == []
    assert "r-hand" in answers[0][1]
    assert "rollout_started" in answers[3][1]
    assert answers[5][1].startswith("the journals hold: 1 rollout")
    assert "2 to update" in answers[-1][1]
    assert refused == ExitCode.USAGE
    assert "cannot be opened for writing" in why
    assert "check owner and permissions" in why


def test_log_of_a_writer_is_read_too(ran, project) -> None:
    """As while an engine runs: what came last stands in the log alone."""
    state = project / ".rollout/state.db"
    with sqlite3.connect(state) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("UPDATE journal SET wave = 'only-in-the-log'")
        writer.commit()
        ((_, out, _),) = ran("events r-hand")

    assert "only-in-the-log" in out


def test_log_that_cannot_be_read_is_never_left_out(ran, project) -> None:
    (project / ".rollout/state.db-wal").write_bytes(b"x" * 5000)

    ((code, _, err),) = ran("status")

    assert code == ExitCode.USAGE
    assert "was left in the middle of writing" in err
    assert "runs `rollout status` once" in err


def test_store_of_an_older_version_is_refused_and_left_as_it_is(ran, project) -> None:
    with sqlite3.connect(project / ".rollout/state.db") as store:
        store.execute("UPDATE alembic_version SET version_num = '0002'")
    store.close()

    ((code, _, err),) = ran("status")

    assert code == ExitCode.USAGE
    assert "has schema `0002`, and this version needs" in err
    assert "rollout state migrate" in err


@pytest.mark.parametrize("closed", [".rollout", ".rollout/state.db"])
def test_store_that_is_closed_to_us_is_said(ran, closed: str) -> None:
    ((code, _, err),) = ran("status", closed=closed)

    assert code == ExitCode.USAGE
    assert "cannot be opened: permission denied" in err
    assert "check owner and permissions" in err
