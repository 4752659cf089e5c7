"""A real OpenSSH server on loopback with a host key of its own, for one test."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh

SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
SSHD = shutil.which("sshd", path=SBIN)


@dataclass(frozen=True)
class Sshd:
    """Where it listens and who it is."""

    port: int
    host_key: str
    pid: int

    @property
    def known_hosts_line(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.host_key}\n"


@asynccontextmanager
async def sshd(
    directory: Path,
    options: Mapping[str, str],
    *,
    port: int,
    host_key: asyncssh.SSHKey | None = None,
) -> AsyncIterator[Sshd]:
    """Runs sshd until the block is left; `options` are added to a strict set."""
    assert SSHD is not None
    _make_privilege_separation_directory()
    key = host_key or asyncssh.generate_private_key("ssh-ed25519")
    key_file = directory / f"host_key_{port}"
    key.write_private_key(key_file)
    key_file.chmod(0o600)
    key_file.chmod(0o600)
    settings = {
        "HostKey": str(key_file),
        "ListenAddress": "127.0.0.1",
        "Port": str(port),
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        **options,
    }
    argv = [SSHD, "-D", "-e", "-f", "/dev/null"]
    for name, value in settings.items():
        argv += ["-o", f"{name}={value}"]
    log = directory / f"sshd_{port}.log"
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(*argv, stdout=out, stderr=out)
    try:
        await _until_up(port, process, log)
        yield Sshd(port, " ".join(key.export_public_key().decode().split()[:2]), process.pid)
    finally:
        process.terminate()
        await process.wait()


async def _until_up(port: int, process: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(10):
        while True:
            assert process.returncode is None, _text(log)
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return


def _make_privilege_separation_directory() -> None:
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)


def _text(log: Path) -> str:
    return log.read_text("utf-8", errors="replace")
