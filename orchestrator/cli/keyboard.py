"""Single keys of a terminal, and the terminal as it was when nobody reads them any more.

Laws:
1. Ctrl-C and Ctrl-Z stay signals: only lines and echo are switched off.
2. A terminal that another job has now is neither changed nor read: that would stop this one.
3. What was typed ahead is thrown away: nobody had seen yet what it would answer.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TextIO

if sys.platform != "win32":
    import termios

READ_BYTES_MAX = 256
_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.)")  # arrows and the like


def forget_typed(stream: TextIO) -> None:
    """Throws away what was typed at a terminal and read by nobody yet (law 3)."""
    if sys.platform == "win32" or not stream.isatty():
        return
    with contextlib.suppress(termios.error, OSError):  # it was closed meanwhile
        termios.tcflush(stream.fileno(), termios.TCIFLUSH)


class Keyboard:
    """The keys of the terminal behind a file."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._before: list[int | list[bytes | int]] | None = None

    @property
    def is_open(self) -> bool:
        """Whether single keys can be read."""
        return self._before is not None

    def open(self) -> bool:
        """Wants single keys; False where there is no terminal, or another job has it."""
        if self._before is not None or not self._is_ours():
            return self.is_open
        try:
            self._before = termios.tcgetattr(self.fd)
            mode = termios.tcgetattr(self.fd)
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            termios.tcsetattr(self.fd, termios.TCSAFLUSH, mode)
        except (termios.error, OSError):
            self._before = None
        return self.is_open

    def close(self) -> None:
        """The terminal is as it was."""
        before, self._before = self._before, None
        if before is not None and self._is_ours():
            with contextlib.suppress(termios.error, OSError):  # it was closed meanwhile
                termios.tcsetattr(self.fd, termios.TCSAFLUSH, before)

    def read(self) -> list[str]:
        """The keys that were pressed; empty where the terminal is gone.

        Raises:
            EOFError: nobody will press any more.
        """
        try:
            data = os.read(self.fd, READ_BYTES_MAX)
        except OSError as error:
            raise EOFError from error
        if not data:
            raise EOFError
        return list(_SEQUENCE.sub("", data.decode(errors="replace")))

    def _is_ours(self) -> bool:
        if sys.platform == "win32":
            return False
        try:
            return os.tcgetpgrp(self.fd) == os.getpgrp()
        except OSError:  # no terminal, or not the one of this session
            return False
