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


def test_lab_says_what_is_broken_and_can_be_taken_down_twice(tmp_path: Path) -> None:
    broken = ["lab", "break", "lab-01"]
    try:
        up = rollout(["lab", "up", "--devices", "1"], tmp_path).stderr
        said = rollout([*broken, "--mode", "slow"], tmp_path).stderr
        status = rollout(["lab", "status"], tmp_path).stdout
        healed = rollout([*broken, "--mode", "none"], tmp_path).stderr
    finally:
        downs = [rollout(["lab", "down"], tmp_path) for _ in range(2)]

    assert "refuse every artifact" in up
    assert "rollout lab up --key release.key.pub" in up
    assert said == "lab-01 is slow; `rollout lab break lab-01 --mode none` heals it\n"
    assert "slow, empty" in status
    assert healed == "lab-01 is healed\n"
    assert [down.returncode for down in downs] == [0, 0]
    assert downs[0].stderr == "the lab is down\n"
    assert "no lab was started from" in downs[1].stderr
