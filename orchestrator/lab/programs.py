"""Real OpenSSH or Dropbear as the SSH server of a lab device.

Each device gets a server process of its own, with the launcher as its forced command. The
client logs in as the user who runs the lab.

Dropbear has no option for another authorized_keys file: it runs in a mount namespace in which
the home directory holds only ours, which takes bubblewrap.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shlex
import shutil
import signal
import socket
from pathlib import Path

from orchestrator.errors import OrchestratorError
from orchestrator.lab.device import LabDevice
from orchestrator.lab.layout import LOOPBACK, Server
from orchestrator.lab.ports import beside

START_S = 5.0
_PRIVILEGE_SEPARATION = Path("/run/sshd")
_POLL_S = 0.01
_SBIN = os.pathsep.join(("/usr/sbin", "/sbin", "/usr/local/sbin"))


def check_program(server: Server) -> None:
    """Makes sure that the programs of a server are there.

    Raises:
        OrchestratorError: one is missing, or cannot work for this user.
    """
    if server is Server.SSHD:
        _find("sshd", "openssh-server")
    elif server is Server.DROPBEAR:
        for program, package in (
            ("dropbear", "dropbear-bin"),
            ("dropbearconvert", "dropbear-bin"),
            ("bwrap", "bubblewrap"),
        ):
            _find(program, package)


class ProgramServer:
    """A server process for one device."""

    def __init__(
        self, device: LabDevice, held: socket.socket, kind: Server, directory: Path
    ) -> None:
        self._device = device
        self._held = held
        self.port: int = held.getsockname()[1]
        self._kind = kind
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None
        self._silent: asyncio.Server | None = None

    async def listen(self) -> None:
        """Starts the server and waits until it takes connections.

        Raises:
            OrchestratorError: it did not start.
        """
        if self._process is not None and self._process.returncode is None:
            return
        await self.stop()
        await self._device.container.start()
        wrapper = self._device.spec.root / "run/lab/exec"
        wrapper.write_text("#!/bin/sh\nexec " + shlex.join(self._device.command()) + "\n")
        argv = await self._argv(f"/bin/sh {shlex.quote(str(wrapper))}")
        log = (self._device.spec.root / "run/lab/server.log").open("wb")
        with log:
            self._process = await asyncio.create_subprocess_exec(
                *argv, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        await self._until_up()

    async def hang(self) -> None:
        """Takes connections and never says a word."""
        await self.stop()
        loop = asyncio.get_running_loop()
        self._silent = await loop.create_server(asyncio.Protocol, sock=beside(self._held))

    async def stop(self) -> None:
        """Ends the server and the sessions that it has forked."""
        if self._silent is not None:
            self._silent.close()
            self._silent = None
        if self._process is not None:
            _kill_tree(self._process.pid)
            await self._process.wait()
            self._process = None
            await self._until_free()

    async def _until_free(self) -> None:
        """Waits until the last of the killed processes has let go of the port."""
        async with asyncio.timeout(START_S):
            while True:
                try:
                    beside(self._held).close()
                except OSError:
                    await asyncio.sleep(_POLL_S)
                else:
                    return

    async def close(self) -> None:
        """Stops and frees the port."""
        await self.stop()
        self._held.close()

    async def _argv(self, forced: str) -> list[str]:
        if self._kind is Server.SSHD:
            return self._sshd(forced)
        return await self._dropbear(forced)

    def _sshd(self, forced: str) -> list[str]:
        if os.geteuid() == 0:
            _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        options = {
            "HostKey": str(self._device.spec.host_key_file),
            "ListenAddress": LOOPBACK,
            "Port": str(self.port),
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
            "AuthorizedKeysFile": str(self._directory / "controller.pub"),
            "ForceCommand": forced,
            "PermitTTY": "no",
            "DisableForwarding": "yes",
            "PermitUserEnvironment": "no",
        }
        argv = [_find("sshd", "openssh-server"), "-D", "-e", "-f", "/dev/null"]
        for key, value in options.items():
            argv += ["-o", f"{key}={value}"]
        return argv

    async def _dropbear(self, forced: str) -> list[str]:
        spec = self._device.spec
        host_key = spec.root / "etc/ssh/dropbear_key"
        if not host_key.exists():
            await _run(
                _find("dropbearconvert", "dropbear-bin"),
                "openssh", "dropbear", str(spec.host_key_file), str(host_key),
            )  # fmt: skip
        home = pwd.getpwuid(os.getuid()).pw_dir
        authorized = str(self._directory / "controller.pub")
        argv = ["bwrap", "--dev-bind", "/", "/", "--tmpfs", home, "--die-with-parent"]
        argv += ["--perms", "0700", "--dir", f"{home}/.ssh"]
        argv += ["--bind", str(self._directory), str(self._directory)]
        argv += ["--ro-bind", authorized, f"{home}/.ssh/authorized_keys"]
        if os.geteuid() == 0:
            argv += ["--cap-add", "ALL"]
        argv += [_find("dropbear", "dropbear-bin"), "-F", "-E", "-s", "-j", "-k", "-m"]
        return [*argv, "-r", str(host_key), "-p", f"{LOOPBACK}:{self.port}", "-c", forced]

    async def _until_up(self) -> None:
        assert self._process is not None
        try:
            async with asyncio.timeout(START_S):
                while self._process.returncode is None:
                    try:
                        _, writer = await asyncio.open_connection(LOOPBACK, self.port)
                    except OSError:
                        await asyncio.sleep(_POLL_S)
                        continue
                    writer.close()
                    return
        except TimeoutError:
            pass
        log = (self._device.spec.root / "run/lab/server.log").read_text("utf-8", errors="replace")
        raise OrchestratorError(
            f"{self._kind} of `{self._device.spec.id}` did not start", hint=log.strip()[-300:]
        )


def _find(program: str, package: str) -> str:
    path = shutil.which(program) or shutil.which(program, path=_SBIN)
    if path is None:
        raise OrchestratorError(
            f"`{program}` is not installed", hint=f"install the package `{package}`"
        )
    return path


async def _run(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    if process.returncode != 0:
        text = stderr.decode("utf-8", errors="replace")[:300]
        raise OrchestratorError(f"`{argv[0]}` failed", hint=text)


def _kill_tree(pid: int) -> None:
    """Kills a process and all its descendants, the children of each before they can fork on."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    for child in _children(pid):
        _kill_tree(child)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []
