"""Which devices can take part at all, and why others cannot (R1).

Law: a device that is left out has a reason; one that only does not answer keeps its place (R7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.refusals import refusal
from orchestrator.plan.resolved import PlannedArtifact, PlannedDevice, Skipped
from orchestrator.plan.schedule import Schedule
from orchestrator.plan.survey import Surveyed
from orchestrator.plan.zones import device_zone

NAMES_MAX = 3  # of artifacts in a reason; more are counted
_LEFT_OUT = frozenset({
    Reason.HOST_KEY, Reason.AUTHENTICATION, Reason.DENIED, Reason.HELD, Reason.FENCED,
    Reason.OLD_HELPER, Reason.REPORT,
})  # fmt: skip


def eligible_devices(
    devices: Sequence[Device],
    artifact: PlannedArtifact,
    survey: Mapping[DeviceId, Surveyed],
    held: Mapping[DeviceId, str],
    now: float,
) -> tuple[dict[DeviceId, Device], tuple[Skipped, ...]]:
    """Devices that take part, and those left out with their reasons; `held` says why, too.

    `now` (UTC seconds) is held against the end of a ticket.
    """
    eligible: dict[DeviceId, Device] = {}
    skipped = []
    for device in devices:
        answer = survey.get(device.id)
        why = None if answer is None else _left_out(device.id, answer, artifact, now)
        if device.id in held:
            why = Skipped(device.id, Reason.HELD, held[device.id])
        if why is None:
            eligible[device.id] = device
        else:
            skipped.append(why)
    return eligible, tuple(skipped)


def _left_out(
    device: DeviceId, answer: Surveyed, artifact: PlannedArtifact, now: float
) -> Skipped | None:
    if answer.reason in _LEFT_OUT:
        return Skipped(device, answer.reason, answer.detail)
    if answer.reachable and not answer.enrolled:
        return Skipped(device, Reason.NOT_ENROLLED, answer.detail)
    if not answered(answer):  # what is not known yet, the rollout finds out and counts
        return None
    if artifact.device_types and answer.device_type not in artifact.device_types:
        wanted = ", ".join(artifact.device_types)
        has = f"device type `{answer.device_type}`" if answer.device_type else "no device type"
        detail = f"{has}, the artifact is for `{wanted}`"
        return Skipped(device, Reason.INCOMPATIBLE, detail)
    if not answer.has_module:
        detail = f"it has no update module `{artifact.payload_type}`, which the artifact is for"
        return Skipped(device, Reason.INCOMPATIBLE, detail)
    return _without_base(device, answer, artifact) or _without_ticket(device, answer, artifact, now)


def _without_base(device: DeviceId, answer: Surveyed, artifact: PlannedArtifact) -> Skipped | None:
    """A device refuses what depends on an artifact that it does not run."""
    follows = artifact.follows
    at_target = answer.manifest == artifact.manifest_sha256
    if not follows or at_target or answer.artifact in follows:
        return None
    runs = f"it runs `{answer.artifact}`" if answer.artifact else "it runs nothing of ours"
    names = ", ".join(f"`{name}`" for name in follows[:NAMES_MAX])
    more = f" and {len(follows) - NAMES_MAX} more" if len(follows) > NAMES_MAX else ""
    return Skipped(device, Reason.INCOMPATIBLE, f"{runs}, the artifact follows {names}{more}")


def _without_ticket(
    device: DeviceId, answer: Surveyed, artifact: PlannedArtifact, now: float
) -> Skipped | None:
    """A device with a trust root takes nothing but what has a ticket that it accepts."""
    if answer.trust is None or answer.manifest == artifact.manifest_sha256:
        return None
    ticket = artifact.ticket
    if ticket is None:
        detail = "it has a trust root, and no ticket lies beside the artifact"
        return Skipped(device, Reason.NO_TICKET, detail)
    return refusal(device, answer.device_type, answer.trust, ticket, now)


def answered(answer: Surveyed) -> bool:
    """Whether the device told what it is and runs."""
    return answer.reachable and answer.reason is Reason.OK


def planned_device(
    device: Device, survey: Mapping[DeviceId, Surveyed], schedule: Schedule
) -> PlannedDevice:
    """A device as a resolved plan describes it."""
    zone = device_zone(schedule, device)
    answer = survey.get(device.id)
    if answer is None or not answered(answer):
        return PlannedDevice(device.address, dict(device.labels), timezone=zone)
    return PlannedDevice(
        device.address,
        dict(device.labels),
        timezone=zone,
        current=answer.artifact,
        current_manifest=answer.manifest,
        keeps_previous=answer.keeps_previous,
        trust=answer.trust,
        signs=answer.signs,
    )
