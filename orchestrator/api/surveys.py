"""Asking devices what they are and run, for plans; read-only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.api.connections import open_transport
from orchestrator.api.stores import open_state, state_exists
from orchestrator.api.values import Prepared, Settings
from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode, StalePlanError, StoreError

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.plan.survey import Surveyed

SURVEY_CONNECT_S = 10.0
OnSurvey = Callable[[int, int], None]


def silent(_done: int, _total: int) -> None:
    """For those who need not be told how far it is."""


async def survey_devices(
    settings: Settings,
    devices: Sequence[Device],
    component: str,
    payload_type: str,
    on_survey: OnSurvey,
) -> Mapping[DeviceId, Surveyed]:
    """What devices answer, read-only."""
    from orchestrator.engine.survey import survey

    answered_count = 0

    def answered(_device: DeviceId, _found: Surveyed) -> None:
        nonlocal answered_count
        answered_count += 1
        on_survey(answered_count, len(devices))

    async with open_transport(settings) as transport:
        return await survey(
            transport,
            devices,
            component=component,
            payload_type=payload_type,
            connect_s=SURVEY_CONNECT_S,
            parallel=settings.connections_max,
            on_progress=answered,
        )


async def without_foreign(
    settings: Settings, survey: Mapping[DeviceId, Surveyed]
) -> Mapping[DeviceId, Surveyed]:
    """The answers; devices that serve another controller would refuse, and say so up front."""
    ours = ""
    if state_exists(settings):
        async with open_state(settings) as store:
            ours = store.controller_id()

    def judged(answer: Surveyed) -> Surveyed:
        if answer.controller in ("", ours):
            return answer
        detail = f"serves controller `{answer.controller}`; see `rollout device adopt`"
        return replace(answer, reason=Reason.FENCED, detail=detail)

    return {device: judged(answer) for device, answer in survey.items()}


async def refuse_restored(settings: Settings, survey: Mapping[DeviceId, Surveyed]) -> None:
    """Refuses to go on with an older copy of a store: devices know a later one (R14).

    What the store gave out is read once the devices have answered: an engine that began meanwhile
    is not taken for one of another copy.

    Raises:
        StoreError: names a device that knows better.
    """
    if not state_exists(settings):
        return
    async with open_state(settings) as store:
        ours, last = store.controller_id(), await store.last_epoch()
    for device, answer in survey.items():
        if answer.controller == ours and answer.epoch > last:
            message = (
                f"the state store is older than the devices: `{device}` was served under "
                f"epoch {answer.epoch}, and {last} is the last that this store gave out"
            )
            hint = (
                "put the newest copy back, or make devices serve this one: `rollout device adopt "
                "PATTERN`; a device that alone says so may be left out: `-l 'all:!NAME'`"
            )
            error = StoreError(message, hint=hint)
            error.exit_code = ExitCode.LOCKED
            raise error


def without_unsigned(
    settings: Settings, survey: Mapping[DeviceId, Surveyed]
) -> Mapping[DeviceId, Surveyed]:
    """The answers; where reports have to be signed, devices that cannot take no part."""
    if not settings.require_signed_reports:
        return survey
    detail = "it cannot sign its report, which `require_signed_reports` wants"

    def judged(answer: Surveyed) -> Surveyed:
        able = answer.signs or answer.reason is not Reason.OK or not answer.enrolled
        return answer if able else replace(answer, reason=Reason.REPORT, detail=detail)

    return {device: judged(answer) for device, answer in survey.items()}


async def refuse_moved(settings: Settings, prepared: Prepared) -> None:
    """Refuses a saved plan whose devices run something else than when it was made.

    Devices that do not answer, then or now, are not known to have moved.

    Raises:
        StalePlanError: names one of them.
        StoreError: as `refuse_restored`.
    """
    from orchestrator.device.model import Device

    resolved = prepared.resolved
    known = {
        name: device
        for name, device in resolved.devices.items()
        if device.current_manifest is not None
    }
    devices = [Device(name, device.address, device.labels) for name, device in known.items()]
    kind = resolved.artifact.payload_type
    found = await survey_devices(settings, devices, resolved.component, kind, silent)
    await refuse_restored(settings, found)
    moved = [
        name
        for name, answer in found.items()
        if answer.reason is Reason.OK and answer.manifest != known[name].current_manifest
    ]
    if moved:
        first, runs = moved[0], found[moved[0]].artifact or "nothing of ours"
        was = known[first].current or "nothing of ours"
        what = "1 device runs" if len(moved) == 1 else f"{len(moved)} devices run"
        message = f"{what} something else than when the plan was saved, as `{first}`: "
        message += f"`{was}` then, `{runs}` now"
        hint = "look at it again: `rollout preview PLAN --out FILE`"
        raise StalePlanError(message, hint=hint, code="P317")
