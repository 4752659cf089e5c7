import io
import os
import pty
from collections.abc import Iterator

import pytest

from orchestrator.cli.confirm import confirm_devices, confirm_key
from orchestrator.errors import ExitCode, PlanError


def test_the_number_of_devices_confirms(asking, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("1 284\n"))

    confirm_devices(asking, "Apply", 1284, yes=False)

    assert "Apply: 1 284 devices? Type 1284: " in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["y\n", "yes\n", "", "1283\n"])
def test_any_other_answer_refuses(asking, monkeypatch, answer) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))

    with pytest.raises(PlanError, match="nothing was changed") as refused:
        confirm_devices(asking, "Apply", 1284, yes=False)

    assert refused.value.exit_code is ExitCode.REFUSED


@pytest.fixture
def typist(monkeypatch) -> Iterator[int]:
    """Who types at the terminal that stdin is: bytes written here were typed."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, encoding="utf-8") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        yield ours
    os.close(ours)


class Answering(io.StringIO):
    """Shows a question, and somebody types the answer who sees it."""

    def __init__(self, typist: int, answer: bytes) -> None:
        super().__init__()
        self._typist, self._answer = typist, answer

    def write(self, text: str) -> int:
        os.write(self._typist, self._answer)
        return super().write(text)


def test_what_was_typed_before_the_question_answers_nothing(asking, monkeypatch, typist) -> None:
    os.write(typist, b"3\n")
    monkeypatch.setattr("sys.stderr", Answering(typist, b"no\n"))

    with pytest.raises(PlanError, match="nothing was changed"):
        confirm_devices(asking, "Apply", 3, yes=False)


def test_what_is_typed_to_the_question_answers_it(asking, monkeypatch, typist) -> None:
    os.write(typist, b"y\n")
    monkeypatch.setattr("sys.stderr", Answering(typist, b"3\n"))

    confirm_devices(asking, "Apply", 3, yes=False)


def test_without_anybody_to_ask_it_wants_the_flag(session) -> None:
    with pytest.raises(PlanError, match="needs a confirmation") as refused:
        confirm_devices(session, "Apply", 3, yes=False)

    assert "--yes" in refused.value.hint


def test_the_flag_asks_nobody(session) -> None:
    confirm_devices(session, "Apply", 3, yes=True)


@pytest.mark.parametrize(("answer", "accepted"), [("yes\n", True), ("y\n", False), ("", False)])
def test_a_host_key_wants_a_whole_yes(asking, monkeypatch, capsys, answer, accepted) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))

    assert confirm_key(asking, "gw\x1b[2J", "SHA256:abc") is accepted
    shown = capsys.readouterr().err
    assert "SHA256:abc" in shown
    assert "\x1b" not in shown


def test_nobody_accepts_a_host_key_where_nobody_is(session) -> None:
    assert confirm_key(session, "gw", "SHA256:abc") is False
