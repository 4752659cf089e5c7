"""The person's terminal while a shell on a device has it: raw, and as it was at the end.

Laws:
1. Every key goes to the device, Ctrl-C and Ctrl-Z too. `~.` at the beginning of a line is the one
   way out that needs no device, as in OpenSSH's client; `~~` there is one tilde.
2. What the device sends is shown as it is: a shell is nothing else. docs/security.md says what a
   device can do with that.
3. However the shell ends, the terminal's settings are what they were before.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator

from orchestrator.cli.room import parts, until_room

if sys.platform != "win32":
    import termios
    import tty

READ_BYTES_MAX = 4096
_SIZE_DEFAULT = (80, 24)
_TILDE, _DOT, _LINE_ENDS = ord("~"), ord("."), frozenset(b"\r\n")


class Escape:
    """Finds the way out in what is typed."""

    def __init__(self) -> None:
        self._at_start = True
        self._has_tilde = False

    def take(self, typed: bytes) -> tuple[bytes, bool]:
        """What goes to the device, and whether the person leaves."""
        out = bytearray()
        for key in typed:
            if self._has_tilde:
                self._has_tilde = False
                if key == _DOT:
                    return bytes(out), True
                out.append(_TILDE)
                if key == _TILDE:
                    self._at_start = False
                    continue
            elif key == _TILDE and self._at_start:
                self._has_tilde = True
                continue
            out.append(key)
            self._at_start = key in _LINE_ENDS
        return bytes(out), False


class RawTerminal:
    """Implements `ssh.login.Terminal` for the terminal behind two files."""

    def __init__(self, read_fd: int, write_fd: int, kind: str) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd
        self.kind = kind or "dumb"
        self._escape = Escape()
        self._typed: Callable[[bytes], None] | None = None
        self._gone: Callable[[], None] = lambda: None

    def size(self) -> tuple[int, int]:
        """Its columns and rows now."""
        try:
            columns, rows = os.get_terminal_size(self._write_fd)
        except OSError:
            return _SIZE_DEFAULT
        return columns or _SIZE_DEFAULT[0], rows or _SIZE_DEFAULT[1]

    @contextlib.contextmanager
    def serve(
        self, typed: Callable[[bytes], None], resized: Callable[[], None], gone: Callable[[], None]
    ) -> Iterator[None]:
        """Hands over the keys as long as the block lasts."""
        loop = asyncio.get_running_loop()
        before = termios.tcgetattr(self._read_fd)
        self._typed, self._gone = typed, gone
        loop.add_signal_handler(signal.SIGWINCH, resized)
        loop.add_signal_handler(signal.SIGHUP, gone)
        try:
            tty.setraw(self._read_fd, termios.TCSADRAIN)
            self.hold(held=False)
            yield
        finally:
            loop.remove_reader(self._read_fd)
            loop.remove_signal_handler(signal.SIGWINCH)
            loop.remove_signal_handler(signal.SIGHUP)
            self._typed = None
            with contextlib.suppress(termios.error, OSError):  # it was closed meanwhile
                termios.tcsetattr(self._read_fd, termios.TCSADRAIN, before)

    def hold(self, held: bool) -> None:
        """Stops reading keys, or goes on."""
        loop = asyncio.get_running_loop()
        if held:
            loop.remove_reader(self._read_fd)
        elif self._typed is not None:
            loop.add_reader(self._read_fd, self._read)

    async def show(self, data: bytes) -> None:
        """Writes what the device sent; where nobody can read it any more, the person has gone."""
        try:
            for part in parts(data):
                await until_room(self._write_fd)
                while part:
                    part = part[os.write(self._write_fd, part) :]  # noqa: PLW2901  what is left
        except OSError:
            self._gone()

    def _read(self) -> None:
        try:
            data = os.read(self._read_fd, READ_BYTES_MAX)
        except OSError:
            data = b""
        keys, leaves = self._escape.take(data)
        if keys and self._typed is not None:
            self._typed(keys)
        if leaves or not data:
            self._gone()
