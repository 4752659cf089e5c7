"""Asks many devices what they are and run, read-only, before a plan is resolved."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.protocol import Reply, Request, Verb, helper_fits, number
from orchestrator.device.reason import Reason
from orchestrator.device.trust import DeviceTrust, trust_of
from orchestrator.engine.orders import REPLY_S
from orchestrator.engine.ports import Transport
from orchestrator.engine.replies import first_device_error, outcome_of
from orchestrator.engine.signed import SIGNING_KINDS
from orchestrator.errors import DeviceError
from orchestrator.plan.parse_check import CHECK_NAME
from orchestrator.plan.resolved import COMPONENT_DEFAULT, PlannedTrust
from orchestrator.plan.survey import Surveyed

KEEPS_PREVIOUS = "+keeps-previous"
NOTHING = "none"  # what a device says where it runs nothing of ours

_NOT_REACHED = frozenset({
    Reason.UNREACHABLE, Reason.TIMEOUT, Reason.CONNECTION_LOST, Reason.HOST_KEY,
    Reason.AUTHENTICATION,
})  # fmt: skip
_NOT_PERMANENT = frozenset({"probation", "confirmed"})  # states of a transaction


async def survey(  # noqa: PLR0913  what is asked of whom, and how patiently
    transport: Transport,
    devices: Iterable[Device],
    *,
    connect_s: float,
    parallel: int,
    payload_type: str,
    component: str = COMPONENT_DEFAULT,
    on_progress: Callable[[DeviceId, Surveyed], None] = lambda _device, _found: None,
) -> Mapping[DeviceId, Surveyed]:
    """What each device answered, in the order of `devices`.

    Args:
        transport: the way to the devices.
        devices: whom to ask.
        connect_s: deadline of a connection; the answer has a deadline of its own.
        parallel: how many devices are asked at once.
        payload_type: of the planned artifact; tells whether its module can go back (R17).
        component: the part of the device that the plan is about.
        on_progress: called as answers come in.
    """
    asked = tuple(devices)
    request = Request(Verb.FACTS, {"component": component})
    found: dict[DeviceId, Surveyed] = {}
    waiting = iter(asked)

    async def worker() -> None:
        for device in waiting:  # shared: each device is taken by one worker
            found[device.id] = await _ask(transport, device, connect_s, payload_type, request)
            on_progress(device.id, found[device.id])

    async with asyncio.TaskGroup() as group:
        for _ in range(min(parallel, len(asked))):
            group.create_task(worker())
    return {device.id: found[device.id] for device in asked}


async def _ask(
    transport: Transport, device: Device, connect_s: float, payload_type: str, request: Request
) -> Surveyed:
    try:
        session = await transport.open(device, deadline_s=connect_s)
        try:
            reply = await session.ask(request, deadline_s=REPLY_S)
            known = {session.host_key, *device.address.host_keys}
        finally:
            await session.close()
        found = surveyed(reply, payload_type)
        return replace(found, signs=signs_with(reply, device.id, known))
    except* DeviceError as group:
        error = first_device_error(group)
    return _unanswered(error)


def surveyed(reply: Reply, payload_type: str) -> Surveyed:
    """What a reply to `facts` says."""
    fields = reply.fields
    if reply.rc != 0 or "state" not in fields:
        outcome = outcome_of(reply)
        reason = outcome.reason if reply.rc else Reason.PROTOCOL
        return Surveyed(reachable=True, reason=reason, detail=outcome.detail)
    if not helper_fits(version := fields.get("helper", "")):
        detail = f"its helper `{version}` is too old; enrol the device again"
        return Surveyed(reachable=True, reason=Reason.OLD_HELPER, detail=detail)
    manifest = fields.get("manifest", NOTHING)
    modules, keeping = reply.all("module"), f"{payload_type}{KEEPS_PREVIOUS}"
    trust = trust_of(reply)
    return Surveyed(
        reachable=True,
        device_type=fields.get("device-type", ""),
        artifact="" if fields.get("artifact", NOTHING) == NOTHING else fields["artifact"],
        manifest="" if _unsettled(fields) or manifest == NOTHING else manifest,
        has_module=not {payload_type, keeping}.isdisjoint(modules),
        keeps_previous=keeping in modules,
        checks=_shared(frozenset(filter(CHECK_NAME.fullmatch, reply.all("health-check")))),
        controller=fields.get("controller", ""),
        epoch=number(fields.get("epoch", "")) or 0,
        deadman=fields.get("deadman", ""),
        trust=None if trust is None else _planned(trust),
    )


@functools.lru_cache
def _planned(trust: DeviceTrust) -> PlannedTrust:
    """One object for all devices that say the same."""
    return PlannedTrust(
        root_version=trust.root_version,
        fleet=trust.fleet,
        security_floor=trust.security_floor,
        serial=trust.serial,
        kinds=trust.kinds,
        reads_ssh=trust.reads_ssh,
    )


@functools.lru_cache
def _shared(checks: frozenset[str]) -> frozenset[str]:
    """One object for all devices that have the same checks."""
    return checks


def signs_with(reply: Reply, device: DeviceId, known: Collection[str]) -> str:
    """The kind of that known host key with which a device signs reports under its own name.

    One that signs as somebody else, or with another key than it is known by, cannot sign here.
    """
    for line in reply.all("signs"):
        name, _, key = line.partition(" ")
        kind = SIGNING_KINDS.get(key.partition(" ")[0])
        if name == device and key in known and kind is not None:
            return kind
    return ""


def _unsettled(fields: Mapping[str, str]) -> bool:
    """Not in place, or not yet permanent: such a device is not at its target, whatever it says."""
    return fields.get("active") == "no" or fields.get("state") in _NOT_PERMANENT


def _unanswered(error: DeviceError) -> Surveyed:
    reason = Reason(error.reason)
    if reason in _NOT_REACHED:
        return Surveyed(reachable=False, reason=reason, detail=error.message)
    # it let us in, but what answered is not the helper: it was never enrolled
    return Surveyed(
        reachable=True, enrolled=False, reason=Reason.NOT_ENROLLED, detail=error.message
    )
