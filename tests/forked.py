"""`rollout` for the scripts that tests run: a process for each command, without what its start costs.

An interpreter that imports the project costs half a second of a core, and the pages of docs/ have a
hundred commands. Here one process has imported it all, and forks a child for each command, which
gets the caller's words, directory, environment and streams. It is not for commands that get
signals: those would go to the caller.

This file is the server (`python -m tests.forked ADDRESS`) and, run by its path, the caller.
"""

from __future__ import annotations

import json
import os
import socket
import sys

_LENGTH_BYTES = 4
_CRASHED = 70


def call(address: str, words: list[str]) -> int:
    """Has a command run; gives its exit code. It imports little, as it is started each time."""
    request = json.dumps([words, os.getcwd(), dict(os.environ)]).encode()  # noqa: PTH109
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(address)
        socket.send_fds(line, [len(request).to_bytes(_LENGTH_BYTES, "big")], [0, 1, 2])
        line.sendall(request)
        said = line.recv(1)
    return said[0] if said else _CRASHED


def serve(address: str) -> None:
    """Forks for each caller until standard input ends."""
    import select

    _import_all()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            line, _ = listener.accept()
            with line:
                if os.fork() == 0:
                    listener.close()
                    _answer(line)
            _bury()
    while _bury():
        pass


def _import_all() -> None:
    import gc
    import importlib

    from orchestrator.cli.app import COMMANDS

    commands = (f"cli.{command.module}" for command in COMMANDS.values())
    for name in (*commands, "ssh.transport", "store.sql"):
        importlib.import_module(f"orchestrator.{name}")
    gc.freeze()  # children then share these pages


def _bury() -> bool:
    """Waits for children that have ended, so that their time counts as that of the tests."""
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _answer(line: socket.socket) -> None:
    """A child's whole life."""
    code = _CRASHED
    try:
        code = _run(line)
    finally:
        line.sendall(bytes([code]))
        os._exit(code)


def _run(line: socket.socket) -> int:
    import io
    import time

    from orchestrator.cli import main

    head, streams, _, _ = socket.recv_fds(line, _LENGTH_BYTES, 3)
    with line.makefile("rb") as rest:
        words, directory, environment = json.loads(rest.read(int.from_bytes(head, "big")))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.argv = ["rollout", *words]
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0)), encoding="utf-8")
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.BufferedWriter(io.FileIO(number, "w")), encoding="utf-8")
        for number in (1, 2)
    )
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    if __package__:
        serve(sys.argv[1])
    else:
        sys.exit(call(sys.argv[1], sys.argv[2:]))
