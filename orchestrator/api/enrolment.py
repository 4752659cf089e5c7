"""Enrol devices and release them again, as an administrator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.admin_values import EnrollRequest, ReleaseRequest
from orchestrator.api.connections import OnAnswer, each, open_transport, ssh_settings
from orchestrator.api.pins import Pins, PinsError, read_fingerprints
from orchestrator.api.project import load_inventory, read_file
from orchestrator.api.roles import Role, require_role
from orchestrator.api.signed_files import read_root_file
from orchestrator.api.values import DeviceAnswer, Settings
from orchestrator.device.model import HELPER_USER
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, PlanError

if TYPE_CHECKING:
    from orchestrator.device.model import Address, Device
    from orchestrator.ssh.enroll import Admin, EnrolPlan
    from orchestrator.ssh.placed import Enrolment, PlacedRoot
    from orchestrator.ssh.transport import SshTransport
    from orchestrator.trust.root import Root

FILE_BYTES_MAX = 1024 * 1024  # a key or a health check is a page of text


async def device_enroll(
    settings: Settings, request: EnrollRequest, on_answer: OnAnswer
) -> tuple[DeviceAnswer, ...]:
    """Enrols devices, or (with `look_only`) says what that would change.

    Each answer's facts are the changes, then what the inventory needs to know of the device. Its
    reason is UNCHANGED for a device that was enrolled like this before and was left alone, so what
    was interrupted goes on when it is repeated.

    Raises:
        PlanError: inventory, pattern or a file are wrong; no device was contacted.
        TrustError: a key cannot be used, or the root is not signed by its own keys.
    """
    if not request.look_only:
        require_role(settings, Role.OPERATOR)
    keys = _signing_keys(request)
    root = _placed_root(request.trust_root or settings.trust_root)
    if not keys and root is None:
        message = "a device needs a key to verify releases with, or a trust root"
        hint = "give `--key PUB`, or `--root FILE`"
        raise PlanError(message, hint=hint, code="D114")
    checks = {path.name: read_file(path, FILE_BYTES_MAX) for path in request.checks}
    devices = load_inventory(settings, request.source).select(
        request.pattern, limit=request.source.limit
    )
    if request.fingerprint is not None and len(devices) != 1:
        message = f"a fingerprint is of one device, not of {len(devices)}"
        raise PlanError(message, hint="enrol devices one by one", code="D110")
    types = {device.id: _device_type(device, request) for device in devices}
    told = read_fingerprints(request.fingerprints) if request.fingerprints else {}
    pins = Pins.read(request.pins) if request.pins and not request.look_only else None
    async with open_transport(settings) as transport:

        async def one(device: Device) -> DeviceAnswer:
            address = await _identified(transport, device, request, told.get(device.id))
            wanted = await _wanted(settings, device, types[device.id], keys, checks)
            user = _helper_user(device, request.login)
            wanted = replace(wanted, login_user=user, root=root)
            admin = _admin(transport, address, request)
            plan = await (admin.plan_enrol(wanted) if request.look_only else admin.enrol(wanted))
            reached_as = device.address.user if device.address.become else user
            if pins is not None:
                pins.keep(device.id, reached_as, plan.host_keys)
            return _enrolled(device, plan, reached_as)

        parallel_count = request.parallel_count
        return await each(devices, _guarded(one), on_answer, parallel_count=parallel_count)


async def device_release(
    settings: Settings, request: ReleaseRequest, on_answer: OnAnswer
) -> tuple[DeviceAnswer, ...]:
    """Takes off devices what enrolment wrote; what releases installed stays.

    Raises:
        PlanError: inventory or pattern are wrong.
    """
    if not request.look_only:
        require_role(settings, Role.OPERATOR)
    devices = load_inventory(settings, request.source).select(
        request.pattern, limit=request.source.limit
    )
    async with open_transport(settings) as transport:

        async def one(device: Device) -> DeviceAnswer:
            address = replace(device.address, user=request.login or device.address.user)
            admin = _admin(transport, address, request)
            plan = await (admin.plan_release() if request.look_only else admin.release())
            detail = _counted(plan) if plan.differs else "was not enrolled"
            return DeviceAnswer(device.id, True, _reason(plan), detail, _changes(plan))

        parallel_count = request.parallel_count
        return await each(devices, _guarded(one), on_answer, parallel_count=parallel_count)


def _guarded(
    one: Callable[[Device], Awaitable[DeviceAnswer]],
) -> Callable[[Device], Awaitable[DeviceAnswer]]:
    """Trouble with one device is its answer, and hurts no other."""

    async def guarded(device: Device) -> DeviceAnswer:
        try:
            return await one(device)
        except DeviceError as error:
            hint = f" ({error.hint})" if error.hint else ""
            return DeviceAnswer(device.id, False, error.reason, f"{error.message}{hint}")
        except PinsError as error:
            return DeviceAnswer(device.id, False, Reason.IO, str(error))

    return guarded


async def _identified(
    transport: SshTransport, device: Device, request: EnrollRequest, told: str | None
) -> Address:
    """The administrator's way to a device whose host key is known to be right.

    What is pinned already goes before `told`, the fingerprint from a list of many.
    """
    from orchestrator.ssh.first_contact import identify

    address = replace(device.address, user=request.login or device.address.user)
    if address.host_keys and request.fingerprint is None:
        return address
    fingerprint = request.fingerprint or told

    def confirm(_algorithm: str, fingerprint: str) -> bool:
        return request.accept_host_key(device.id, fingerprint)

    line = await identify(transport, address, fingerprint=fingerprint, confirm=confirm)
    return replace(address, host_keys=(line,))


async def _wanted(
    settings: Settings,
    device: Device,
    device_type: str,
    keys: Mapping[str, bytes],
    checks: Mapping[str, bytes],
) -> Enrolment:
    from orchestrator.ssh.identity import KeyRing, public_line
    from orchestrator.ssh.placed import Enrolment

    ring = KeyRing(ssh_settings(settings))
    try:
        login = public_line((await ring.keys(device.address.key_file))[0])
    finally:
        ring.close()
    return Enrolment(
        device_type=device_type,
        device_id=device.id,
        login_key=login,
        signing_keys=keys,
        checks=checks,
    )


def _admin(
    transport: SshTransport, address: Address, request: EnrollRequest | ReleaseRequest
) -> Admin:
    from orchestrator.ssh.enroll import Admin, Become

    method = request.become or address.become
    become = Become(method) if method else Become.NONE
    return Admin(transport, address, become=become, password=request.become_password)


def _helper_user(device: Device, login: str | None) -> str:
    """The account behind which the helper will answer: never the administrator's own."""
    if login is None or device.address.user == login or device.address.become:
        return HELPER_USER
    return device.address.user


def _device_type(device: Device, request: EnrollRequest) -> str:
    found = request.device_type or device.labels.get("device_type")
    if not found:
        message = f"the type of device `{device.id}` is not known"
        hint = "give `--device-type`, or set `device_type` in the inventory"
        raise PlanError(message, hint=hint, code="D111")
    return found


def _signing_keys(request: EnrollRequest) -> dict[str, bytes]:
    from orchestrator.trust.keys import load_public_key

    found: dict[str, bytes] = {}
    for path in request.keys:
        name = Path(path.name.removesuffix(".pub")).stem
        if name in found:
            message = f"two keys are called `{name}`"
            raise PlanError(message, hint="rename one of the files", code="D112")
        found[name] = load_public_key(path).pem
    return found


def _placed_root(path: Path | None) -> PlacedRoot | None:
    """The root of a file, signed by its own root keys; the signatures stand beside it."""
    if path is None:
        return None
    from orchestrator.ssh.placed import PlacedRoot

    found = read_root_file(path)
    root = found.root
    return PlacedRoot(found.text, root.fleet, root.version, _needs_ed25519(root))


def _needs_ed25519(root: Root) -> bool:
    """Whether a device without Ed25519 could not count enough keys of a role."""
    from orchestrator.trust.keys import KeyKind
    from orchestrator.trust.root import Role

    def others(role: Role) -> int:
        return sum(key.kind is not KeyKind.ED25519 for key in root.of(role))

    return any(others(role) < root.threshold(role) for role in (Role.ROOT, Role.RELEASE))


def _enrolled(device: Device, plan: EnrolPlan, reached_as: str) -> DeviceAnswer:
    known = {"ansible_user": reached_as, "rollout_host_keys": ", ".join(plan.host_keys)}
    detail = _counted(plan) if plan.differs else "enrolled already"
    return DeviceAnswer(device.id, True, _reason(plan), detail, {**_changes(plan), **known})


def _reason(plan: EnrolPlan) -> Reason:
    return Reason.OK if plan.differs else Reason.UNCHANGED


def _counted(plan: EnrolPlan) -> str:
    count = len(_changes(plan))
    return f"{count} changes" if count != 1 else "1 change"


def _changes(plan: EnrolPlan) -> dict[str, str]:
    from orchestrator.ssh.enroll import Action

    return {str(change): "" for change in plan.changes if change.action is not Action.SAME}
