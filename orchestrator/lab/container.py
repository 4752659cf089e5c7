"""How a device's commands run, and how all of them are killed at once.

With bubblewrap each device has one long-lived set of namespaces, entered by every command:
a command sees /usr and its own tree, processes of one device see each other, and killing the
first process is a power cut: the kernel ends all others, dead-man timers too. Without it the
commands run as plain processes and are found again by the device's path in their arguments.

Traps: bwrap per command would give each its own pid namespace, so that a commit could not find
the dead-man; `--unshare-net` is left out since it buys nothing here and costs time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Protocol

PROBE_S = 5.0
_INFO_BYTES = 4096


class Container(Protocol):
    """The processes of one device."""

    async def start(self) -> None:
        """Makes it ready for commands."""
        ...

    def argv(self, *command: str) -> list[str]:
        """The command as it must be started from outside."""
        ...

    async def kill(self) -> None:
        """Ends every process of the device, at once and for certain."""
        ...


class PlainContainer:
    """No isolation: commands run as this user."""

    def __init__(self, root: Path) -> None:
        place = os.fsencode(str(root))
        # The helper's own arguments, and its modules: never an editor that has a file open.
        self._marks = (b"--root\0" + place + b"\0", place + b"/usr/lib/rollout/")
        # What the helper hands to all that it starts: a `sleep` has no other mark.
        self._inherited = b"ROLLOUT_ROOT=" + place

    async def start(self) -> None:
        """Nothing to make."""

    def argv(self, *command: str) -> list[str]:
        """The command itself."""
        return list(command)

    async def kill(self) -> None:
        """Kills until none is found: a process may fork while it is looked for."""
        while found := await self._processes():
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0)

    async def _processes(self) -> list[int]:
        return [
            pid
            for pid, command in await _commands()
            if any(mark in command for mark in self._marks)
            or self._inherited in _environment(pid).split(b"\0")
        ]


async def _commands() -> list[tuple[int, bytes]]:
    """Processes and their arguments, each ended by NUL; a zombie has none."""
    found = _commands_by_proc()
    return found if found is not None else await _commands_by_ps()


def _commands_by_proc() -> list[tuple[int, bytes]] | None:
    if not Path("/proc/self/cmdline").exists():
        return None
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        if int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                found.append((int(entry.name), (entry / "cmdline").read_bytes()))
    return found


def _environment(pid: int) -> bytes:
    """Its variables, each ended by NUL; nothing where it is another user's, or there is no /proc."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""


async def _commands_by_ps() -> list[tuple[int, bytes]]:
    """The same where there is no /proc; arguments with blanks look like several."""
    process = await asyncio.create_subprocess_exec(
        "ps", "-axww", "-o", "pid=,command=", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    lines = (line.split(None, 1) for line in output.splitlines())
    return [
        (int(line[0]), line[1].replace(b" ", b"\0") + b"\0")
        for line in lines
        if len(line) > 1 and int(line[0]) != os.getpid()
    ]


class BwrapContainer:
    """Namespaces of the device, held by a process that sleeps."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = str(root)
        self._name = name
        self._first: int | None = None
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Starts the namespaces; running already is fine."""
        if self._first is not None:
            return
        read_end, write_end = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._bwrap(write_end),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                pass_fds=(write_end,),
                env={},
            )
            assert self._process.stdout is not None
            async with asyncio.timeout(PROBE_S):
                # The sleeper says `up` when the namespaces are complete.
                if not await self._process.stdout.readline():
                    message = "bwrap did not start"
                    raise OSError(message)
            self._first = int(json.loads(os.read(read_end, _INFO_BYTES))["child-pid"])
        finally:
            os.close(read_end)
            os.close(write_end)

    def argv(self, *command: str) -> list[str]:
        """The command, entering the namespaces first."""
        assert self._first is not None
        return [
            "nsenter", "-t", str(self._first), "-U", "-m", "-p", "-u", "-i",
            "--preserve-credentials", "--", *command,
        ]  # fmt: skip

    async def kill(self) -> None:
        """Kills the first process; the kernel ends all others of its pid namespace."""
        if self._first is None or self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._first, signal.SIGKILL)
        await self._process.wait()
        self._first = self._process = None

    def _bwrap(self, info_fd: int) -> list[str]:
        args = ["bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        args += ["--hostname", self._name, "--die-with-parent", "--info-fd", str(info_fd)]
        args += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev-bind", "/dev", "/dev"]
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            top = Path("/", name)
            if top.is_symlink():
                args += ["--symlink", str(top.readlink()), str(top)]
            elif top.is_dir():
                args += ["--ro-bind", str(top), str(top)]
        for path in ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ssl/openssl.cnf"):
            args += ["--ro-bind-try", path, path]
        args += ["--tmpfs", "/tmp", "--bind", self._root, self._root, "--chdir", "/"]  # noqa: S108
        return [*args, "/bin/sh", "-c", "echo up; exec sleep 2147483647"]


async def can_isolate() -> bool:
    """Whether bubblewrap and nsenter work here, found out by using them."""
    if shutil.which("bwrap") is None or shutil.which("nsenter") is None:
        return False
    with tempfile.TemporaryDirectory(prefix="rollout-probe-") as name:
        container = BwrapContainer(Path(name), "probe")
        try:
            await container.start()
            test = await asyncio.create_subprocess_exec(
                *container.argv("/bin/sh", "-c", f"test -d {name} && test ! -e /root"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            async with asyncio.timeout(PROBE_S):
                return await test.wait() == 0
        except (OSError, ValueError, KeyError):
            return False
        finally:
            await container.kill()
