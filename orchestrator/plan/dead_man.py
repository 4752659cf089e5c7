"""Devices whose dead-man would not survive a reboot: a process alone, which no boot hook follows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from orchestrator.device.model import DeviceId
from orchestrator.plan.eligible import answered
from orchestrator.plan.resolved import Risk
from orchestrator.plan.survey import Surveyed

ALONE = "process"  # what such a device says of its dead-man


def lone_dead_men(
    eligible: Collection[DeviceId], survey: Mapping[DeviceId, Surveyed]
) -> list[Risk]:
    """A risk where devices that answered have nothing that looks after a probation at boot."""
    found = (device for device in eligible if device in survey)
    alone = [name for name in found if answered(survey[name]) and survey[name].deadman == ALONE]
    if not alone:
        return []
    one = len(alone) == 1
    who = f"`{alone[0]}` has" if one else f"{len(alone)} devices, as `{alone[0]}`, have"
    message = (
        f"{who} no boot hook: the dead-man is a process, and after a reboot on probation nothing"
        " takes the release back; enrol such a device again"
    )
    return [Risk("P939", message)]
