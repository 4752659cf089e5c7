"""Enrol devices and release them again, as an administrator."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.api.admin_values import EnrollRequest, ReleaseRequest
from orchestrator.api.authorities import HostCertifier, host_certifier, user_authority
from orchestrator.api.connections import OnAnswer, each, open_transport
from orchestrator.api.pins import Pins, PinsError
from orchestrator.api.placing import (
    expectations,
    health_checks,
    identified,
    login_key,
    verified_by,
)
from orchestrator.api.recording import recording
from orchestrator.api.roles import require_role
from orchestrator.api.selecting import devices_of
from orchestrator.api.values import DeviceAnswer, Settings
from orchestrator.device.model import HELPER_USER
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, PlanError, TrustError
from orchestrator.rollout.acts import ActKind

if TYPE_CHECKING:
    from orchestrator.device.model import Address, Device
    from orchestrator.ssh.enroll import Admin, EnrolPlan
    from orchestrator.ssh.placed import Enrolment
    from orchestrator.ssh.transport import SshTransport

FILE_BYTES_MAX = 1024 * 1024  # a key or a health check is a page of text
_OPENSSL, _SSH_KEYGEN = "openssl", "ssh-keygen"


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
        StoreError: it cannot be recorded.
    """
    if not request.look_only:
        require_role(settings, "device enroll")
    if request.vouching is not None:
        require_role(settings, "ca sign-host")
    from orchestrator.ssh.placed import Enrolment

    keys, root = verified_by(request.keys, request.trust_root or settings.trust_root)
    checks, authority = health_checks(request.checks), user_authority(settings.user_ca)
    certify = host_certifier(request.vouching)
    devices = devices_of(settings, request.source, request.pattern)
    if request.fingerprint is not None and len(devices) != 1:
        message = f"a fingerprint is of one device, not of {len(devices)}"
        raise PlanError(message, hint="enrol devices one by one", code="D110")
    types = {device.id: _device_type(device, request) for device in devices}
    expected = expectations(settings, request)
    pins = Pins.read(request.pins) if request.pins and not request.look_only else None
    async with open_transport(settings) as transport:

        async def one(device: Device) -> DeviceAnswer:
            address = replace(device.address, user=request.login or device.address.user)
            address = await identified(transport, device.id, address, expected(device.id))
            user = _helper_user(device, request.login)
            wanted = Enrolment(
                device_type=types[device.id],
                device_id=device.id,
                login_key=await login_key(settings, device.address.key_file),
                signing_keys=keys,
                checks=checks,
                login_user=user,
                root=root,
                user_ca=authority,
            )
            admin = _admin(transport, device, address, request)
            if certify is not None:
                wanted = await _certified(admin, wanted, certify)
            plan = await (admin.plan_enrol(wanted) if request.look_only else admin.enrol(wanted))
            reached_as = device.address.user if device.address.become else user
            if pins is not None:
                pins.keep(device.id, reached_as, plan.host_keys)
            answer = _enrolled(device, plan, reached_as)
            answer = _without_certificates(answer, plan) if authority else answer
            return _without_certificate(answer, plan) if certify else answer

        return await _worked(settings, ActKind.DEVICE_ENROLL, request, devices, one, on_answer)


async def device_release(
    settings: Settings, request: ReleaseRequest, on_answer: OnAnswer
) -> tuple[DeviceAnswer, ...]:
    """Takes off devices what enrolment wrote; what releases installed stays.

    Raises:
        PlanError: inventory or pattern are wrong.
        StoreError: it cannot be recorded.
    """
    if not request.look_only:
        require_role(settings, "device release")
    devices = devices_of(settings, request.source, request.pattern)
    async with open_transport(settings) as transport:

        async def one(device: Device) -> DeviceAnswer:
            address = replace(device.address, user=request.login or device.address.user)
            admin = _admin(transport, device, address, request)
            plan = await (admin.plan_release() if request.look_only else admin.release())
            detail = _counted(plan) if plan.differs else "was not enrolled"
            return DeviceAnswer(device.id, True, _reason(plan), detail, _changes(plan))

        return await _worked(settings, ActKind.DEVICE_RELEASE, request, devices, one, on_answer)


async def _worked(
    settings: Settings,
    kind: ActKind,
    request: EnrollRequest | ReleaseRequest,
    devices: Sequence[Device],
    one: Callable[[Device], Awaitable[DeviceAnswer]],
    on_answer: OnAnswer,
) -> tuple[DeviceAnswer, ...]:
    """Does it on all devices; records it unless they are only looked at."""
    count, work = request.parallel_count, guarded(one)
    if request.look_only:
        return await each(devices, work, on_answer, parallel_count=count)
    async with recording(settings) as recorder:
        return await each(devices, recorder.each(kind, work), on_answer, parallel_count=count)


def guarded(
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


def _admin(
    transport: SshTransport,
    device: Device,
    address: Address,
    request: EnrollRequest | ReleaseRequest,
) -> Admin:
    from orchestrator.ssh.enroll import Admin, Become

    method = request.become or address.become
    become = Become(method) if method else Become.NONE
    return Admin(
        transport,
        address,
        become=become,
        password=request.become_password,
        identity=device.id,
    )


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


def _enrolled(device: Device, plan: EnrolPlan, reached_as: str) -> DeviceAnswer:
    known = {"ansible_user": reached_as, "rollout_host_keys": ", ".join(plan.host_keys)}
    detail = _counted(plan) if plan.differs else "enrolled already"
    if plan.verifiers and _OPENSSL not in plan.verifiers:
        which = "a" if _SSH_KEYGEN in plan.verifiers else "an Ed25519"
        detail = f"{detail}; it has no openssl: {which} build key must sign beside its tickets"
    return DeviceAnswer(device.id, True, _reason(plan), detail, {**_changes(plan), **known})


def _without_certificates(answer: DeviceAnswer, plan: EnrolPlan) -> DeviceAnswer:
    """Says so where the login key had to stay the way in."""
    if any(change.subject == "authority" for change in plan.changes):
        return answer
    why = "its SSH server knows no certificates, so the login key counts"
    return replace(answer, detail=f"{answer.detail}; {why}")


async def _certified(admin: Admin, wanted: Enrolment, certify: HostCertifier) -> Enrolment:
    """With a certificate of the key that the host proves, or the one that it holds while that is good."""
    looked = await admin.plan_enrol(wanted)
    try:
        line = certify(wanted.device_id, looked.host_keys[0], looked.certificate)
    except TrustError as error:
        raise DeviceError(error.message, reason=Reason.INCOMPATIBLE, hint=error.hint) from error
    return replace(wanted, host_certificate=line)


def _without_certificate(answer: DeviceAnswer, plan: EnrolPlan) -> DeviceAnswer:
    """Says so where no certificate of the host could be placed."""
    if any(change.target.endswith("/host-cert.pub") for change in plan.changes):
        return answer
    why = "its SSH server reads no `sshd_config.d`, so no host certificate was placed"
    return replace(answer, detail=f"{answer.detail}; {why}")


def _reason(plan: EnrolPlan) -> Reason:
    return Reason.OK if plan.differs else Reason.UNCHANGED


def _counted(plan: EnrolPlan) -> str:
    count = len(_changes(plan))
    return f"{count} changes" if count != 1 else "1 change"


def _changes(plan: EnrolPlan) -> dict[str, str]:
    from orchestrator.ssh.enroll import Action

    return {str(change): "" for change in plan.changes if change.action is not Action.SAME}
