#!/usr/bin/env python3
r"""Runs a command on a terminal of its own and keeps a picture of what it printed.

    tools/terminal_svg.py docs/demo.svg --width 90 --last 19 --last 21 -- \
        rollout apply app-1.0.yml --yes --then rollout apply app-1.1.yml --yes

    tools/terminal_svg.py docs/live.svg --width 90 --last 22 --until 'broad .* ([6-9]|1[0-3])/17' -- \
        rollout apply app-1.1.yml --yes

The picture is made from the real output, live view included: what was taken back is not shown.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import re
import shlex
import struct
import sys
import termios
from itertools import zip_longest
from pathlib import Path

from orchestrator.render.picture import settled, svg

ROWS = 50


def screen(output: bytes) -> str:
    """What output leaves on the screen."""
    return settled(output.decode("utf-8", errors="replace"))


def capture(command: list[str], width: int, until: str = "") -> tuple[bytes, int]:
    """Output and exit code of a command that believes to have a terminal.

    Args:
        command: what runs, to its end.
        width: of the terminal, in columns.
        until: what is printed once the screen shows this (a regular expression) is left out.
    """
    child, terminal = pty.fork()
    if child == 0:
        # the size is set before the command starts, so that it never sees another one
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, width, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
        for name in ("CI", "NO_COLOR", "COLUMNS"):
            environment.pop(name, None)
        os.execvpe(command[0], command, environment)
    chunks, is_whole = [], False
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux says EIO when the last holder of the other side is gone
            break
        if not data:
            break
        if not is_whole:
            chunks.append(data)
            is_whole = bool(until) and re.search(until, screen(b"".join(chunks))) is not None
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return b"".join(chunks), os.waitstatus_to_exitcode(status)


def shown(command: list[str], output: bytes, last: int) -> str:
    """The command behind a prompt, and what it left on the screen or the last lines of that."""
    lines = screen(output).strip("\n").split("\n")
    if last and len(lines) > last:
        lines = ["[...]", *lines[-last:]]
    return f"$ {shlex.join(command)}\n" + "\n".join(lines) + "\n"


def main() -> int:
    """Writes the picture; ends with the exit code of the last command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--title", default="rollout")
    parser.add_argument(
        "--last", type=int, action="append", default=[], help="keep so many lines of a command"
    )
    parser.add_argument("--until", default="", help="show the screen as it is once it has this")
    parser.add_argument("command", nargs="+", help="several are separated by `--then`")
    end = sys.argv.index("--")
    options, words = parser.parse_args([*sys.argv[1:end], "unused"]), " ".join(sys.argv[end + 1 :])
    code, parts = 0, []
    for text, last in zip_longest(words.split(" --then "), options.last, fillvalue=0):
        command = shlex.split(str(text))
        output, code = capture(command, options.width, options.until)
        parts.append(shown(command, output, int(last)))
    picture = svg("\n".join(parts), title=options.title, width=options.width)
    options.picture.write_text(picture, encoding="utf-8")
    sys.stdout.write(f"{options.picture}: exit code {code}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
