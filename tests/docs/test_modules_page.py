"""The page of update modules: its rows are the modules, its commands build, and its boot loader script is one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.artifact import read_artifact
from tests.device.kit import MODULES
from tests.docs.test_references import REPOSITORY, first_cells

PAGE = (REPOSITORY / "docs/reference/modules.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    found = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_every_module_has_its_row() -> None:
    table = PAGE.partition("| type |")[2].partition("\n\n")[0]
    rows = [cell.partition("`")[2].partition("`")[0] for cell in first_cells("| type |" + table)]

    assert sorted(rows) == sorted(module.name for module in MODULES.iterdir())


def test_its_commands_build_what_they_say(tmp_path: Path, rollout_program: Path) -> None:
    commands = block("sh")
    for name in set(re.findall(r"--file (\S+)", commands)):
        (tmp_path / name).write_text(name)

    done = subprocess.run(
        ["sh", "-euc", commands],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{rollout_program}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    built = {read_artifact(path).payload.type for path in tmp_path.glob("*-*.mender")}
    assert built == {"deb", "compose", "rootfs-image", "rauc", "swupdate", "mender"}


def test_grub_takes_the_script(tmp_path: Path) -> None:
    if not shutil.which("grub-script-check"):
        pytest.skip("grub-script-check is not installed")
    script = tmp_path / "grub.cfg"
    script.write_text(block("grub"))

    assert subprocess.run(["grub-script-check", script], check=False).returncode == 0
