"""Driving with work of the test's own: what is printed where, and the exit code."""

import asyncio
import json
import sys
from dataclasses import replace

import pytest

from orchestrator.api import (
    Asked,
    AskRequest,
    Finished,
    Nobody,
    Observer,
    Run,
    Settings,
    Status,
    Unreadable,
)
from orchestrator.cli.app import invoke
from orchestrator.cli.closed import Closed
from orchestrator.cli.driving import ask, watch
from orchestrator.errors import ExitCode, OrchestratorError, PlanError
from orchestrator.render.folds import Pipeline
from orchestrator.rollout.events import Ask, EngineStarted, TakeBack
from orchestrator.rollout.machine import Rollout
from orchestrator.rollout.states import RolloutState
from orchestrator.rollout.story import tell
from tests.unit.cli.watched import a_run
from tests.unit.render.reports import commands


class Work:
    """Starts a rollout and ends at once with a given code."""

    def __init__(self, code: ExitCode = ExitCode.DONE) -> None:
        self.code = code

    async def __call__(self, observer: Observer, drain: asyncio.Event) -> Finished:
        plan = a_run().resolved
        rollout = Rollout.start(plan, "r-1", at=100.0)
        rollout.handle(EngineStarted(100.0, 1))
        observer.started(Run("r-1", plan, "e" * 64, joined=False))
        observer.journal(rollout.collect().journal)
        observer.tick(101.0)
        return Finished(Status("r-1", plan, "e" * 64, tell(rollout), "", 0.0), self.code)


def test_progress_goes_to_stderr_and_the_summary_to_stdout(session, capsys) -> None:
    code = watch(session, Work(ExitCode.HALTED), events=None)

    shown = capsys.readouterr()
    assert code == ExitCode.HALTED
    assert "00:00 rollout r-1: app-1 to 1 device in 1 wave" in shown.err
    assert "exit code 4: " in shown.out
    assert "rollout status r-1" in shown.out


def test_on_github_the_end_is_an_annotation_a_summary_and_outputs(
    session, capsys, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "out"))

    watch(replace(session, pipeline=Pipeline.GITHUB), Work(ExitCode.HALTED), events=None)

    shown = capsys.readouterr().out
    ((kind, given, said),) = commands(shown.strip())
    assert kind == "error"
    assert "app-1 (r-1) in wave" in given["title"]
    assert "exit code 4: halted" in said
    assert shown.index("rollout status r-1") < shown.index("::error")
    assert "exit code 4: halted" in (tmp_path / "summary.md").read_text()
    assert (tmp_path / "out").read_text() == "rollout=r-1\nstate=running\nexit=4\n"


def test_summary_that_github_does_not_take_changes_no_exit_code(
    session, capsys, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))

    code = watch(replace(session, pipeline=Pipeline.GITHUB), Work(), events=None)

    shown = capsys.readouterr()
    assert code == ExitCode.DONE
    assert "warning: cannot write `" in shown.err
    assert [kind for kind, _, _ in commands(shown.out.strip())] == ["notice"]


def test_end_of_a_rollout_is_told_although_stdout_is_closed(session, capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdout", Closed())

    code = watch(session, Work(ExitCode.HALTED), events=None)

    assert code == ExitCode.HALTED
    shown = capsys.readouterr().err
    assert "warning: cannot write the result: standard output is closed" in shown
    assert "exit code 4: halted" in shown


def test_events_on_stdout_are_never_mixed_with_text(session, capsys) -> None:
    watch(session, Work(ExitCode.HALTED), events="-")

    shown = capsys.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert lines[0]["type"] == "version"
    assert lines[1]["type"] == "rollout_started"
    assert "exit code 4" in shown.err


def test_events_go_to_a_file(session, tmp_path, capsys) -> None:
    watch(session, Work(), events=str(tmp_path / "events.jsonl"))

    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["rollout"] == "r-1"
    assert "events" not in capsys.readouterr().err


def test_an_events_file_that_cannot_be_opened_stops_before_any_work(session, tmp_path) -> None:
    started = []

    async def work(observer: Observer, drain: asyncio.Event) -> Finished:
        started.append(True)
        raise AssertionError

    with pytest.raises(OrchestratorError, match="cannot write events"):
        watch(session, work, events=str(tmp_path / "no" / "events.jsonl"))

    assert not started


def test_an_interrupted_rollout_says_how_to_go_on(session, capsys) -> None:
    code = watch(session, Work(ExitCode.INTERRUPTED), events=None)

    shown = capsys.readouterr().out
    assert code == ExitCode.INTERRUPTED
    assert "INTERRUPTED app-1 (r-1)" in shown
    assert "rollout resume r-1" in shown


def test_errors_of_the_work_pass(session) -> None:
    async def work(observer: Observer, drain: asyncio.Event) -> Finished:
        raise PlanError("stale")

    with pytest.raises(PlanError, match="stale"):
        watch(session, work, events=None)


@pytest.mark.parametrize(
    ("stopped", "follows"),
    [
        (RolloutState.HALTED, "rollout resume r-1 --accept-failures"),
        (RolloutState.PAUSED, "rollout resume r-1"),
    ],
)
def test_what_still_has_to_follow_is_said_last(
    session, capsys, monkeypatch, stopped, follows
) -> None:

    async def recorded(_settings: Settings, _request: AskRequest) -> Asked:
        return Asked("r-1", "ann@elsewhere:1:1", needs_engine=False, answer="done", stopped=stopped)

    monkeypatch.setattr("orchestrator.api.ask", recorded)

    assert ask(session, AskRequest(None, Ask.RETRY)) == 0

    *_, last = capsys.readouterr().err.splitlines()
    assert last == f"the rollout stays {stopped} until `{follows}`"


@pytest.mark.parametrize(
    ("request_made", "state", "code", "ends_with"),
    [
        (AskRequest("r-1", Ask.ABORT), RolloutState.ABORTED, ExitCode.HALTED, ExitCode.HALTED),
        (
            AskRequest("r-1", Ask.ABORT, take_back=TakeBack.ALL),
            RolloutState.ROLLED_BACK,
            ExitCode.ROLLED_BACK,
            ExitCode.ROLLED_BACK,
        ),
        (
            AskRequest("r-1", Ask.ROLLBACK),
            RolloutState.ROLLED_BACK,
            ExitCode.ROLLED_BACK,
            ExitCode.DONE,
        ),
        (
            AskRequest("r-1", Ask.ROLLBACK),
            RolloutState.FAILED,
            ExitCode.NEEDS_HUMAN,
            ExitCode.NEEDS_HUMAN,
        ),
    ],
)
def test_what_ends_a_rollout_has_the_code_of_its_end_when_another_engine_ends_it(
    session, capsys, monkeypatch, request_made, state, code, ends_with
) -> None:
    async def recorded(_settings: Settings, _request: AskRequest) -> Asked:
        return Asked("r-1", "ann@elsewhere:1:1", needs_engine=False, answer="done")

    async def watched(_settings: Settings, what: str, **choices: object) -> Status:
        assert (what, choices["while_driven"]) == ("r-1", True)
        status = (await Work()(Nobody(), asyncio.Event())).status
        return replace(status, story=replace(status.story, state=state, exit_code=code))

    monkeypatch.setattr("orchestrator.api.ask", recorded)
    monkeypatch.setattr("orchestrator.api.watch", watched)

    assert ask(session, request_made) == ends_with

    assert "app-1 (r-1)" in capsys.readouterr().out


def test_what_an_engine_did_not_live_to_end_is_ended_here(session, capsys, monkeypatch) -> None:
    async def recorded(_settings: Settings, _request: AskRequest) -> Asked:
        return Asked("r-1", "ann@elsewhere:1:1", needs_engine=False, answer="done")

    async def watched(_settings: Settings, _what: str, **_choices: object) -> Status:
        return (await Work()(Nobody(), asyncio.Event())).status

    async def run(_settings: Settings, rollout_id: str, **choices: object) -> Finished:
        assert (rollout_id, choices["asked"]) == ("r-1", Ask.ABORT)
        return await Work(ExitCode.HALTED)(Nobody(), asyncio.Event())

    monkeypatch.setattr("orchestrator.api.ask", recorded)
    monkeypatch.setattr("orchestrator.api.watch", watched)
    monkeypatch.setattr("orchestrator.api.run", run)

    assert ask(session, AskRequest("r-1", Ask.ABORT)) == ExitCode.HALTED


def test_status_of_all_says_which_rollout_cannot_be_read(monkeypatch, tmp_path, capsys) -> None:
    async def rollouts(_settings: Settings) -> tuple[Unreadable, ...]:
        return (Unreadable("r-2", "site", "halted", "rollout `r-2` cannot be read: changed"),)

    monkeypatch.setattr("orchestrator.api.rollouts", rollouts)
    monkeypatch.chdir(tmp_path)

    code = invoke(["status", "--all"])

    shown = capsys.readouterr().out
    assert code == ExitCode.PARTIAL
    assert "halted, not readable" in shown
    assert "rollout `r-2` cannot be read: changed" in shown
