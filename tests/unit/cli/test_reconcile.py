"""`rollout reconcile`: its lines and its exit code."""

import sys
import time

import pytest

from orchestrator.api import Reconciled, Settings
from orchestrator.cli.app import invoke
from orchestrator.cli.reconcile import line, worst
from orchestrator.errors import ExitCode

WAITING = Reconciled("r-1", "site", "awaiting_approval", ("approval",), ExitCode.WAITING)
HALTED = Reconciled("r-2", "app", "halted", ("operator",), ExitCode.HALTED)
CLOSED = Reconciled(
    "r-5", "site", "running", ("deferred", "window"), ExitCode.WAITING,
    until={"deferred": 60.0, "window": 7200.0},
)  # fmt: skip
ELSEWHERE = Reconciled("r-3", "app", "running", (), ExitCode.DONE, engine="ann@b:1:1")
BROKEN = Reconciled("r-4", "", "", (), ExitCode.USAGE, error="it cannot be read")


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (WAITING, "r-1 site: awaiting approval, waits for approval"),
        (HALTED, "r-2 app: halted, waits for operator"),
        (
            CLOSED,
            "r-5 site: running, waits for deferred and window until 1970-01-01 02:00:00Z",
        ),
        (ELSEWHERE, "r-3 app: running (driven by ann@b:1:1)"),
        (BROKEN, "r-4: not advanced: it cannot be read"),
    ],
)
def test_each_rollout_has_one_line(one, text) -> None:
    assert line(one) == text


@pytest.mark.parametrize("words", [["reconcile", "--once"], ["apply", "none.yml"]])
def test_traces_without_their_extra_are_refused_before_anything_else(
    words, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    exporter = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    monkeypatch.setitem(sys.modules, exporter, None)

    assert invoke([*words, "--traces"]) == ExitCode.USAGE

    said = capsys.readouterr().err
    assert "traces need the extra `otel`" in said
    assert "rollout-orchestrator[otel]" in said


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((), 0),
        ((0, 0), 0),
        ((0, 7), 7),
        ((7, 3), 3),
        ((3, 1), 1),
        ((7, 4, 5), 4),
        ((4, 2, 7), 2),
        ((4, 6, 2), 6),
    ],
)
def test_exit_code_is_the_worst(codes, expected) -> None:
    assert worst(map(ExitCode, codes)) == expected


@pytest.mark.parametrize("code", ExitCode)
def test_every_code_of_a_rollout_has_its_place(code) -> None:
    assert worst([code, ExitCode.DONE]) == code


def test_one_pass_prints_and_ends(monkeypatch, tmp_path, capsys) -> None:
    async def reconcile(_settings: Settings, **_choices: object) -> tuple[Reconciled, ...]:
        return (WAITING, HALTED)

    monkeypatch.setattr("orchestrator.api.reconcile", reconcile)
    monkeypatch.chdir(tmp_path)

    code = invoke(["reconcile", "--once"])

    assert code == ExitCode.HALTED
    assert capsys.readouterr().out.splitlines() == [line(WAITING), line(HALTED)]


def test_passes_repeat_until_it_is_stopped(monkeypatch, tmp_path, capsys) -> None:
    passes: list[int] = []

    async def reconcile(_settings: Settings, **choices: object) -> tuple[Reconciled, ...]:
        passes.append(1)
        if len(passes) == 2:  # Ctrl-C during the second pass
            choices["drain"].set()  # type: ignore[attr-defined]  # an event
        return ()

    monkeypatch.setattr("orchestrator.api.reconcile", reconcile)
    monkeypatch.chdir(tmp_path)

    code = invoke(["reconcile", "--every", "1s"])

    assert (code, len(passes)) == (ExitCode.INTERRUPTED, 2)


def test_time_between_passes_comes_from_the_configuration(monkeypatch, tmp_path) -> None:
    (tmp_path / "rollout.toml").write_text('reconcile_every = "1s"\n')
    passes: list[float] = []

    async def reconcile(_settings: Settings, **choices: object) -> tuple[Reconciled, ...]:
        passes.append(time.monotonic())
        if len(passes) == 2:  # Ctrl-C during the second pass
            choices["drain"].set()  # type: ignore[attr-defined]  # an event
        return ()

    monkeypatch.setattr("orchestrator.api.reconcile", reconcile)
    monkeypatch.chdir(tmp_path)

    invoke(["reconcile"])

    assert 1.0 <= passes[1] - passes[0] < 30.0  # where nobody says, it is a minute


def test_every_wants_a_duration(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.chdir(tmp_path)

    code = invoke(["reconcile", "--every", "soon"])

    assert code == ExitCode.USAGE
    assert "`soon` is not a duration" in capsys.readouterr().err


def test_pass_of_no_branch_has_figures_too(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.chdir(tmp_path)

    code = invoke(["reconcile", "--once", "--metrics-file", "rollout.prom"])

    text = (tmp_path / "rollout.prom").read_text()
    assert code == ExitCode.DONE
    assert "\nrollout_last_pass_timestamp_seconds " in text
    assert "rollout_controller" not in text


def test_file_of_figures_that_cannot_be_written_is_said_and_changes_no_code(
    monkeypatch, tmp_path, capsys
) -> None:
    monkeypatch.chdir(tmp_path)

    code = invoke(["reconcile", "--once", "--metrics-file", "nowhere/rollout.prom"])

    assert code == ExitCode.DONE
    assert "warning: no figures were written" in capsys.readouterr().err
