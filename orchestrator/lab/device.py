"""One lab device: its power, its faults, and its boot.

A device is a container, a service and an SSH server. `Faults` says what is broken now; each is
undone by `heal`. A reboot kills every process, makes a new boot id, runs the boot hook of the
real helper before SSH answers again, as a device does.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orchestrator.lab.container import Container
from orchestrator.lab.layout import DeviceSpec, new_boot_id
from orchestrator.lab.service import SLOW_S, AppService

BOOT_S_MAX = 60.0
EXEC_DELAY_S = 0.5  # of a slow device, before each command
REBOOTS_MAX = 3  # a boot hook that asks for a reboot each time would never end
_REBOOT_REQUEST = "run/reboot"


class Mode(StrEnum):
    """What `lab break` does to a device."""

    CRASH = "crash"  # its service is gone
    SLOW = "slow"  # its service and its commands take long
    DISK_FULL = "disk-full"  # files cannot grow
    REBOOT = "reboot"  # power is lost for a moment
    HANG = "hang"  # it takes connections and says nothing
    OFFLINE = "offline"  # it refuses connections
    HEAL = "heal"  # ends all of the above


@dataclass(slots=True)
class Faults:
    """What is broken now."""

    crash: bool = False
    slow: bool = False
    disk_full: bool = False
    hang: bool = False
    offline: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Modes in force."""
        flags = {
            Mode.CRASH: self.crash,
            Mode.SLOW: self.slow,
            Mode.DISK_FULL: self.disk_full,
            Mode.HANG: self.hang,
            Mode.OFFLINE: self.offline,
        }
        return tuple(str(mode) for mode, on in flags.items() if on)


class SshServer(Protocol):
    """The SSH server of one device."""

    async def listen(self) -> None:
        """Takes connections and serves them."""
        ...

    async def hang(self) -> None:
        """Takes connections and serves none."""
        ...

    async def stop(self) -> None:
        """Refuses connections and drops those that stand; the port stays ours."""
        ...

    async def close(self) -> None:
        """Stops and gives the port up."""
        ...


class LabDevice:
    """A device that can be broken, rebooted and healed."""

    def __init__(self, spec: DeviceSpec, container: Container) -> None:
        self.spec = spec
        self.container = container
        self.service = AppService(spec.root)
        self.faults = Faults()
        self.boots = 1
        self._server: SshServer | None = None
        self._lock = asyncio.Lock()

    async def power_on(self, server: SshServer) -> None:
        """First start."""
        self._server = server
        self.service.start()
        await server.listen()

    async def power_off(self) -> None:
        """Ends everything of the device."""
        if self._server is not None:
            await self._server.close()
        self.service.stop()
        await self.container.kill()

    def command(self) -> list[str]:
        """What the forced command starts, outside of the container."""
        return self.container.argv("/bin/sh", str(self.spec.root / "usr/lib/rollout/launch"))

    async def before_command(self) -> None:
        """Makes the container ready; a slow device takes its time."""
        async with self._lock:
            await self.container.start()
        if self.faults.slow:
            await asyncio.sleep(EXEC_DELAY_S)

    @property
    def wants_reboot(self) -> bool:
        """Whether a command asked for a reboot."""
        return (self.spec.root / _REBOOT_REQUEST).exists()

    async def break_it(self, mode: Mode) -> None:
        """Applies a fault; faults add up until `heal`."""
        if mode is Mode.REBOOT:
            await self.reboot()
            return
        if mode is Mode.HEAL:
            self.faults = Faults()
        else:
            setattr(self.faults, mode.name.lower(), True)
        await self._apply_faults()

    async def reboot(self) -> None:
        """Power is lost and comes back: see the module's text."""
        assert self._server is not None
        async with self._lock:
            await self._server.stop()
            self.service.stop()
            for _ in range(REBOOTS_MAX):
                await self.container.kill()
                self.boots += 1
                self._clear_run()
                new_boot_id(self.spec.root)
                await self.container.start()
                await self._boot_hook()
                if not self.wants_reboot:
                    break
        await self._apply_faults()

    async def _boot_hook(self) -> None:
        hook = await asyncio.create_subprocess_exec(
            *self.command(),
            "boot",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(BOOT_S_MAX):
            await hook.wait()

    def _clear_run(self) -> None:
        """`/run` is in memory on a device; only the lab's own files in it stay."""
        for entry in (self.spec.root / "run").iterdir():
            if entry.is_dir() and entry.name != "lab":
                shutil.rmtree(entry)
            elif not entry.is_dir():
                entry.unlink()

    async def _apply_faults(self) -> None:
        assert self._server is not None
        self.service.delay_s = SLOW_S if self.faults.slow else 0.0
        if self.faults.crash:
            self.service.stop()
        else:
            self.service.start()
        marker = self.spec.root / "run/lab/disk-full"
        if self.faults.disk_full:
            marker.touch()
        else:
            marker.unlink(missing_ok=True)
        if self.faults.offline:
            await self._server.stop()
        elif self.faults.hang:
            await self._server.hang()
        else:
            await self._server.listen()
