"""A program of the controller's host, allowed by its operator: `command` gates and hooks.

Laws:
1. No shell: the words of the plan are the words the program gets.
2. The program's name must stand, letter for letter, in the operator's list; the plan cannot add.
3. Stdin has what the program is given, or is closed; the environment is `PATH`, `LC_ALL` and `ROLLOUT_*`, so that nothing secret of
   the controller (tokens, agent sockets) reaches it.
4. At the deadline, or beyond its limit of output (64 KiB), the whole process group is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.outward.failure import OutwardError

OUTPUT_BYTES_MAX = 64 * 1024  # a sample is one line; more is a mistake
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Commands:
    """The commands that may be started, and what they are told."""

    allowed: tuple[str, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    output_bytes_max: int = OUTPUT_BYTES_MAX

    def program(self, argv: Sequence[str]) -> str:
        """The file to start.

        Raises:
            OutwardError: it is not allowed, or not there.
        """
        if not argv or argv[0] not in self.allowed:
            name = argv[0] if argv else ""
            message = f"command `{name}` is not allowed by this controller's configuration"
            raise OutwardError(message)
        name = argv[0]
        if "/" in name and not name.startswith("/"):
            message = f"command `{name}` is neither an absolute path nor a name"
            raise OutwardError(message)
        found = shutil.which(name, path=SEARCH_PATH)
        if found is None:
            message = f"command `{name}` is not there or cannot be run"
            raise OutwardError(message)
        return found

    async def run(
        self, argv: Sequence[str], *, deadline_s: float, given: bytes | None = None
    ) -> tuple[int, bytes]:
        """Exit code and output of one run, with `given` on its stdin.

        Raises:
            OutwardError: it did not start, or did not end by itself in time.
        """
        program = self.program(argv)
        environment = {"PATH": SEARCH_PATH, "LC_ALL": "C.UTF-8", **self.told}
        try:
            async with asyncio.timeout(deadline_s):
                with _stdin(given) as stdin:
                    words = (program, *argv[1:])
                    code, output = await _run(words, environment, stdin, self.output_bytes_max)
        except TimeoutError as error:
            message = f"command `{argv[0]}` ran out of time ({deadline_s:g} s)"
            raise OutwardError(message) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in a word
            message = f"command `{argv[0]}` did not start: {error}"
            raise OutwardError(message) from error
        if code < 0:
            message = f"command `{argv[0]}` was ended by signal {-code}"
            raise OutwardError(message)
        return code, output


@contextlib.contextmanager
def _stdin(given: bytes | None) -> Iterator[int]:
    """A file with the bytes, so that a program that never reads them holds nothing up."""
    if given is None:
        yield DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        yield file.fileno()


async def _run(
    words: Sequence[str], environment: Mapping[str, str], stdin: int, output_bytes_max: int
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
                *words,
                stdin=stdin,
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
        return await _finish(process, reader, output_bytes_max)
    finally:
        transport.close()


async def _finish(
    process: Process, reader: asyncio.StreamReader, output_bytes_max: int
) -> tuple[int, bytes]:
    try:
        output = await _read(reader, output_bytes_max)
        return await process.wait(), output
    finally:
        # Killed only while the group is known to exist (its leader lives, or a child of it holds
        # the pipe): the number of a group that is gone may be another's by now.
        if process.returncode is None or not reader.at_eof():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _read(reader: asyncio.StreamReader, output_bytes_max: int) -> bytes:
    output = bytearray()
    while chunk := await reader.read(_CHUNK_BYTES):
        output += chunk
        if len(output) > output_bytes_max:
            message = f"the command wrote more than {output_bytes_max // 1024} KiB"
            raise OutwardError(message)
    return bytes(output)
