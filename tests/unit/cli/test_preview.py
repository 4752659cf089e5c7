"""What `rollout preview` makes of its options, over the real api and without a device."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.app import invoke
from orchestrator.errors import ExitCode
from tests.in_process import empty_project, run

PLAN = """\
schema: 1
name: app
hosts: all
artifact: app-1.0.mender
waves: [1, rest]
gates: [{name: healthy, check: app, success_when: result.exit == 0}]
"""
PREVIEW = "preview app.yml -i hosts.yml --offline"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Path:
    empty_project(tmp_path, monkeypatch)
    (tmp_path / "hosts.yml").write_text("gateways: {hosts: {'gw-[1:4]': }}\n")
    (tmp_path / "app.yml").write_text(PLAN)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/run").write_text("#!/bin/sh\n")
    build = "artifact build directory tree --dest /opt/app -n app-1.0 -t lab -o app-1.0.mender"
    assert invoke(["key", "generate", "release.key"]) == 0
    assert invoke([*build.split(), "--key", "release.key"]) == 0
    capsys.readouterr()
    return tmp_path


def test_the_same_plan_again_has_the_digest_that_was_reviewed(project: Path, capsys) -> None:
    assert run(capsys, f"{PREVIEW} --out old.plan")[0] == 0

    code, out, _ = run(capsys, f"{PREVIEW} --diff old.plan --out old.plan")

    assert code == 0
    assert "nothing has changed, the digest is the same" in " ".join(out.split())


def test_what_changed_since_is_text_and_data(project: Path, capsys) -> None:
    assert run(capsys, f"{PREVIEW} --out old.plan")[0] == 0
    (project / "hosts.yml").write_text("gateways: {hosts: {'gw-[1:5]': }}\n")
    (project / "app.yml").write_text(PLAN + "soak: 1h\n")

    text = run(capsys, f"{PREVIEW} --diff old.plan")[1]
    found = json.loads(run(capsys, f"{PREVIEW} --diff old.plan --format json")[1])["diff"]

    assert "waves    wave-1: soak 0s → 1h" in text
    assert (found["against"]["file"], found["same"]) == ("old.plan", False)
    assert [move["change"] for move in found["devices"]].count("in") == 1


def test_only_a_saved_plan_can_be_compared_with(project: Path, capsys) -> None:
    code, out, err = run(capsys, f"{PREVIEW} --diff app.yml")

    assert code == ExitCode.REFUSED
    assert out == ""
    assert "error[P302]: `app.yml` is not JSON" in err
