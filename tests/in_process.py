"""Commands that run in this process, in an empty project that has nothing of this machine.

A process of its own costs half a second of a core before it does anything, so tests start one only
where that it is one matters: it is killed, stopped, waited for, or the start itself is tested.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orchestrator.cli.app import invoke


def empty_project(root: Path, patch: pytest.MonkeyPatch, *, columns_count: int = 100) -> None:
    """Makes `root` a project with an empty configuration of its operator, and goes there."""
    for name in list(os.environ):
        if name.startswith("ROLLOUT_") or name == "CI":
            patch.delenv(name)
    patch.setenv("COLUMNS", str(columns_count))
    patch.setenv("NO_COLOR", "1")
    patch.chdir(root)
    (root / ".git").mkdir()
    user_file(root).touch()
    patch.setenv("ROLLOUT_CONFIG", str(user_file(root)))


def user_file(root: Path) -> Path:
    """The operator's own configuration, beside the project: what lies in it has no power."""
    return root.with_name(f"{root.name}-user.toml")


def run(capsys: pytest.CaptureFixture[str], words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    code = invoke(words.split())
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def completed(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` would give for a command without standard input."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, Path(os.devnull).open(encoding="utf-8") as nothing:
        patch.chdir(cwd)
        for name in os.environ.keys() - env.keys():
            patch.delenv(name)
        for name, value in env.items():
            patch.setenv(name, value)
        for name, stream in (("stdin", nothing), ("stdout", out), ("stderr", err)):
            patch.setattr(sys, name, stream)
        code = invoke(words)
    return subprocess.CompletedProcess(words, code, _text(out), _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()
