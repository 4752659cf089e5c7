"""The kit's own terminal: who answers waits until the program listens, and never for ever."""

import os
import sys
from pathlib import Path

import pytest

from tests import terminal
from tests.terminal import on_terminal

SLOW = """\
import sys, termios, time
print("PIN: ", end="", flush=True)
time.sleep(0.2)
quiet = termios.tcgetattr(0)
quiet[3] &= ~termios.ECHO
termios.tcsetattr(0, termios.TCSAFLUSH, quiet)  # forgets what was typed before
print(f"\\nit was {input()[::-1]}")
"""


def run(code: str):
    answers = {"PIN: ": "4321"}
    return on_terminal((sys.executable, "-c", code), answers, cwd=Path("/"), env=os.environ)


def test_secret_is_typed_once_it_would_not_be_seen() -> None:
    seen = run(SLOW)

    assert (seen.code, "it was 1234" in seen.text) == (0, True)
    assert "4321" not in seen.text


@pytest.mark.parametrize(
    "code", ["input('which? ')", "input('PIN: ')", "import time; time.sleep(60)"]
)
def test_program_that_is_not_answered_is_ended(code, monkeypatch) -> None:
    monkeypatch.setattr(terminal, "COMMAND_S", 0.2)

    with pytest.raises(AssertionError, match="after"):
        run(code)
