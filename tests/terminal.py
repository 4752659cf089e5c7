"""A program at a terminal, and somebody who answers what it asks."""

from __future__ import annotations

import codecs
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

from tests.children import child
from tests.patience import within

COMMAND_S = 120.0
LOOK_S = 30.0


@dataclass(frozen=True)
class Seen:
    """All that stood on the terminal, and how the program ended."""

    text: str
    code: int


def on_terminal(
    words: Sequence[str],
    answers: Mapping[str, str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    hidden: bool = True,
) -> Seen:
    """Runs a program; what it prints that ends with one of the questions is answered.

    Args:
        words: the program and its arguments.
        answers: what is typed, by the end of the question.
        cwd: where.
        env: its environment.
        hidden: answers are typed once the terminal does not show them: programs first ask, and
            then forget what was typed before they switched that off.
    """
    ours, theirs = pty.openpty()
    end_at = time.monotonic() + within(COMMAND_S)
    with child(
        words, cwd=cwd, env={**env, "TERM": "xterm"}, start_new_session=True,
        stdin=theirs, stdout=theirs, stderr=theirs,
    ) as program:  # fmt: skip
        os.close(theirs)
        seen = unread = b""
        while data := _read_by(ours, end_at, seen):
            seen, unread = seen + data, unread + data
            for question, answer in answers.items():
                if unread.endswith(question.encode()):
                    while hidden and _shows(ours):
                        assert time.monotonic() < end_at, f"it shows what is typed after {seen!r}"
                        time.sleep(0.005)
                    os.write(ours, f"{answer}\n".encode())
                    unread = b""
        os.close(ours)
        code = program.wait(COMMAND_S)
    return Seen(seen.decode(), code)


def _read_by(terminal: int, end_at: float, seen: bytes) -> bytes:
    ready, _, _ = select.select([terminal], [], [], max(0.0, end_at - time.monotonic()))
    assert ready, f"nothing more came after {seen!r}"
    return _read(terminal)


def _shows(terminal: int) -> bool:
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the program has ended
        return b""


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
        self._decoder = codecs.getincrementaldecoder("utf-8")()

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

    def _take(self, data: bytes) -> None:
        text = self._decoder.decode(data)
        self.text += text
        self._unread += text
