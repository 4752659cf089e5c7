"""Takes devices from the trust root they have to later ones, one version after the other.

A device judges each root itself; what is checked here only says earlier what no device would take.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.connections import OnAnswer, each, open_transport
from orchestrator.api.devices import CONNECT_S, REPLY_S, owner_of
from orchestrator.api.frames import frame_of
from orchestrator.api.recording import recording
from orchestrator.api.roles import require_role
from orchestrator.api.selecting import devices_of
from orchestrator.api.signed_files import RootFile, read_root_file
from orchestrator.api.values import DeviceAnswer, Settings, Source
from orchestrator.device.protocol import Reply, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.device.trust import ROOT_FRAMES, trust_of
from orchestrator.errors import DeviceError
from orchestrator.rollout.acts import ActKind

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.engine.ports import Session, Transport


async def device_root(
    settings: Settings, pattern: str, source: Source, roots: Sequence[Path], on_answer: OnAnswer
) -> tuple[DeviceAnswer, ...]:
    """Gives devices the roots that follow theirs; those that they have already are left out.

    Raises:
        PlanError: inventory or pattern are wrong, a file cannot be read, or who asks is no operator.
        TrustError: a file is no root, or its own keys did not sign it.
        StoreError: the state store cannot be opened.
    """
    require_role(settings, "device root")
    ordered = sorted(map(read_root_file, roots), key=lambda file: file.root.version)
    devices = devices_of(settings, source, pattern)
    async with recording(settings) as recorder, open_transport(settings) as transport:
        owner = await owner_of(recorder.store)
        request = Request(Verb.ROOT, {**owner, "frames": str(len(ROOT_FRAMES))})

        async def one(device: Device) -> DeviceAnswer:
            try:
                return await _take_along(transport, device, ordered, request)
            except DeviceError as error:
                return DeviceAnswer(device.id, False, error.reason, error.message)

        work = recorder.each(ActKind.DEVICE_ROOT, one)
        return await each(devices, work, on_answer, parallel_count=settings.connections_max)


async def _take_along(
    transport: Transport, device: Device, roots: Sequence[RootFile], request: Request
) -> DeviceAnswer:
    session = await transport.open(device, deadline_s=CONNECT_S)
    try:
        hello = await session.ask(Request(Verb.HELLO), deadline_s=REPLY_S)
        found = trust_of(hello)
        if hello.rc != 0 or found is None:
            reason = hello.reason if hello.rc else Reason.NO_ROOT
            detail = hello.detail if hello.rc else "it has no trust root: enrol it with one"
            return DeviceAnswer(device.id, False, reason, detail)
        version = found.root_version or 0
        for file in roots:
            if file.root.version > version:
                reply = await _send(session, request, file)
                if reply.rc != 0:
                    return DeviceAnswer(device.id, False, reply.reason, reply.detail)
                version = file.root.version
        return DeviceAnswer(device.id, True, Reason.OK, "", {"root": str(version)})
    finally:
        await session.close()


async def _send(session: Session, request: Request, file: RootFile) -> Reply:
    from orchestrator.engine.ports import Dialogue

    async def nothing(_said: Reply) -> str:
        return ""

    frames = tuple(map(frame_of, ROOT_FRAMES, (file.text, file.signatures)))
    return await session.converse(request, Dialogue(frames, nothing), deadline_s=REPLY_S)
