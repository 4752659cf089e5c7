"""A running lab: all devices of one directory, in this process.

`LabFleet` is an async context manager; leaving it ends every process of the lab and removes its
directory. `rollout lab up` runs one in a process of its own (`orchestrator.lab.daemon`).
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import resource
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncssh

from orchestrator.device.model import Address
from orchestrator.errors import OrchestratorError
from orchestrator.lab.container import BwrapContainer, Container, PlainContainer, can_isolate
from orchestrator.lab.device import LabDevice, Mode, SshServer
from orchestrator.lab.layout import (
    LOOPBACK,
    DeviceSpec,
    LabOptions,
    Server,
    TreeMaker,
    make_controller_key,
    specs,
    write_inventory,
)
from orchestrator.lab.ports import take_ports
from orchestrator.lab.programs import ProgramServer, check_program
from orchestrator.lab.server import AsyncsshServer

LOG = "lab.log"
_FILES_PER_DEVICE = 24
_FILES_OWN = 128


@dataclass(frozen=True, slots=True)
class LabInfo:
    """How to find and use a lab; stands in `lab.json` of its directory."""

    directory: str
    inventory: str
    controller_key: str
    control: str
    pid: int
    devices: int
    server: str
    isolated: bool

    @classmethod
    def read(cls, path: Path) -> Self:
        """The contents of a `lab.json`."""
        return cls(**json.loads(path.read_text("utf-8")))


class LabFleet:
    """Devices on loopback with real SSH, a real shell and the real helper."""

    def __init__(self, directory: Path, options: LabOptions) -> None:
        self.directory = directory.resolve()
        self.options = options
        self.devices: dict[str, LabDevice] = {}
        self.addresses: dict[str, Address] = {}
        self.info: LabInfo | None = None
        self._reboots: asyncio.Queue[LabDevice] = asyncio.Queue()
        self._tasks: asyncio.TaskGroup | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Starts all devices.

        Raises:
            OrchestratorError: the directory is not empty, or something it needs is missing.
        """
        self._prepare_directory()
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._keeper = self._tasks.create_task(self._keep_rebooting())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends everything and removes the directory."""
        assert self._tasks is not None
        assert self._keeper is not None
        self._keeper.cancel()
        await self._tasks.__aexit__(None, None, None)
        await self._stop()

    def device(self, name: str) -> LabDevice:
        """A device by name.

        Raises:
            OrchestratorError: the lab has no such device.
        """
        if (found := self.devices.get(name)) is None:
            first, last = min(self.devices), max(self.devices)
            message = f"the lab has no device `{name}`"
            raise OrchestratorError(message, hint=f"they are `{first}` to `{last}`")
        return found

    async def break_device(self, name: str, mode: Mode) -> None:
        """Applies a fault to a device.

        Raises:
            OrchestratorError: the lab has no such device.
        """
        await self.device(name).break_it(mode)

    def status(self) -> list[dict[str, object]]:
        """What each device is up to, JSON-able."""
        found: list[dict[str, object]] = []
        for name, device in self.devices.items():
            code, body = device.service.answer()
            found.append(
                {
                    "device": name,
                    "site": device.spec.site,
                    "hardware": device.spec.hardware,
                    "broken": list(device.faults.names),
                    "boots": device.boots,
                    "healthy": code == 0 and not device.faults.crash,
                    "version": body.get("version"),
                }
            )
        return found

    def _prepare_directory(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)
        if any(entry.name != LOG for entry in self.directory.iterdir()):
            raise OrchestratorError(
                f"lab directory `{self.directory}` is not empty",
                hint="is a lab running there? `rollout lab down` ends it",
            )

    async def _start(self) -> None:
        options = self.options
        check_program(options.server)
        _raise_file_limit(options.devices)
        isolate = options.isolate and options.server is not Server.DROPBEAR and await can_isolate()
        client_key = make_controller_key(self.directory)
        maker = TreeMaker(options)
        sockets = take_ports(options.devices, first=options.port_first)
        listed = []
        for spec, held in zip(specs(self.directory, options.devices), sockets, strict=True):
            host_key = maker.make(spec)
            device = LabDevice(spec, _container(spec, isolate=isolate))
            server: SshServer
            if options.server is Server.ASYNCSSH:
                server = AsyncsshServer(
                    device,
                    held,
                    host_key=host_key,
                    client_key=client_key,
                    reboot_wanted=self._reboots.put_nowait,
                )
            else:
                server = ProgramServer(device, held, options.server, self.directory)
            self.devices[spec.id] = device
            await device.power_on(server)
            address = self._address(server, public_line(host_key))
            self.addresses[spec.id] = address
            listed.append((spec, address))
        inventory = write_inventory(self.directory, listed)
        self.info = LabInfo(
            directory=str(self.directory),
            inventory=str(inventory),
            controller_key=str(self.directory / "controller"),
            control=str(self.directory / "ctl"),
            pid=os.getpid(),
            devices=options.devices,
            server=str(options.server),
            isolated=isolate,
        )
        text = json.dumps(asdict(self.info), indent=2) + "\n"
        (self.directory / "lab.json").write_text(text, encoding="utf-8")

    def _address(self, server: SshServer, host_key: str) -> Address:
        assert isinstance(server, AsyncsshServer | ProgramServer)
        return Address(
            host=LOOPBACK,
            port=server.port,
            user=pwd.getpwuid(os.getuid()).pw_name,  # never $USER: it may be another one
            key_file=str(self.directory / "controller"),
            host_keys=(host_key,),
        )

    async def _stop(self) -> None:
        for device in self.devices.values():
            await device.power_off()
        self.devices.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    async def _keep_rebooting(self) -> None:
        """Reboots devices whose commands asked for it; outside of the connection that ends."""
        while True:
            device = await self._reboots.get()
            if device.wants_reboot:
                await device.reboot()


def public_line(key: asyncssh.SSHKey) -> str:
    """A public key as inventories pin it."""
    return " ".join(key.export_public_key().decode("ascii").split()[:2])


def _container(spec: DeviceSpec, *, isolate: bool) -> Container:
    if isolate:
        return BwrapContainer(spec.root, spec.id)
    return PlainContainer(spec.root)


def _raise_file_limit(devices: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = devices * _FILES_PER_DEVICE + _FILES_OWN
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
