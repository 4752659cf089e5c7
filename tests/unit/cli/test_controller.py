"""`rollout reconcile --git`: its options, its lines and its file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.cli.app import invoke
from orchestrator.errors import ExitCode
from tests.in_process import run
from tests.unit.api.test_controlling import Fleet


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    found = Fleet(tmp_path)
    found.place.mkdir()
    user = found.outside / "user.toml"
    user.write_text(f'identity_files = ["{found.keys.path("ann")}"]\n')
    monkeypatch.setenv("ROLLOUT_CONFIG", str(user))
    monkeypatch.chdir(found.place)
    return found


def test_one_pass_applies_says_and_writes_where_it_stands(fleet: Fleet, capsys) -> None:
    commit = fleet.push()
    words = f"reconcile --once --git {fleet.root} --checkout here --status status.json"

    code, out, _ = run(capsys, words)
    again, second, _ = run(capsys, words)

    assert (code, again) == (ExitCode.WAITING, ExitCode.WAITING)
    assert out.splitlines()[0] == f"{fleet.root} main is at {commit[:12]}"
    assert " site of plans/site.yml: scheduled, waits for start until 2099" in out
    assert second == out
    status = json.loads((fleet.place / "status.json").read_text())
    assert (status["part"], status["commit"]["taken"]) == ("done", commit)
    assert status["health"] == "progressing"
    assert [one["plan"] for one in status["rollouts"]] == ["plans/site.yml"]


def test_checkout_itself_can_be_followed_at_its_origin(fleet: Fleet, capsys) -> None:
    fleet.push()
    fleet.git("clone", "-q", str(fleet.root), str(fleet.outside / "clone"))
    newer = fleet.push()

    code, out, _ = run(capsys, f"reconcile --once --git {fleet.outside / 'clone'} -q")

    assert (code, out) == (ExitCode.WAITING, "")
    clone = replace(fleet.following, checkout=fleet.outside / "clone")
    assert (clone.checkout / ".git/HEAD").read_text().strip() == newer


def test_checkout_without_an_origin_cannot_be_followed(fleet: Fleet, capsys) -> None:
    fleet.push()

    code, _, err = run(capsys, f"reconcile --once --git {fleet.root}")

    assert code == ExitCode.USAGE
    assert "that could be followed" in err


def test_store_that_a_commit_could_name_is_refused(fleet: Fleet, capsys, monkeypatch) -> None:
    (fleet.root / "rollout.toml").write_text('inventory = ["hosts.yml"]\nstate = "s.db"\n')
    fleet.push()
    fleet.git("clone", "-q", str(fleet.root), str(fleet.outside / "clone"))
    monkeypatch.chdir(fleet.outside / "clone")

    code, _, err = run(capsys, "reconcile --once --git .")

    assert code == ExitCode.USAGE
    assert "would choose the state store" in err


def test_options_of_a_branch_want_one(fleet: Fleet, capsys) -> None:
    code, _, err = run(capsys, "reconcile --once --branch production")

    assert code == ExitCode.USAGE
    assert "`--git` names none" in err


def test_commit_to_be_accepted_is_named_in_full(fleet: Fleet, capsys) -> None:
    code, _, err = run(capsys, f"reconcile --git {fleet.root} --accept-rewrite abc123")

    assert code == ExitCode.USAGE
    assert "not the whole name of a commit" in err


def test_address_with_a_login_is_refused_without_being_repeated(fleet: Fleet, capsys) -> None:
    code, out, err = run(capsys, "reconcile --once --git https://ann:secret@git.example.net/a.git")

    assert code == ExitCode.USAGE
    assert "secret" not in out + err
    assert not (fleet.place / ".rollout/checkout").exists()


def test_full_disk_below_its_lines_stops_nothing(fleet: Fleet, monkeypatch) -> None:
    fleet.push()

    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        code = invoke(["reconcile", "--once", "--git", f"file://{fleet.root}"])

    assert code == ExitCode.WAITING


def test_file_of_status_that_cannot_be_written_is_said_and_stops_nothing(
    fleet: Fleet, capsys
) -> None:
    fleet.push()

    code = invoke(
        ["reconcile", "--once", "--git", f"file://{fleet.root}", "--status", "nowhere/status.json"]
    )

    assert code == ExitCode.WAITING
    assert "warning: cannot write `nowhere/status.json`" in capsys.readouterr().err


def test_one_pass_leaves_its_figures_in_a_file(fleet: Fleet, capsys) -> None:
    fleet.push()

    code, _, err = run(
        capsys, f"reconcile --once --git file://{fleet.root} --metrics-file rollout.prom"
    )

    figures = (fleet.place / "rollout.prom").read_text()
    assert code == ExitCode.WAITING, err
    assert 'rollout_rollouts{state="scheduled"} 1.0' in figures
    assert 'rollout_devices{state="pending"} 2.0' in figures
    assert not any(name in figures for name in ("web1", "site", str(fleet.root)))


@pytest.mark.parametrize("text", ["9810x", "host:", "127.0.0.1:99999"])
def test_what_is_no_address_is_not_listened_on(fleet: Fleet, capsys, text: str) -> None:
    code, _, err = run(capsys, f"reconcile --once --listen {text}")

    assert code == ExitCode.USAGE
    assert "is not HOST:PORT" in err
