"""What runs where: the fleet as the store and the devices know it; read-only."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.api.connections import OnAnswer
from orchestrator.api.devices import answer_of, ask_devices
from orchestrator.api.project import load_inventory, nobody
from orchestrator.api.stores import open_state, state_exists
from orchestrator.api.surveys import OnSurvey, silent
from orchestrator.api.values import DeviceAnswer, Settings, Source
from orchestrator.device.model import DeviceId
from orchestrator.device.protocol import Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.errors import PlanError, Severity
from orchestrator.plan.resolved import COMPONENT_DEFAULT, component_problem
from orchestrator.rollout.drift import FleetDevice, fleet_device
from orchestrator.rollout.sightings import Remembered, Seen, Trouble, seen_in
from orchestrator.source.suggest import did_you_mean

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.errors import Diagnostic


@dataclass(frozen=True, slots=True)
class FleetRequest:
    """Which devices, which part of them, and whether they are asked (`refresh`).

    `label`: by which they are to be grouped, "" for none.
    """

    pattern: str
    source: Source
    component: str = COMPONENT_DEFAULT
    refresh: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Devices in the inventory's order, as known at `at` (UTC seconds), and what is odd there."""

    at: float
    devices: tuple[FleetDevice, ...]
    findings: tuple[Diagnostic, ...]


async def fleet(settings: Settings, request: FleetRequest, on_survey: OnSurvey = silent) -> Fleet:
    """How the devices of a pattern stand.

    Devices are asked before the store is read: whatever a rollout does to one in between is newer
    than the answer, and so is never taken for a difference.

    Raises:
        PlanError: inventory, pattern or component are wrong, or no device has the label.
        StoreError: the store cannot be read.
    """
    if problem := component_problem(request.component):
        raise PlanError(problem[0], hint=problem[1], code="P110")
    inventory = load_inventory(settings, request.source)
    devices = inventory.select(request.pattern, limit=request.source.limit)
    _check_label(request.label, devices)
    names = [device.id for device in devices]
    at = time.time()
    answers: Mapping[DeviceId, DeviceAnswer] = {}
    if request.refresh:
        answers = await _ask(settings, devices, request.component, on_survey)
    remembered = Remembered()
    if state_exists(settings):
        async with open_state(settings) as store:
            remembered = await store.remembered(request.component, names)
    shown = tuple(
        fleet_device(
            device.id,
            device.labels,
            remembered,
            _said(answers.get(device.id), at),
            _device_type(answers.get(device.id)),
        )
        for device in devices
    )
    findings = inventory.findings(names)
    if not names:
        findings += (nobody(settings, request.source, request.pattern, Severity.WARNING),)
    return Fleet(at, shown, findings)


def _check_label(label: str, devices: Sequence[Device]) -> None:
    if not (label and devices) or any(label in device.labels for device in devices):
        return
    known = sorted({name for device in devices for name in device.labels})
    told = f"labels: {', '.join(f'`{name}`' for name in known)}" if known else "they have no labels"
    message = f"no device has the label `{label}`{did_you_mean(label, known)}"
    raise PlanError(message, hint=told, code="P215")


async def _ask(
    settings: Settings, devices: Sequence[Device], component: str, on_survey: OnSurvey
) -> Mapping[DeviceId, DeviceAnswer]:
    request = Request(Verb.FACTS, {"component": component})
    answers = await ask_devices(
        settings, devices, _counting(len(devices), on_survey), answer_of, request
    )
    return {DeviceId(answer.device): answer for answer in answers}


def _counting(total_count: int, on_survey: OnSurvey) -> OnAnswer:
    answered_count = 0

    def answered(_answer: DeviceAnswer) -> None:
        nonlocal answered_count
        answered_count += 1
        on_survey(answered_count, total_count)

    return answered


def _said(answer: DeviceAnswer | None, at: float) -> Seen | Trouble | None:
    if answer is None:
        return None
    if not answer.ok:
        return Trouble(at, Reason(answer.reason), answer.detail)
    return seen_in(answer.facts, at) or Trouble(at, Reason.PROTOCOL, "it does not say what it runs")


def _device_type(answer: DeviceAnswer | None) -> str:
    return "" if answer is None else answer.facts.get("device-type", "")
