"""A bare asyncssh client doing the same transfer as a rollout: connect, one exec, the artifact.

The yardstick of `make bench`: no engine, no store, no gates, no read-back. It pins host keys and
uses the same algorithms as `orchestrator.ssh`, and checks the helper's answer, so that both
measure work that was really done.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import asyncssh

from orchestrator.device.model import Device
from orchestrator.ssh.profile import SshSettings, client_options

CHUNK_BYTES = 32 * 1024


async def upload(
    device: Device, options: asyncssh.SSHClientConnectionOptions, body: bytes, sha256: str
) -> None:
    """Stages `body` on one device with a single exec.

    Raises:
        RuntimeError: the helper did not confirm the bytes.
    """
    address = device.address
    pinned = "".join(f"[{address.host}]:{address.port} {pin}\n" for pin in address.host_keys)
    async with asyncssh.connect(
        address.host,
        address.port,
        username=address.user,
        known_hosts=asyncssh.import_known_hosts(pinned),
        options=options,
    ) as connection:
        txn = hashlib.sha256(device.id.encode()).hexdigest()[:26].upper()
        line = (
            f"stage txn={txn} controller=bench component=bench epoch=1"
            f" name=data/0000/body size={len(body)} sha={sha256} offset=0"
        )
        process = await connection.create_process(line, encoding=None)
        for start in range(0, len(body), CHUNK_BYTES):
            process.stdin.write(body[start : start + CHUNK_BYTES])
            await process.stdin.drain()
        process.stdin.write_eof()
        answer = await process.stdout.read()
        await process.wait()
        if b"end 0 " not in answer:
            message = f"{device.id}: {answer[:200]!r}"
            raise RuntimeError(message)


async def upload_all(
    devices: Sequence[Device], key: asyncssh.SSHKey, body: bytes, parallel_count: int
) -> None:
    """Uploads to all devices, at most `parallel_count` at once."""
    gate = asyncio.Semaphore(parallel_count)
    options = asyncssh.SSHClientConnectionOptions(client_options(SshSettings()), client_keys=[key])
    sha256 = hashlib.sha256(body).hexdigest()

    async def one(device: Device) -> None:
        async with gate:
            await upload(device, options, body, sha256)

    async with asyncio.TaskGroup() as group:
        for device in devices:
            group.create_task(one(device))
