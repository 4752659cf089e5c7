"""Devices one by one: what they are, whether they can take part, and whom they serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from orchestrator.api.connections import OnAnswer, each, open_transport
from orchestrator.api.recording import recording
from orchestrator.api.roles import require_role
from orchestrator.api.selecting import devices_of
from orchestrator.api.values import DeviceAnswer, Settings, Source
from orchestrator.device.protocol import PROTOCOL, Reply, Request, Verb, number
from orchestrator.device.reason import Reason
from orchestrator.device.witness import parameters
from orchestrator.errors import DeviceError, PlanError
from orchestrator.rollout.acts import ActKind

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.engine.ports import Transport
    from orchestrator.store.sql import SqlStore

CONNECT_S = 10.0
REPLY_S = 30.0
EPOCHS_LOST_MAX = 100_000  # leases since a backup; a device that tells of more is not believed
_FACTS = Request(Verb.FACTS)
_REPEATED = ("fact", "provides")  # lines `fact KEY=VALUE`; shown under their own key
_LISTED = ("module", "health-check")
_CHECK_SHOWS = (
    "helper", "device-type", "state", "artifact", "active", "boot-id", "uptime", "free", "deadman",
)  # fmt: skip


async def device_facts(
    settings: Settings, pattern: str, source: Source, on_answer: OnAnswer
) -> tuple[DeviceAnswer, ...]:
    """Everything that the helpers report; read-only.

    Raises:
        PlanError: inventory or pattern are wrong.
    """
    return await ask_all(settings, pattern, source, on_answer, answer_of)


async def device_check(
    settings: Settings, pattern: str, source: Source, on_answer: OnAnswer
) -> tuple[DeviceAnswer, ...]:
    """Whether devices can take part: connection, host key, helper, state; read-only.

    Raises:
        PlanError: inventory or pattern are wrong.
    """

    def checked(device: Device, reply: Reply) -> DeviceAnswer:
        found = answer_of(device, reply)
        facts = {key: found.facts[key] for key in _CHECK_SHOWS if key in found.facts}
        return DeviceAnswer(found.device, found.ok, found.reason, found.detail, facts)

    return await ask_all(settings, pattern, source, on_answer, checked)


async def device_adopt(
    settings: Settings, pattern: str, source: Source, on_answer: OnAnswer, component: str
) -> tuple[DeviceAnswer, ...]:
    """Makes a component of devices serve this project's controller instead of another, or of a lost store.

    Nothing else changes on them. The newest epoch is used, not a new one: a rollout of ours that
    is under way goes on. Where devices saw a newer one of this controller, the store is an older
    copy: it goes on above that.

    Raises:
        PlanError: inventory, pattern or component are wrong.
        StoreError: the state store cannot be opened.
    """
    from orchestrator.plan.resolved import component_problem

    if problem := component_problem(component):
        raise PlanError(problem[0], hint=problem[1], code="P110")
    require_role(settings, "device adopt")
    devices = devices_of(settings, source, pattern)
    async with recording(settings) as recorder, open_transport(settings) as transport:
        await _catch_up(settings, recorder.store, pattern, source, component)
        owner = await owner_of(recorder.store)
        request = Request(Verb.ADOPT, {**owner, "component": component})

        def adopted(device: Device, reply: Reply) -> DeviceAnswer:
            if reply.rc != 0:
                return DeviceAnswer(device.id, False, reply.reason, reply.detail)
            return DeviceAnswer(device.id, True, Reason.OK, "", {"controller": owner["controller"]})

        work = recorder.each(ActKind.DEVICE_ADOPT, _asking(transport, adopted, request))
        return await each(devices, work, on_answer, parallel_count=settings.connections_max)


async def _catch_up(
    settings: Settings, store: SqlStore, pattern: str, source: Source, component: str
) -> None:
    """Raises the store's last epoch to what these devices saw of it, within reason."""
    ours, seen = store.controller_id(), await store.last_epoch()
    limit = seen + EPOCHS_LOST_MAX

    def read(device: Device, reply: Reply) -> DeviceAnswer:
        nonlocal seen
        epoch = number(reply.fields.get("epoch", ""))
        if reply.fields.get("controller") == ours and epoch is not None and epoch <= limit:
            seen = max(seen, epoch)
        return DeviceAnswer(device.id, True, Reason.OK, "", {})

    request = Request(Verb.HELLO, {"component": component})
    await ask_all(settings, pattern, source, lambda _answer: None, read, request)
    await store.raise_epoch(seen)


async def owner_of(store: SqlStore) -> dict[str, str]:
    """Who changes devices outside of a rollout: our controller, under its newest epoch.

    Devices are told where the journal of the newest rollout stands.

    Raises:
        StoreError: the store failed.
    """
    owner = {"controller": store.controller_id(), "epoch": str(await store.last_epoch())}
    for newest in await store.rollouts(limit=1):
        head = await store.head(newest.rollout_id)
        if head is not None:
            owner |= parameters(head.rollout_id, head.seq, head.hash)
    return owner


def answer_of(device: Device, reply: Reply) -> DeviceAnswer:
    """Everything that a reply says, or why it says nothing."""
    fields = reply.fields
    if reply.rc != 0:
        return DeviceAnswer(device.id, False, reply.reason, reply.detail)
    if fields.get("protocol") != PROTOCOL:
        detail = f"helper speaks `{fields.get('protocol', 'nothing')}`, not `{PROTOCOL}`"
        return DeviceAnswer(device.id, False, Reason.PROTOCOL, detail)
    facts = {key: value for key, value in fields.items() if key not in (*_REPEATED, *_LISTED)}
    for name in _REPEATED:
        for line in reply.all(name):
            key, _, value = line.partition("=")
            facts[f"{name}.{key}"] = value
    for name in _LISTED:
        if found := reply.all(name):
            facts[f"{name}s"] = ", ".join(found)
    return DeviceAnswer(device.id, True, Reason.OK, "", facts)


async def ask_all(
    settings: Settings,
    pattern: str,
    source: Source,
    on_answer: OnAnswer,
    read: Callable[[Device, Reply], DeviceAnswer],
    request: Request = _FACTS,
) -> tuple[DeviceAnswer, ...]:
    """Asks devices one thing, and reads each answer.

    Raises:
        PlanError: inventory or pattern are wrong.
    """
    devices = devices_of(settings, source, pattern)
    return await ask_devices(settings, devices, on_answer, read, request)


async def ask_devices(
    settings: Settings,
    devices: Sequence[Device],
    on_answer: OnAnswer,
    read: Callable[[Device, Reply], DeviceAnswer],
    request: Request,
) -> tuple[DeviceAnswer, ...]:
    """The same of devices that are at hand.

    Raises:
        PlanError, TrustError: the settings of SSH are wrong.
    """
    async with open_transport(settings) as transport:
        one = _asking(transport, read, request)
        return await each(devices, one, on_answer, parallel_count=settings.connections_max)


def _asking(
    transport: Transport, read: Callable[[Device, Reply], DeviceAnswer], request: Request
) -> Callable[[Device], Awaitable[DeviceAnswer]]:
    """Asks one device; that it does not answer is an answer too."""

    async def one(device: Device) -> DeviceAnswer:
        try:
            reply = await ask_one(transport, device, request)
        except DeviceError as error:
            return DeviceAnswer(device.id, False, error.reason, error.message)
        return read(device, reply)

    return one


async def ask_one(transport: Transport, device: Device, request: Request) -> Reply:
    """One question over a connection of its own.

    Raises:
        DeviceError: there was no answer.
    """
    session = await transport.open(device, deadline_s=CONNECT_S)
    try:
        return await session.ask(request, deadline_s=REPLY_S)
    finally:
        await session.close()
