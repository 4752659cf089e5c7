"""Which devices may not start yet, since another plan's release has to run first.

Law: what is not proven to run does not run: a plan nothing is known of is a requirement unmet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from orchestrator.device.model import DeviceId
from orchestrator.plan.controls import Requirement, RequirePer
from orchestrator.plan.releases import meets
from orchestrator.plan.resolved import PlannedDevice, ResolvedPlan

SITE = "site"

Running = Mapping[str, Mapping[DeviceId, str]]  # by plan: the release proven on each device


def unmet(plan: ResolvedPlan, running: Running) -> dict[DeviceId, str]:
    """Devices that have to wait, each with the requirement that it waits for first."""
    found: dict[DeviceId, str] = {}
    for requirement in plan.requires:
        without = _lacking(requirement, plan.devices, running)
        for device in _waiting(requirement.per, plan.devices, without):
            found.setdefault(device, _text(requirement, len(without)))
    return found


def lacking(plan: ResolvedPlan, running: Running, among: Collection[DeviceId]) -> tuple[str, ...]:
    """Required plans whose release some of these devices lack."""
    return tuple(
        requirement.plan for requirement in plan.requires if _lacking(requirement, among, running)
    )


def circle_words(plans: tuple[str, ...]) -> str:
    """`plan `a` requires `b`, which requires `a``, of plans that wait for each other."""
    chain = ", which requires ".join(f"`{name}`" for name in (*plans[1:], plans[0]))
    return f"plan `{plans[0]}` requires {chain}: none of them begins before another"


def _lacking(
    requirement: Requirement, devices: Collection[DeviceId], running: Running
) -> set[DeviceId]:
    releases = running.get(requirement.plan, {})
    return {
        device
        for device in devices
        if device not in releases or not meets(releases[device], requirement.release)
    }


def _waiting(
    per: RequirePer, devices: Mapping[DeviceId, PlannedDevice], lacking: Collection[DeviceId]
) -> Collection[DeviceId]:
    match per:
        case RequirePer.DEVICE:
            return lacking
        case RequirePer.ALL:
            return devices if lacking else ()
        case RequirePer.SITE:
            # A device without the label is a site of its own.
            sites = {devices[device].labels.get(SITE) for device in lacking} - {None}
            return [
                device
                for device, planned in devices.items()
                if device in lacking or planned.labels.get(SITE) in sites
            ]


def _text(requirement: Requirement, lacking: int) -> str:
    release = f" {requirement.release}" if requirement.release else ""
    where = {
        RequirePer.DEVICE: "the device",
        RequirePer.SITE: "every device of its site",
        RequirePer.ALL: "every device of this plan",
    }[requirement.per]
    devices = "1 device lacks" if lacking == 1 else f"{lacking} devices lack"
    return f"plan `{requirement.plan}`{release} on {where} ({devices} it)"
