"""A Debian host of its own: this machine's files under overlays, in namespaces, with a real sshd.

Root only. Nothing of it reaches the machine: what the host writes lies in a directory in memory
that is removed. `power_cut` kills every process of it at once; `boot` starts it again with a new
boot id and runs what an init system would run.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncssh

from orchestrator.device.model import Address
from tests.integration.sshd import SSHD
from tests.loopback import free_port

OPERATOR = "rollout-op"
OVERLAID = ("etc", "usr/lib", "usr/local", "var/lib", "home", "opt", "root")
_BOOT = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
for path in $OVERLAID; do
  name=$(echo "$path" | tr / _)
  mkdir -p "$W/up/$name" "$W/work/$name"
  mount -t overlay overlay -o "lowerdir=/$path,upperdir=$W/up/$name,workdir=$W/work/$name" "/$path"
done
mount -t tmpfs tmpfs /run
mkdir -p /run/sshd
mount --bind "$W/boot_id" /proc/sys/kernel/random/boot_id
hostname edge
[ "$BECOME" != doas-alone ] || mount --bind /dev/null /usr/bin/sudo
[ ! -f "$W/first" ] || { sh "$W/first" && rm "$W/first"; }
[ ! -x /etc/init.d/rollout-boot ] || /etc/init.d/rollout-boot start || echo "boot hook: $?"
[ ! -f "$W/host_key-cert.pub" ] || set -- -c "$W/host_key-cert.pub"
[ -z "$CONFIG" ] || set -- "$@" -o PidFile=/run/sshd.pid
exec "$SSHD" -D -e -f "${CONFIG:-/dev/null}" -h "$W/host_key" "$@" -p "$PORT" -o ListenAddress=127.0.0.1 \\
  -o PidFile=none -o UsePAM=no -o PasswordAuthentication=no -o KbdInteractiveAuthentication=no
"""
_FIRST = f"""
useradd -m -s /bin/bash -p '*' {OPERATOR}
case $BECOME in
  sudo) echo '{OPERATOR} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{OPERATOR} ;;
  doas*) echo 'permit nopass {OPERATOR}' >/etc/doas.conf ;;
esac
chmod 400 /etc/sudoers.d/{OPERATOR} /etc/doas.conf 2>/dev/null || :
mkdir -m 700 /home/{OPERATOR}/.ssh
cp "$W/operator.pub" /home/{OPERATOR}/.ssh/authorized_keys
chown -R {OPERATOR}: /home/{OPERATOR}/.ssh
"""


def why_not() -> str:
    """Why such a host cannot be had here; empty when it can."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("unshare", "nsenter", "sudo", "useradd", "openssl"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if SSHD is None:
        return "sshd is not installed"
    probe = subprocess.run(["unshare", "-m", "sh", "-c", _PROBE], capture_output=True, check=False)
    return "" if probe.returncode == 0 else "overlay mounts are not possible here"


_PROBE = """
mount --make-rprivate / && d=$(mktemp -d -p /dev/shm) && mkdir $d/u $d/w $d/m &&
mount -t overlay overlay -o lowerdir=/etc,upperdir=$d/u,workdir=$d/w $d/m
rc=$?; umount $d/m; rm -rf "$d"; exit $rc
"""


class RealHost:
    """One host; an async context manager.

    Args:
        become: what gives its operator root: `sudo`, `doas`, or `doas-alone` on a host without sudo.
        vouch: makes the certificate of the host's key that its server shows.
        config: the file that its server reads, as `/etc/ssh/sshd_config`; none if empty.
    """

    def __init__(
        self,
        become: str = "sudo",
        *,
        vouch: Callable[[str], bytes] | None = None,
        config: str = "",
    ) -> None:
        self._become = become
        self._config = config
        self.directory = Path(tempfile.mkdtemp(prefix="rollout-host-", dir="/dev/shm"))
        self.port = free_port()
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        self._process: asyncio.subprocess.Process | None = None
        (self.directory / "up").mkdir()
        self.host_key.write_private_key(self.directory / "host_key")
        if vouch is not None:
            (self.directory / "host_key-cert.pub").write_bytes(vouch(self.host_key_line))
        self._key.write_private_key(self.directory / "operator")
        (self.directory / "operator").chmod(0o600)
        self._key.write_public_key(self.directory / "operator.pub")
        (self.directory / "host_key").chmod(0o600)
        (self.directory / "first").write_text(_FIRST)

    async def __aenter__(self) -> Self:
        try:
            await self.boot()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    @property
    def host_key_line(self) -> str:
        return " ".join(self.host_key.export_public_key().decode().split()[:2])

    @property
    def operator(self) -> Address:
        """The administrator's ordinary login."""
        return self.address(OPERATOR, self.directory / "operator")

    def address(self, user: str, key_file: Path) -> Address:
        return Address("127.0.0.1", self.port, user, str(key_file), (self.host_key_line,))

    def path(self, path: str) -> Path:
        """A path of the running host, as seen from here."""
        return Path(f"/proc/{self._first_pid()}/root{path}")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command as root of the host."""
        inside = ["nsenter", "-t", str(self._first_pid()), "-m", "-p", "--", *command]
        return subprocess.run(inside, capture_output=True, text=True, check=False)

    def written(self) -> dict[str, bytes | str]:
        """Everything that the host has written so far: contents by path, in all overlays."""
        found: dict[str, bytes | str] = {}
        for top in OVERLAID:
            upper = self.directory / "up" / top.replace("/", "_")
            for path in sorted(upper.rglob("*")):
                below = Path("/", top) / path.relative_to(upper)
                if path.is_symlink():
                    found[str(below)] = f"-> {path.readlink()}"
                elif path.is_file():
                    found[str(below)] = path.read_bytes()
                elif path.is_dir() and not below.is_dir():
                    found[str(below)] = "dir"
                elif path.is_char_device() and below.exists():
                    found[str(below)] = "gone"
        return found

    async def boot(self) -> None:
        """Power on."""
        (self.directory / "boot_id").write_text(f"{uuid.uuid4()}\n")
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "W": str(self.directory),
            "PORT": str(self.port),
            "SSHD": str(SSHD),
            "OVERLAID": " ".join(OVERLAID),
            "BECOME": self._become,
            "CONFIG": self._config,
        }
        log = (self.directory / "log").open("ab")
        with log:
            self._process = await asyncio.create_subprocess_exec(
                "unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child",
                "sh", "-c", _BOOT,
                env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        await self.until_up()

    async def power_cut(self) -> None:
        """Every process of the host ends at once; what it wrote stays."""
        if self._process is None:
            return
        first = self._children()
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        if not first and self._process.returncode is None:
            self._process.kill()
        # `unshare` ends after the first process, and that one after all others: until then their
        # sshd still has its port, and whoever waits for the next boot would take it for the new one
        await self._process.wait()
        self._process = None

    async def _end(self) -> None:
        await self.power_cut()
        shutil.rmtree(self.directory)

    async def until_up(self) -> None:
        """Waits until somebody takes connections on its port."""
        assert self._process is not None
        async with asyncio.timeout(20):
            while True:
                if self._process.returncode is not None:
                    raise AssertionError((self.directory / "log").read_text())
                if await self.answers():
                    return
                await asyncio.sleep(0.02)

    async def answers(self) -> bool:
        """Whether somebody takes connections on its port."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    def _first_pid(self) -> int:
        (first,) = self._children()
        return first

    def _children(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        try:
            text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:
            return []
        return [int(one) for one in text.split()]
