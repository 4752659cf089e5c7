"""`rollout show`: what was decided when a plan was made, as `preview` showed it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode
from tests.docs.test_commands_page import waiting_rollout
from tests.in_process import empty_project, run

PREVIEW = "preview site.yml -i hosts.yml --offline"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a rollout, whose inputs are gone afterwards."""
    empty_project(tmp_path, monkeypatch)
    waiting_rollout(tmp_path)
    return tmp_path


def without_inputs(project: Path) -> None:
    for name in ("hosts.yml", "site.yml", "site.mender"):
        (project / name).unlink()


@pytest.mark.parametrize("form", ["text", "json", "markdown", "gitlab-terraform", "junit", "sarif"])
def test_saved_plan_is_shown_as_its_preview_was(project: Path, capsys, form) -> None:
    before = run(capsys, f"{PREVIEW} --out site.plan --state other.db --format {form}")
    without_inputs(project)

    code, out, err = run(capsys, f"show site.plan --format {form}")

    assert (code, out) == (ExitCode.DONE, before[1])
    assert err.startswith("saved plan site.plan, made 20")


def test_plan_of_a_rollout_is_shown_with_its_digest(project: Path, capsys) -> None:
    without_inputs(project)
    digest = json.loads(run(capsys, "status --format json")[1])["plan_sha256"]

    code, out, err = run(capsys, "show r-7 --format json")

    shown = json.loads(out)
    assert (code, shown["digest"], shown["kind"]) == (ExitCode.DONE, digest, "preview")
    assert err.startswith("plan of rollout r-7f3a, made 20")
    assert run(capsys, "show -q")[1:] == (run(capsys, "show r-7f3a")[1], "")


def test_what_is_no_saved_plan_is_refused(project: Path, capsys) -> None:
    code, out, err = run(capsys, "show site.yml")

    assert (code, out) == (ExitCode.REFUSED, "")
    assert "error[P301]: `site.yml` is no saved plan" in err
    assert "`rollout preview site.yml`" in err


def test_missing_file_is_not_taken_for_a_rollout(project: Path, capsys) -> None:
    assert "there is no file `gone.plan`" in run(capsys, "show gone.plan")[2]
    assert "gone" in run(capsys, "show gone")[2]


def test_edited_plan_is_not_shown(project: Path, capsys) -> None:
    run(capsys, f"{PREVIEW} --out site.plan --state other.db")
    saved = project / "site.plan"
    saved.write_bytes(saved.read_bytes().replace(b"web1", b"evil"))

    code, out, err = run(capsys, "show site.plan")

    assert (code, out) == (ExitCode.REFUSED, "")
    assert "was changed after it was saved" in err
