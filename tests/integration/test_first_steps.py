"""What `rollout init` says to do next leads to a fleet that takes the release."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import in_process

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def rollout(words: Sequence[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return in_process.completed(words, cwd=cwd, env=os.environ)


def test_lines_that_init_prints_lead_to_a_preview_of_a_fleet_that_trusts_the_key(
    tmp_path: Path,
) -> None:
    said = rollout(["init", "my fleet"], tmp_path).stderr.splitlines()
    steps = [shlex.split(line) for line in said if line.startswith("  ")]
    project = tmp_path / steps[0][1]

    try:
        done = [rollout(words[1:], project) for words in steps[1:-1]]
    finally:
        rollout(["lab", "down"], project)

    assert steps[0][0] == "cd"
    assert steps[-1][:2] == ["rollout", "apply"]
    assert [one.returncode for one in done] == [0] * 4, [one.stderr for one in done]
    assert "refuse every artifact" not in done[2].stderr
    assert "24 to update" in done[3].stdout


def test_lab_whose_devices_trust_no_key_says_so(tmp_path: Path) -> None:
    try:
        said = rollout(["lab", "up", "--devices", "1"], tmp_path).stderr
    finally:
        rollout(["lab", "down"], tmp_path)

    assert "refuse every artifact" in said
    assert "rollout lab up --key release.key.pub" in said
