"""Commands that run in this process, in an empty project that has nothing of this machine."""

from __future__ import annotations

import os
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
    (root / "user.toml").touch()
    patch.setenv("ROLLOUT_CONFIG", str(root / "user.toml"))


def run(capsys: pytest.CaptureFixture[str], words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    code = invoke(words.split())
    shown = capsys.readouterr()
    return code, shown.out, shown.err
