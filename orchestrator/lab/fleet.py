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
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncssh

from orchestrator.device.model import Address
from orchestrator.errors import OrchestratorError
from orchestrator.lab.container import BwrapContainer, Container, PlainContainer, can_isolate
from orchestrator.lab.device import LabDevice, Mode
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
        self._sockets: list[socket.socket] = []
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
        self._sockets = take_ports(options.devices, first=options.port_first)
        listed = specs(self.directory, options.devices)
        for spec, held in zip(listed, self._sockets, strict=True):
            host_key = maker.make(spec)
            device = LabDevice(spec, _container(spec, isolate=isolate))
            self.devices[spec.id] = device
            server = self._server(device, held, host_key=host_key, client_key=client_key)
            await device.power_on(server)
            self.addresses[spec.id] = self._address(server.port, host_key)
        inventory = write_inventory(
            self.directory, [(spec, self.addresses[spec.id]) for spec in listed]
        )
        self.info = self._record(inventory, isolated=isolate)

    def _server(
        self,
        device: LabDevice,
        held: socket.socket,
        *,
        host_key: asyncssh.SSHKey,
        client_key: asyncssh.SSHKey,
    ) -> AsyncsshServer | ProgramServer:
        if self.options.server is not Server.ASYNCSSH:
            return ProgramServer(device, held, self.options.server, self.directory)
        return AsyncsshServer(
            device,
            held,
            host_key=host_key,
            client_key=client_key,
            reboot_wanted=self._reboots.put_nowait,
        )

    def _record(self, inventory: Path, *, isolated: bool) -> LabInfo:
        info = LabInfo(
            directory=str(self.directory),
            inventory=str(inventory),
            controller_key=str(self.directory / "controller"),
            control=str(self.directory / "ctl"),
            pid=os.getpid(),
            devices=self.options.devices,
            server=str(self.options.server),
            isolated=isolated,
        )
        text = json.dumps(asdict(info), indent=2) + "\n"
        (self.directory / "lab.json").write_text(text, encoding="utf-8")
        return info

    def _address(self, port: int, host_key: asyncssh.SSHKey) -> Address:
        return Address(
            host=LOOPBACK,
            port=port,
            user=pwd.getpwuid(os.getuid()).pw_name,  # never $USER: it may be another one
            key_file=str(self.directory / "controller"),
            host_keys=(" ".join(host_key.export_public_key().decode("ascii").split()[:2]),),
        )

    async def _stop(self) -> None:
        for device in self.devices.values():
            await device.power_off()
        self.devices.clear()
        for held in self._sockets:  # of devices that were never powered on
            held.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    async def _keep_rebooting(self) -> None:
        """Reboots devices whose commands asked for it; outside of the connection that ends."""
        while True:
            device = await self._reboots.get()
            if device.wants_reboot:
                await device.reboot()


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
