"""The SSH server of a lab device in the lab's own process (asyncssh).

Every exec runs the device's launcher with a real `/bin/sh`; there is no other way in: no shell,
no subsystem, no terminal, no forwarding, exactly as behind `restrict,command=...`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping

import asyncssh

from orchestrator.lab.device import LabDevice
from orchestrator.lab.ports import beside

_BACKLOG = 64
_FAILED = 255
_REBOOT_S = 2.5  # after an answer: the helper asks for a reboot two seconds after it
_PIECE_BYTES = 64 * 1024
_GONE = (asyncssh.Error, OSError)  # what writing to someone who left raises
KEX_ALGS = ("mlkem768x25519-sha256", "curve25519-sha256")
ENCRYPTION_ALGS = ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com", "aes256-ctr")


class AsyncsshServer:
    """Listens for one device."""

    def __init__(
        self,
        device: LabDevice,
        held: socket.socket,
        *,
        host_key: asyncssh.SSHKey,
        client_key: asyncssh.SSHKey,
        reboot_wanted: Callable[[LabDevice], None],
    ) -> None:
        self._device = device
        self._held = held
        self.port: int = held.getsockname()[1]
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._listener: asyncssh.SSHAcceptor | asyncio.Server | None = None
        self._mode = "off"
        self._reboot_wanted = reboot_wanted
        self._host_key = host_key
        authorized = client_key.export_public_key().decode("ascii")
        self._authorized = asyncssh.import_authorized_keys(authorized)

    async def listen(self) -> None:
        """Serves connections."""
        if self._mode == "on":
            return
        await self.stop()
        self._listener = await asyncssh.listen(
            sock=beside(self._held),
            backlog=_BACKLOG,
            config=None,
            options=None,
            server_factory=lambda: _Guard(self._connections),
            server_host_keys=[self._host_key],
            authorized_client_keys=self._authorized,
            process_factory=self._run,
            encoding=None,
            line_editor=False,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            compression_algs=None,
            kex_algs=KEX_ALGS,
            encryption_algs=ENCRYPTION_ALGS,
            login_timeout=30,
        )
        self._mode = "on"

    async def hang(self) -> None:
        """Takes connections and never says a word."""
        if self._mode == "hang":
            return
        await self.stop()
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(asyncio.Protocol, sock=beside(self._held))
        self._mode = "hang"

    async def stop(self) -> None:
        """Refuses connections and drops those that stand."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for connection in tuple(self._connections):
            connection.abort()
        self._mode = "off"

    async def close(self) -> None:
        """Stops and frees the port."""
        await self.stop()
        self._held.close()

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """One command of one connection."""
        device = self._device
        try:
            await device.before_command()
            child = await asyncio.create_subprocess_exec(
                *device.command(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=_environment(process.command),
                cwd="/",
            )
        except OSError:
            process.exit(_FAILED)
            return
        async with asyncio.TaskGroup() as pumps:
            feed = pumps.create_task(_feed(process, child))
            assert child.stdout is not None
            assert child.stderr is not None
            pumps.create_task(_drain(child.stdout, process.stdout))
            pumps.create_task(_drain(child.stderr, process.stderr))
            code = await child.wait()
            feed.cancel()
        with contextlib.suppress(*_GONE):
            _exit(process, code)
        if device.wants_reboot:
            self._reboot_wanted(device)
        else:  # whoever takes it looks whether it is wanted
            asyncio.get_running_loop().call_later(_REBOOT_S, self._reboot_wanted, device)


async def _feed(
    process: asyncssh.SSHServerProcess[bytes], child: asyncio.subprocess.Process
) -> None:
    """Body of the request into the command; a command that does not read it is fine."""
    assert child.stdin is not None
    with contextlib.suppress(*_GONE):
        while data := await process.stdin.read(_PIECE_BYTES):
            child.stdin.write(data)
            await child.stdin.drain()
    with contextlib.suppress(*_GONE):
        child.stdin.close()


async def _drain(source: asyncio.StreamReader, target: asyncssh.SSHWriter[bytes]) -> None:
    """Output of the command to the client; when that is gone, to nowhere."""
    gone = False
    while data := await source.read(_PIECE_BYTES):
        if not gone:
            try:
                target.write(data)
                await target.drain()
            except _GONE:
                gone = True


def _exit(process: asyncssh.SSHServerProcess[bytes], code: int) -> None:
    if code >= 0:
        process.exit(code)
    else:
        process.exit_with_signal("KILL")


def _environment(command: str | None) -> Mapping[str, str]:
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}
    if command is not None:
        environment["SSH_ORIGINAL_COMMAND"] = command
    return environment


class _Guard(asyncssh.SSHServer):
    """Knows the connections of a device, so that a reboot can drop them."""

    def __init__(self, connections: set[asyncssh.SSHServerConnection]) -> None:
        self._connections = connections
        self._forget: Callable[[], None] = lambda: None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """Remembers it."""
        self._connections.add(conn)
        self._forget = lambda: self._connections.discard(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the library's
        """Forgets it."""
        self._forget()
