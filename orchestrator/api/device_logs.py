"""What a device keeps of a rollout's update module: asked of the device itself, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.api.connections import open_transport
from orchestrator.api.devices import ask_one
from orchestrator.api.looking import why
from orchestrator.api.recording import recording
from orchestrator.api.stores import no_rollouts, state_exists
from orchestrator.api.values import Settings, Why
from orchestrator.device.model import Device
from orchestrator.device.protocol import Rc, Reply, Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.errors import DeviceError, StoreError
from orchestrator.rollout.acts import ActKind

if TYPE_CHECKING:
    from orchestrator.plan.resolved import ResolvedPlan


@dataclass(frozen=True, slots=True)
class ModuleLog:
    """The end of what the update module and its scripts said; untrusted. Or why there is none.

    `reason` is `ok` where `text` is the log, however short.
    """

    text: str
    reason: Reason = Reason.OK
    detail: str = ""


async def module_log(settings: Settings, told: Why) -> ModuleLog:
    """The log of the newest attempt on a device, of at most 16 KiB; read-only.

    That there is none is an answer, not an error: the device may be away, forbid it, have an older
    helper, or have gone on to another release.

    Raises:
        PlanError, TrustError: the settings of SSH are wrong.
    """
    plan = told.status.resolved
    if not told.txn or told.story.device not in plan.devices:
        return ModuleLog("", Reason.NO_DATA, "nothing was sent to it in this rollout")
    request = Request(Verb.LOG, {"txn": told.txn, "component": plan.component})
    async with open_transport(settings) as transport:
        try:
            reply = await ask_one(transport, _device(plan, told), request)
        except DeviceError as error:
            return ModuleLog("", Reason(error.reason), error.message)
    return log_of(reply)


async def device_log(settings: Settings, device: str) -> tuple[Why, ModuleLog]:
    """The story and the log of a device in the newest rollout that has it; recorded as an act.

    Raises:
        StoreError: no rollout has it, or it cannot be recorded.
        PlanError, TrustError: the settings of SSH are wrong.
    """
    if not state_exists(settings):
        raise no_rollouts()
    async with recording(settings) as recorder:
        rollout_id = await recorder.store.latest_with(device)
        if rollout_id is None:
            message = f"no rollout here has the device `{device}`"
            raise StoreError(message, hint="`rollout fleet` shows what was seen of it", code="S203")
        told = await why(settings, rollout_id, device)
        what = {"rollout": rollout_id, "txn": told.txn}
        doing = await recorder.begin(ActKind.DEVICE_LOGS, device, what=what)
        try:
            log = await module_log(settings, told)
        except BaseException as error:
            await doing.failed(error)
            raise
        await doing.end(log.reason, log.detail, {"received_bytes": len(log.text.encode())})
    return told, log


def log_of(reply: Reply) -> ModuleLog:
    """The log in a reply."""
    if reply.rc == Rc.OK:
        return ModuleLog("".join(reply.all("log")))
    if reply.reason is Reason.USAGE:
        return ModuleLog("", Reason.OLD_HELPER, "its helper tells no logs")
    return ModuleLog("", reply.reason, reply.detail)


def _device(plan: ResolvedPlan, told: Why) -> Device:
    planned = plan.devices[told.story.device]
    return Device(told.story.device, planned.address, planned.labels)
