"""docs/how-to/review.md: its blocks are run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest

from orchestrator.cli.app import invoke
from tests.in_process import empty_project, run
from tests.schema_of import SCHEMAS
from tests.unit.cli.test_proposing import halted_project
from tests.unit.render.reports import junit_suites, sarif_run

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/how-to/review.md").read_text(encoding="utf-8")
BLOCK, PROPOSALS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PLAN = """\
schema: 1
name: gateway-fw
hosts: all
artifact: ../releases/app-1.0.mender
waves: [1, rest]
gates: [{name: healthy, check: app, success_when: result.exit == 0}]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Path:
    empty_project(tmp_path, monkeypatch)
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.setenv(name, str(tmp_path / name))
    for name in ("plans", "inventory", "releases", "tree"):
        (tmp_path / name).mkdir()
    (tmp_path / "inventory/hosts.yml").write_text("gateways: {hosts: {'gw-[1:4]': }}\n")
    (tmp_path / "plans/gateway.yml").write_text(PLAN)
    (tmp_path / "tree/run").write_text("#!/bin/sh\n")
    assert invoke(["key", "generate", "release.key"]) == 0
    build = "artifact build directory tree --dest /opt/app -n app-1.0 -t lab --key release.key"
    assert invoke([*build.split(), "-o", "releases/app-1.0.mender"]) == 0
    capsys.readouterr()
    return tmp_path


def test_block_of_the_page_reviews_and_finds_the_same_again(
    project: Path, rollout_program: Path
) -> None:
    environment = {**os.environ, "PATH": f"{rollout_program}:{os.environ['PATH']}"}
    done = subprocess.run(
        ("sh", "-euc", BLOCK), cwd=project, env=environment,
        timeout=120, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "what was reviewed still holds\n"), done.stderr
    assert sarif_run((project / "findings.sarif").read_text())["results"] == []
    assert "### Rollout of `app-1.0` by plan `gateway-fw`" in (project / "comment.md").read_text()
    assert len(junit_suites((project / "devices.xml").read_text())) == 3
    assert json.loads((project / "preview.json").read_text())["diff"]["same"] is True
    saved = json.loads((project / "gateway.plan").read_text())
    jsonschema.validate(saved, json.loads((SCHEMAS / "saved-plan.v1.json").read_text()))


def test_block_saves_a_rollback_and_a_retry_for_review(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rollout_program: Path
) -> None:
    empty_project(tmp_path, monkeypatch)
    halted_project(tmp_path)
    environment = {**os.environ, "PATH": f"{rollout_program}:{os.environ['PATH']}"}

    done = subprocess.run(
        ("sh", "-euc", PROPOSALS), cwd=tmp_path, env=environment,
        timeout=120, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back.txt").read_text().endswith("1 to go back. Nothing was changed.\n")
    assert (tmp_path / "fix.txt").read_text().endswith("1 to try again. Nothing was changed.\n")
    assert "Reason: its screens stay dark" in (tmp_path / "comment.md").read_text()


def test_outputs_and_marker_are_those_that_the_page_names(project: Path, capsys) -> None:
    preview = "preview plans/gateway.yml -i inventory/hosts.yml --offline"
    assert run(capsys, f"{preview} --out reviewed.plan")[0] == 0
    assert run(capsys, f"{preview} --diff reviewed.plan --format github")[0] == 0

    output = (project / "GITHUB_OUTPUT").read_text()
    names = [line.partition("=")[0] for line in output.splitlines()]
    page = (REPOSITORY / "docs/how-to/github.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page or f".{name}`" in page for name in names)
    assert "same=true" in output.splitlines()
