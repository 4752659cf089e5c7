"""A disk that is really full: every command says it in the same words and leaves nothing behind."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.cli.app import invoke
from orchestrator.errors import ExitCode, system_reason
from tests.in_process import empty_project, run

PLAN = "schema: 1\nname: app\nhosts: all\nartifact: app.mender\nwaves: [1, rest]\n"


def why_not() -> str:
    """Why nothing can be mounted here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root to mount a small file system"
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        done = subprocess.run(probe, capture_output=True, check=False, timeout=10)
    except OSError:
        return "unshare is not installed"
    return "" if done.returncode == 0 else "nothing can be mounted here"


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A full disk below a project with a plan, an inventory and an artifact."""
    empty_project(tmp_path, monkeypatch)
    (tmp_path / "hosts.yml").write_text("all: {hosts: {gw-1: , gw-2: }}\n")
    (tmp_path / "app.yml").write_text(PLAN)
    (tmp_path / "run").write_text("#!/bin/sh\n")
    assert invoke(["key", "generate", "release.key"]) == 0
    build = "artifact build single-file run --dest /opt/run -n app-1 -t lab -o app.mender"
    assert invoke([*build.split(), "--key", "release.key"]) == 0
    disk = tmp_path / "full"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)], check=True)
    try:
        fill(disk / "filler")
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path: Path) -> None:
    """Writes until nothing fits any more."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        file.writelines([bytes(4096)] * 1000)


@pytest.mark.root
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "can be mounted")
@pytest.mark.parametrize(
    "line",
    [
        "preview app.yml -i hosts.yml --offline --out full/app.plan",
        "hosts all -i hosts.yml -o full/hosts.txt",
        "key generate full/new.key",
        "artifact build single-file run --dest /opt/run -n app-2 -t lab -o full/app.mender",
        "artifact sign app.mender --key release.key --out full/signed.mender",
        "state migrate --state full/state.db",
        "freeze --reason now --state full/state.db",
        "init full/project",
    ],
)
def test_full_disk_is_said_and_nothing_is_left(full: Path, capsys, line: str) -> None:
    if line.startswith("artifact sign"):
        (full.parent / "app.mender").unlink()
        build = "artifact build single-file run --dest /opt/run -n app-1 -t lab -o app.mender"
        assert run(capsys, build)[0] == 0

    code, _, err = run(capsys, line)

    assert "the disk is full" in " ".join(err.split())
    assert code in (ExitCode.REFUSED, ExitCode.USAGE)
    left = {each.name: each.stat().st_size for each in full.iterdir() if each.name != "filler"}
    assert left in ({}, {"state.db": 0})  # an empty store is a new one, and others may have it open


def test_quota_that_is_used_up_has_words_of_its_own() -> None:
    assert system_reason(OSError(errno.EDQUOT, "x")) == "the disk quota is used up"
    assert system_reason(OSError(errno.EACCES, "Permission denied")) == "permission denied"
