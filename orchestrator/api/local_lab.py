"""A local fleet of real SSH devices to try things on."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.values import LabRequest, LabShown
from orchestrator.errors import PlanError

if TYPE_CHECKING:
    from orchestrator.lab.client import DeviceStatus, LabStatus

_POINTER = "lab.json"
_INVENTORY = "inventory.yml"


async def lab_up(request: LabRequest) -> LabShown:
    """Starts a fleet in the background; its inventory is copied into `request.directory`.

    Raises:
        OrchestratorError: one runs there already, or this one did not come up.
    """
    from orchestrator.lab import client
    from orchestrator.lab.layout import LabOptions, Server

    directory = request.directory
    options = LabOptions(
        devices=request.count, server=Server(request.server), signing_keys=request.keys
    )
    info = await asyncio.to_thread(client.up, options, pointer=directory / _POINTER)
    # The lab itself lies in memory under a name of its own; people want a name that stays.
    shutil.copyfile(info.inventory, directory / _INVENTORY)
    return await lab_status(directory)


async def lab_down(directory: Path) -> bool:
    """Ends the fleet and removes everything of it; False where none was started from here."""
    from orchestrator.lab import client

    if not await asyncio.to_thread(client.down, pointer=directory / _POINTER):
        return False
    inventory = directory / _INVENTORY
    inventory.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody keeps something there
        inventory.parent.rmdir()
    return True


async def lab_status(directory: Path) -> LabShown:
    """How the devices are.

    Raises:
        PlanError: there is no lab.
        OrchestratorError: it does not answer.
    """
    from orchestrator.lab import client

    found = await asyncio.to_thread(client.status, pointer=directory / _POINTER)
    if found is None:
        raise _no_lab(directory)
    return _shown(directory, found)


async def lab_break(directory: Path, device: str, mode: str) -> None:
    """Breaks a device, or heals it (mode `none`).

    Raises:
        PlanError: there is no lab.
        OrchestratorError: it has no such device, or does not answer.
    """
    from orchestrator.lab import client
    from orchestrator.lab.device import Mode

    wanted = Mode.HEAL if mode == "none" else Mode(mode)
    pointer = directory / _POINTER
    if not await asyncio.to_thread(client.break_device, device, wanted, pointer=pointer):
        raise _no_lab(directory)


def _shown(directory: Path, found: LabStatus) -> LabShown:
    return LabShown(
        directory=Path(found.info.directory),
        inventory=directory / _INVENTORY,
        devices=tuple(
            (device.device, _state(device), device.version or "-") for device in found.devices
        ),
        pid=found.info.pid,
    )


def _state(device: DeviceStatus) -> str:
    works = "healthy" if device.healthy else "unhealthy" if device.version else "empty"
    return ", ".join([*device.broken, works])


def _no_lab(directory: Path) -> PlanError:
    message = f"no lab was started from `{directory}`"
    return PlanError(message, hint="start one with `rollout lab up`", code="S120")
