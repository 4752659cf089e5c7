"""docs/how-to/fleet.md: its blocks are run as they stand, in a project whose devices drifted."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from orchestrator.render.fleet import SECTIONS
from tests.unit.cli.test_fleet import OTHER, SAME, seen

__all__ = ["seen"]  # a fixture

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/how-to/fleet.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def shell(root: Path, program: Path, script: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{program}:{os.environ['PATH']}"}
    return subprocess.run(
        ("sh", "-euc", script), cwd=root, env=environment,
        timeout=120, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_commands_of_the_page_do_what_it_says(seen, tmp_path, rollout_program) -> None:
    hosts = (tmp_path / "hosts.yml").read_text()
    (tmp_path / "hosts.yml").write_text(f"{hosts}berlin: {{hosts: {{gw-1: }}}}\n")
    seen(a=SAME, b=OTHER)

    glance, pipeline, offline = (shell(tmp_path, rollout_program, block) for block in BLOCKS)

    assert (glance.returncode, glance.stderr) == (0, "")
    assert "1 device of gateways:&berlin: 1 version" in glance.stdout
    assert "2 devices of gateways: 2 versions; 0 answered at" in glance.stdout
    assert len((tmp_path / "fleet.csv").read_text().splitlines()) == 3
    assert (pipeline.returncode, pipeline.stdout) == (0, "some differ, see drift.json\n")
    found = json.loads((tmp_path / "drift.json").read_text())
    assert found["counts"] == {"same": 0, "differs": 1, "unknown": 1}
    assert offline.stdout.endswith("ended with 2\n")
    assert "1 as the last rollout left them, 1 different, 0 not known" in offline.stdout


def test_every_section_is_explained_in_order() -> None:
    table = PAGE.partition("| section | who |")[2].partition("\n\n")[0]
    told = re.findall(r"^\| ([a-z ]+) \|", table, re.MULTILINE)

    assert [section.title for section in SECTIONS] == told
