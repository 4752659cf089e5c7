"""Bundles for images, and the first contact with what was made from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.admin_values import BundleRequest, PinRequest
from orchestrator.api.authorities import user_authority
from orchestrator.api.connections import OnAnswer, each, open_transport
from orchestrator.api.devices import CONNECT_S, REPLY_S
from orchestrator.api.enrolment import guarded
from orchestrator.api.pins import Pins
from orchestrator.api.placing import expectations, health_checks, identified, login_key, verified_by
from orchestrator.api.project import read_file
from orchestrator.api.recording import recording
from orchestrator.api.roles import require_role
from orchestrator.api.selecting import devices_of
from orchestrator.api.values import DeviceAnswer, Settings
from orchestrator.device.protocol import Reply, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, PlanError, system_reason
from orchestrator.rollout.acts import ActKind

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.engine.ports import Transport

_KEY_BYTES_MAX = 16 * 1024


async def device_bundle(settings: Settings, request: BundleRequest) -> tuple[Path, ...]:
    """Writes a tar, an install script and, with sudo, a Debian package; gives the files written.

    Raises:
        PlanError: a file or a value is wrong, or the files cannot be written.
        TrustError: a key cannot be used, or the root is not signed by its own keys.
        DeviceError: there is no key to log in with, or a value cannot stand on a device.
    """
    require_role(settings, "device bundle")
    from orchestrator.ssh import bundle
    from orchestrator.ssh.placed import Boot, Elevation, Enrolment

    keys, root = verified_by(request.keys, request.trust_root or settings.trust_root)
    if request.login_key is None:
        line = await login_key(settings, None)
    else:
        line = read_file(request.login_key, _KEY_BYTES_MAX).decode("utf-8", errors="replace")
    wanted = Enrolment(
        device_type=request.device_type,
        device_id=request.device_id or bundle.HOST_NAME,
        login_key=line,
        signing_keys=keys,
        checks=health_checks(request.checks),
        login_user=request.user,
        root=root,
        user_ca=user_authority(settings.user_ca),
    )
    way = Elevation(request.become)
    tree = bundle.tree_of(wanted, way, Boot(request.boot))
    version = bundle.version_of(request.revision)
    files = {
        bundle.TAR_NAME: bundle.tar_of(tree),
        bundle.SCRIPT_NAME: bundle.install_script(),
    }
    if way is Elevation.SUDO:
        name = f"rollout-device_{version}_all.deb"
        files[name] = bundle.deb_of(tree, revision=request.revision, root=wanted.root)
    try:
        request.out.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (request.out / name).write_bytes(data)
    except OSError as error:
        message = f"the bundle cannot be written to `{request.out}`: {system_reason(error)}"
        raise PlanError(message, hint="name another directory", code="D118") from error
    return tuple(request.out / name for name in files)


async def device_pin(
    settings: Settings, request: PinRequest, on_answer: OnAnswer
) -> tuple[DeviceAnswer, ...]:
    """First contact with devices that have the helper already: their host keys are proven, no more.

    Each answer's facts are what the inventory needs to know. Nothing is changed on a device.

    Raises:
        PlanError: inventory, pattern or a file are wrong; no device was contacted.
        StoreError: it cannot be recorded.
    """
    require_role(settings, "device pin")
    source = request.source
    devices = devices_of(settings, source, request.pattern)
    if request.fingerprint is not None and len(devices) != 1:
        message = f"a fingerprint is of one device, not of {len(devices)}"
        raise PlanError(message, hint="give `--fingerprints FILE`", code="D110")
    expected = expectations(settings, request)
    pins = Pins.read(request.pins) if request.pins else None
    async with open_transport(settings) as transport:

        async def one(device: Device) -> DeviceAnswer:
            address = await identified(transport, device.id, device.address, expected(device.id))
            said = await _hello(transport, replace(device, address=address))
            if problem := _other_device(device, said):
                return DeviceAnswer(device.id, False, Reason.INCOMPATIBLE, problem)
            if pins is not None:
                pins.keep(device.id, address.user, address.host_keys)
            known = {
                "rollout_host_keys": ", ".join(address.host_keys),
                "ansible_user": address.user,
            }
            reason = Reason.UNCHANGED if address == device.address else Reason.OK
            return DeviceAnswer(device.id, True, reason, "", known)

        async with recording(settings) as recorder:
            work = recorder.each(ActKind.DEVICE_PIN, guarded(one))
            return await each(devices, work, on_answer, parallel_count=request.parallel_count)


async def _hello(transport: Transport, device: Device) -> Reply:
    session = await transport.open(device, deadline_s=CONNECT_S)
    try:
        reply = await session.ask(Request(Verb.HELLO), deadline_s=REPLY_S)
    finally:
        await session.close()
    if reply.rc != 0:
        raise DeviceError(reply.detail, reason=reply.reason)
    return reply


def _other_device(device: Device, said: Reply) -> str:
    """Why the helper that answered is not the one of this device; empty when it is."""
    own_type, own_id = said.fields.get("device-type", ""), said.fields.get("device-id")
    wanted_type = device.labels.get("device_type", own_type)
    if own_type != wanted_type:
        return f"it is of the type `{own_type}`, the inventory says `{wanted_type}`"
    if own_id not in (None, device.id):
        return f"it calls itself `{own_id}`: tickets would go by that name"
    return ""
