"""Samples of `command` gates: a program of the controller's host, allowed by its operator.

Laws:
1. No shell: the words of the plan are the words the program gets.
2. The program's name must stand, letter for letter, in the operator's list; the plan cannot add.
3. Stdin is closed; the environment is `PATH`, `LC_ALL` and `ROLLOUT_*`, so that nothing secret of
   the controller (tokens, agent sockets) reaches it.
4. At the deadline, or beyond 64 KiB of output, the whole process group is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.device.check import EXIT_FIELD, Scalar, json_fields
from orchestrator.gates.failure import ProbeError

OUTPUT_BYTES_MAX = 64 * 1024  # a sample is one line; more is a mistake
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands that may be started, and what they are told."""

    allowed: tuple[str, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)

    def program(self, argv: Sequence[str]) -> str:
        """The file to start.

        Raises:
            ProbeError: it is not allowed, or not there.
        """
        if not argv or argv[0] not in self.allowed:
            name = argv[0] if argv else ""
            message = f"command `{name}` is not allowed by this controller's configuration"
            raise ProbeError(message)
        name = argv[0]
        if "/" in name and not name.startswith("/"):
            message = f"command `{name}` is neither an absolute path nor a name"
            raise ProbeError(message)
        found = shutil.which(name, path=SEARCH_PATH)
        if found is None:
            message = f"command `{name}` is not there or cannot be run"
            raise ProbeError(message)
        return found

    async def run(self, argv: Sequence[str], *, deadline_s: float) -> dict[str, Scalar]:
        """Fields of one run: `exit`, and those of its JSON line.

        Raises:
            ProbeError: there was no sample.
        """
        program = self.program(argv)
        environment = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", **self.told}
        try:
            async with asyncio.timeout(deadline_s):
                code, output = await _run(program, argv[1:], environment)
        except TimeoutError as error:
            message = f"command `{argv[0]}` ran out of time ({deadline_s:g} s)"
            raise ProbeError(message) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in a word
            message = f"command `{argv[0]}` did not start: {error}"
            raise ProbeError(message) from error
        return _fields(argv[0], code, output)


async def _run(
    program: str, words: Sequence[str], environment: Mapping[str, str]
) -> tuple[int, bytes]:
    """Exit code and output of a run; nothing of it is left when this returns or raises."""
    # A pipe of our own: asyncio's cannot be closed while a stray child holds the other end.
    reading_end, writing_end = os.pipe()
    reader = asyncio.StreamReader()
    try:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading_end, "rb", buffering=0)
        )
        try:
            process = await asyncio.create_subprocess_exec(
                *(program, *words),
                stdin=DEVNULL,
                stdout=writing_end,
                stderr=DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except BaseException:
            transport.close()
            raise
    finally:
        os.close(writing_end)
    try:
        return await _finish(process, reader)
    finally:
        transport.close()


async def _finish(process: Process, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    try:
        output = await _read(reader)
        return await process.wait(), output
    finally:
        # Killed only while the group is known to exist (its leader lives, or a child of it holds
        # the pipe): the number of a group that is gone may be another's by now.
        if process.returncode is None or not reader.at_eof():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _read(reader: asyncio.StreamReader) -> bytes:
    output = bytearray()
    while chunk := await reader.read(_CHUNK_BYTES):
        output += chunk
        if len(output) > OUTPUT_BYTES_MAX:
            message = f"the command wrote more than {OUTPUT_BYTES_MAX // 1024} KiB"
            raise ProbeError(message)
    return bytes(output)


def _fields(name: str, code: int, output: bytes) -> dict[str, Scalar]:
    if code < 0:
        message = f"command `{name}` was ended by signal {-code}"
        raise ProbeError(message)
    lines = output.decode("utf-8", errors="replace").splitlines()
    candidates = [line for line in lines if line.lstrip().startswith("{")]
    if len(candidates) > 1:
        message = f"command `{name}` wrote {len(candidates)} JSON lines, not one"
        raise ProbeError(message)
    try:
        return {EXIT_FIELD: code} | json_fields(candidates[0] if candidates else "")
    except ValueError as error:
        message = f"command `{name}`: {error}"
        raise ProbeError(message) from error
