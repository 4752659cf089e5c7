"""`python -m orchestrator.lab DIRECTORY OPTIONS`: a lab in a process of its own.

The process that was started waits until the lab is ready, prints one JSON line and ends; the lab
runs on detached, until it is told to stop. OPTIONS is JSON, see `client`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

import asyncssh

from orchestrator.errors import OrchestratorError
from orchestrator.lab.control import ControlServer
from orchestrator.lab.fleet import LOG, LabFleet
from orchestrator.lab.layout import LabOptions, Server

_ARGUMENTS = 3
_READY_BYTES_MAX = 64 * 1024


def main(argv: list[str]) -> int:
    """Forks the lab off and reports whether it came up."""
    if len(argv) != _ARGUMENTS:
        print("usage: python -m orchestrator.lab DIRECTORY OPTIONS", file=sys.stderr)  # noqa: T201
        return 2
    directory, options = Path(argv[1]), _options(argv[2])
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.close(read_end)
        _detach(directory)
        _run(directory, options, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as report:
        line = report.readline(_READY_BYTES_MAX) or b'{"error": "the lab died while starting"}\n'
    sys.stdout.buffer.write(line)
    sys.stdout.flush()
    return 1 if b'"error"' in line else 0


def _options(text: str) -> LabOptions:
    found = json.loads(text)
    found["server"] = Server(found["server"])
    found["signing_keys"] = tuple(Path(one) for one in found["signing_keys"])
    return LabOptions(**found)


def _detach(directory: Path) -> None:
    os.setsid()
    os.chdir("/")
    directory.mkdir(parents=True, exist_ok=True)
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(directory / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)


def _run(directory: Path, options: LabOptions, report: int) -> None:
    """Serves until stopped; never returns, so that the fork never becomes a second caller."""
    code = 1
    try:
        asyncio.run(_serve(directory, options, report))
        code = 0
    except OrchestratorError as error:
        _report(report, {"error": error.message, "hint": error.hint})
    except BaseException as error:  # noqa: BLE001  the last frame of this process
        traceback.print_exc()
        _report(report, {"error": "the lab failed to start", "hint": repr(error)[:300]})
    finally:
        os._exit(code)


async def _serve(directory: Path, options: LabOptions, report: int) -> None:
    asyncssh.set_log_level("ERROR")
    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
        # The default watcher starts a thread for each command.
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)
    async with LabFleet(directory, options) as fleet:
        assert fleet.info is not None
        control = ControlServer(fleet)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, control.stopped.set)
        server = await control.serve(Path(fleet.info.control))
        _report(report, asdict(fleet.info))
        await control.stopped.wait()
        server.close()


def _report(report: int, content: dict[str, object]) -> None:
    """Tells the process that waits; when it is gone, nobody wants this lab."""
    os.write(report, json.dumps(content).encode() + b"\n")
    os.close(report)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
