"""The way to devices, made from the operator's settings."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.values import DeviceAnswer, Settings

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.ssh.profile import SshSettings
    from orchestrator.ssh.transport import SshTransport

OnAnswer = Callable[[DeviceAnswer], None]


def ssh_settings(settings: Settings, purpose: str = "") -> SshSettings:
    """SSH limits, keys and known hosts: what the settings name, else what OpenSSH would use.

    `purpose` stands in the certificates that are made, and so in the devices' logs.

    Raises:
        PlanError: the file of host authorities cannot be read.
        TrustError: an authority cannot be used.
    """
    from orchestrator.api.authorities import host_authorities, short_lived
    from orchestrator.ssh.profile import settings_of_user

    found = settings_of_user(Path.home(), getpass.getuser(), os.environ.get("SSH_AUTH_SOCK"))
    return replace(
        found,
        known_hosts=settings.known_hosts or found.known_hosts,
        default_keys=settings.identity_files or found.default_keys,
        handshake_count_max=settings.connections_max,
        host_authorities=host_authorities(settings.host_ca),
        short_lived=short_lived(settings.user_ca, purpose),
    )


@asynccontextmanager
async def open_transport(settings: Settings, purpose: str = "") -> AsyncIterator[SshTransport]:
    """A transport that is closed at the end; `purpose` as of `ssh_settings`.

    Raises:
        PlanError, TrustError: as `ssh_settings`.
    """
    from orchestrator.ssh.transport import SshTransport

    transport = SshTransport(ssh_settings(settings, purpose))
    try:
        yield transport
    finally:
        await transport.close()


async def each(
    devices: Sequence[Device],
    one: Callable[[Device], Awaitable[DeviceAnswer]],
    on_answer: OnAnswer,
    *,
    parallel_count: int,
) -> tuple[DeviceAnswer, ...]:
    """Answers of all devices, in their order; told as they come, at most so many at once."""
    found: dict[str, DeviceAnswer] = {}
    waiting = iter(devices)

    async def worker() -> None:
        for device in waiting:  # shared: each device is taken by one worker
            found[device.id] = await one(device)
            on_answer(found[device.id])

    async with asyncio.TaskGroup() as group:
        for _ in range(min(parallel_count, len(devices))):
            group.create_task(worker())
    return tuple(found[device.id] for device in devices)
