"""Control verbs: what each asks for, and what is said of the answer."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.api import Asked, AskRequest, Settings
from orchestrator.cli.app import invoke
from orchestrator.cli.driving import staying
from orchestrator.cli.session import Session
from orchestrator.device.reason import FailureClass
from orchestrator.errors import ExitCode
from orchestrator.render.text import Look
from orchestrator.rollout.events import Ask, TakeBack

DONE = Asked("r-1", "eve@b:1:1", needs_engine=False, answer="done")
SO_ALREADY = Asked("r-1", "eve@b:1:1", needs_engine=False, answer="already")


@pytest.fixture
def asked(monkeypatch, tmp_path) -> list[AskRequest]:
    """Requests that commands made."""
    made: list[AskRequest] = []

    async def ask(_settings: Settings, request: AskRequest) -> Asked:
        made.append(request)
        return SO_ALREADY

    monkeypatch.setattr("orchestrator.api.ask", ask)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.parametrize(
    ("line", "request_made"),
    [
        ("pause r-1 --reason noon", AskRequest("r-1", Ask.PAUSE, "noon")),
        ("pause r-1 --why noon", AskRequest("r-1", Ask.PAUSE, "noon")),
        ("resume --accept-failures", AskRequest(None, Ask.RESUME, accept_failures=True)),
        ("halt r-1", AskRequest("r-1", Ask.HALT)),
        ("abort", AskRequest(None, Ask.ABORT)),
        ("abort --rollback wave", AskRequest(None, Ask.ABORT, take_back=TakeBack.WAVE)),
        ("abort --rollback all", AskRequest(None, Ask.ABORT, take_back=TakeBack.ALL)),
        ("promote", AskRequest(None, Ask.PROMOTE)),
        ("promote --full --wave a", AskRequest(None, Ask.PROMOTE, full=True, wave="a")),
        ("retry --only connect", AskRequest(None, Ask.RETRY, only=FailureClass.CONNECT)),
        ("retry --device a --device b", AskRequest(None, Ask.RETRY, devices=("a", "b"))),
        ("approve --wave a", AskRequest(None, Ask.APPROVE, wave="a")),
        ("approve --digest abc", AskRequest(None, Ask.APPROVE, digest="abc")),
        ("approve --deny --reason no", AskRequest(None, Ask.DENY, "no")),
    ],
)
def test_command_line_asks_for_what_it_says(asked, line, request_made) -> None:
    assert invoke(line.split()) == ExitCode.DONE

    assert asked == [request_made]


@pytest.mark.parametrize("line", ["abort --rollback some", "retry --only bad-luck"])
def test_unknown_choice_is_wrong_usage(asked, line, capsys) -> None:
    assert invoke(line.split()) == ExitCode.USAGE

    assert asked == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (DONE, ["rollout r-1: halted; devices past the point of no return finish"]),
        (
            Asked("r-1", "", False, "already", "it is halted", ("rollout status r-1", "rollout x")),
            ["rollout r-1: nothing to do: it is halted", "next: rollout status r-1  |  rollout x"],
        ),
        (
            Asked("r-1", "eve@b:1:1", False),
            ["rollout r-1: halt is recorded; eve@b:1:1 has not answered yet"],
        ),
        (
            Asked("r-1", "", False),
            ["rollout r-1: halt is recorded; the next engine has not answered yet"],
        ),
    ],
)
def test_what_came_of_it_is_said(monkeypatch, tmp_path, capsys, answer, said) -> None:
    async def ask(_settings: Settings, _request: AskRequest) -> Asked:
        return answer

    monkeypatch.setattr("orchestrator.api.ask", ask)
    monkeypatch.chdir(tmp_path)

    code = invoke(["halt", "r-1"])

    shown = capsys.readouterr()
    assert (code, shown.out) == (ExitCode.DONE, "")
    assert shown.err.splitlines() == said


def test_staying_for_everything_must_be_said() -> None:
    """A pause by a person is waited for only where keys could end it."""
    look = Look(80)
    piped = Session(Settings(Path("p"), "sqlite:"), look, look, live=False, may_ask=False)
    keyed = replace(piped, live=True, may_ask=True)

    assert (staying(piped, None), staying(piped, None, wait=True)) == ("soaks", "all")
    assert (staying(keyed, None), staying(keyed, None, wait=True)) == ("pauses", "all")
    assert staying(replace(keyed, may_ask=False), None) == "soaks"
