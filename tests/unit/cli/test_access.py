"""Shells and files of devices at the command line: the way out, and what a terminal is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.access import visible
from orchestrator.cli.terminal import Escape
from tests.in_process import empty_project, run, user_file

SHELL = "device shell gw-1 -i gw-1, --login ann --reason look"


@pytest.mark.parametrize(
    ("typed", "sent", "leaves"),
    [
        (b"~.", b"", True),
        (b"ls\r~.rest", b"ls\r", True),
        (b"ls\n~.", b"ls\n", True),
        (b"ls ~.", b"ls ~.", False),
        (b"~~.", b"~.", False),
        (b"~~~.", b"~~.", False),
        (b"~x~.", b"~x~.", False),
        (b"~\r~.", b"~\r", True),
        (b"\x03\x1a\x04", b"\x03\x1a\x04", False),
    ],
)
def test_way_out_is_at_the_beginning_of_a_line_alone(
    typed: bytes, sent: bytes, leaves: bool
) -> None:
    assert Escape().take(typed) == (sent, leaves)
    one_by_one = Escape()
    found = [one_by_one.take(typed[at : at + 1]) for at in range(len(typed))]
    assert any(left for _sent, left in found) is leaves


def test_output_on_a_terminal_moves_nothing_and_keeps_its_lines() -> None:
    assert visible("a\tb\r\nc\x1b[2J\x07\r\n") == "a\tb\nc\\x1b[2J\\x07\n"
    assert visible("x" * 5000) == "x" * 5000
    assert visible("\u202e\x00") == "\\u202e\\x00"


def test_neither_is_given_unless_it_is_allowed_and_a_reason_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "p"
    root.mkdir()
    empty_project(root, monkeypatch)

    off = run(capsys, f"{SHELL} -- id")
    other = run(capsys, "device fetch gw-1 /x -i gw-1, --login ann --reason look")
    user_file(root).write_text('allow_device_access = ["shell"]\n')
    no_terminal = run(capsys, SHELL)
    fetch_is_another = run(capsys, "device fetch gw-1 /x -i gw-1, --login ann --reason look")
    no_reason = run(capsys, "device shell gw-1 -i gw-1, -- id")
    (root / "rollout.toml").write_text('allow_device_access = ["fetch"]\n')
    by_the_project = run(capsys, f"{SHELL} -- id")

    assert [(one[0], "error[D120]" in one[2]) for one in (off, other)] == [(1, True)] * 2
    assert (no_terminal[0], "error[D125]" in no_terminal[2]) == (1, True)
    assert (fetch_is_another[0], "error[D120]" in fetch_is_another[2]) == (1, True)
    assert no_reason[0] == 2
    assert (by_the_project[0], "error[C104]" in by_the_project[2]) == (2, True)
    assert not (root / ".rollout").exists()
