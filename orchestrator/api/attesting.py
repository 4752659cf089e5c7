"""What devices say of themselves, signed with their host keys: evidence that can be shown to others."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.connections import OnAnswer, each, open_transport
from orchestrator.api.devices import CONNECT_S, REPLY_S
from orchestrator.api.reports import attested, unsigned
from orchestrator.api.roles import require_role
from orchestrator.api.selecting import devices_of
from orchestrator.api.values import DeviceAnswer, Settings, Source
from orchestrator.device.protocol import Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, PlanError, TrustError, system_reason

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.ssh.transport import SshTransport
    from orchestrator.trust.report import Report

_NONCE_BYTES = 16
_SHOWN = ("artifact", "manifest", "active", "state", "boot-id", "time")


async def device_attest(
    settings: Settings, pattern: str, source: Source, out: Path | None, on_answer: OnAnswer
) -> tuple[DeviceAnswer, ...]:
    """Signed reports of what devices run, each with a nonce of its own; read-only.

    A report that no trusted host key signed is no evidence, and so its device has not answered
    well. With `out` reports and signatures are kept there, as `DEVICE.report` and `.report.sig`.

    Raises:
        PlanError: inventory or pattern are wrong, or the directory cannot be made.
    """
    require_role(settings, "device attest")
    devices = devices_of(settings, source, pattern)
    if out is not None:
        _make(out)
    async with open_transport(settings) as transport:

        async def one(device: Device) -> DeviceAnswer:
            try:
                report = await _attested(transport, device)
                if out is not None:
                    _keep(out, device, report)
            except DeviceError as error:
                return DeviceAnswer(device.id, False, error.reason, error.message)
            except TrustError as error:
                return DeviceAnswer(device.id, False, Reason.REPORT, error.message)
            except OSError as error:
                detail = f"the report cannot be kept: {system_reason(error)}"
                return DeviceAnswer(device.id, False, Reason.IO, detail)
            facts = {key: report.values[key] for key in _SHOWN} | {"signed-by": report.signed_by}
            return DeviceAnswer(device.id, True, Reason.OK, "", facts)

        return await each(devices, one, on_answer, parallel_count=settings.connections_max)


async def _attested(transport: SshTransport, device: Device) -> Report:
    nonce = secrets.token_hex(_NONCE_BYTES)
    session = await transport.open(device, deadline_s=CONNECT_S)
    try:
        reply = await session.ask(Request(Verb.ATTEST, {"nonce": nonce}), deadline_s=REPLY_S)
        keys = (session.host_key, *device.address.host_keys)
    finally:
        await session.close()
    if reply.rc != 0:
        known = reply.reason != Reason.USAGE
        reason = reply.reason if known else Reason.OLD_HELPER
        detail = reply.detail if known else "enrol it again: its helper signs no reports"
        raise DeviceError(detail, reason=reason)
    if why := unsigned(reply):
        raise DeviceError(f"its report is unsigned: {why}", reason=Reason.NO_DATA)
    return attested(device, reply, nonce, keys)


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"`{out}` cannot be made: {system_reason(error)}"
        raise PlanError(message, hint="name another directory", code="D118") from error


def _keep(out: Path, device: Device, report: Report) -> None:
    (out / f"{device.id}.report").write_bytes(report.text)
    (out / f"{device.id}.report.sig").write_bytes(report.signature)
