"""A program at a terminal, and somebody who answers what it asks."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.patience import within

COMMAND_S = 120.0
LOOK_S = 30.0


@dataclass(frozen=True)
class Seen:
    """All that stood on the terminal, and how the program ended."""

    text: str
    code: int


def on_terminal(
    words: Sequence[str], answers: Mapping[str, str], *, cwd: Path, env: Mapping[str, str]
) -> Seen:
    """Runs a program; what it prints that ends with one of the questions is answered.

    Args:
        words: the program and its arguments.
        answers: what is typed, by the end of the question.
        cwd: where.
        env: its environment.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        words, cwd=cwd, env={**env, "TERM": "xterm"}, start_new_session=True,
        stdin=theirs, stdout=theirs, stderr=theirs,
    ) as child:  # fmt: skip
        os.close(theirs)
        seen, unread = "", ""
        while data := _read(ours):
            seen, unread = seen + data, unread + data
            for question, answer in answers.items():
                if unread.endswith(question):
                    os.write(ours, f"{answer}\n".encode())
                    unread = ""
        os.close(ours)
        code = child.wait(COMMAND_S)
    return Seen(seen, code)


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 65536).decode()
    except OSError:  # the program has ended
        return ""


class Terminal:
    """A program that has a terminal of its own, as a shell gives it; somebody looks and presses keys."""

    def __init__(self, words: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> None:
        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._ours, (30, 100))
        self.modes_before = self.modes()
        kept = {key: value for key, value in env.items() if key not in ("CI", "COLUMNS")}
        self._child = subprocess.Popen(
            ["setsid", "--ctty", *words], cwd=cwd, env={**kept, "TERM": "xterm"},
            stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
        )  # fmt: skip
        self.text = ""
        self._unread = ""

    def modes(self) -> list[object]:
        """How the terminal treats what is typed."""
        return list(termios.tcgetattr(self._theirs))

    def until(self, text: str) -> None:
        """Looks until the text has come, behind what was looked for before."""
        end_at = time.monotonic() + within(LOOK_S)
        while text not in self._unread:
            left_s = end_at - time.monotonic()
            assert left_s > 0, (text, self._unread)
            if select.select([self._ours], [], [], left_s)[0]:
                self._take(_read(self._ours))
        self._unread = self._unread.partition(text)[2]

    def press(self, keys: str) -> None:
        """Types them."""
        os.write(self._ours, keys.encode())

    def until_stopped(self) -> None:
        """Waits as a shell does before it goes on: what comes earlier would be lost."""
        os.waitid(os.P_PID, self._child.pid, os.WSTOPPED | os.WNOWAIT)

    def send(self, number: signal.Signals) -> None:
        """A signal from elsewhere."""
        self._child.send_signal(number)

    def end(self) -> int:
        """Waits for its end; gives its exit code."""
        code = self._child.wait(within(LOOK_S))
        while select.select([self._ours], [], [], 0)[0]:
            self._take(_read(self._ours))
        return code

    def close(self) -> None:
        """Ends it, if that is left to do."""
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _take(self, data: str) -> None:
        self.text += data
        self._unread += data
