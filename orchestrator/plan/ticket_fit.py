"""How the waves of a plan fit the `open` lines of its release ticket.

Devices refuse before their line, whoever asks them; a wave that comes earlier waits there. Laws:
1. A device that runs the release already, or is known to have no trust root, waits for no line.
2. Of a device that was not asked nobody knows whether it has a root: it counts as one that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import PlannedDevice, ResolvedPlan, ResolvedWave
from orchestrator.plan.tickets import AT_ONCE, PlannedOpening


@dataclass(frozen=True, slots=True)
class WaveOpening:
    """Devices of a wave that the same line of the ticket lets in, in the wave's order.

    Attributes:
        percent: of the line; None where no line ever lets them in.
        opens_at: from when on, in UTC seconds; None for never.
        devices: they.
        stops: whether the wave can be there earlier than that, and then waits.
    """

    percent: int | None
    opens_at: float | None
    devices: tuple[DeviceId, ...]
    stops: bool


def opens_at(plan: ResolvedPlan, device: DeviceId) -> float | None:
    """When the ticket lets a device begin, as far as anybody can know; None for never."""
    ticket = plan.artifact.ticket
    if ticket is None or not _is_bound(plan, plan.devices[device]):
        return AT_ONCE
    return ticket.opens_at(device)


def wave_openings(plan: ResolvedPlan, wave: ResolvedWave, at: float) -> tuple[WaveOpening, ...]:
    """Which lines let the devices of a wave in, in the order of the lines; nothing without lines.

    Args:
        plan: has the ticket.
        wave: one of its waves.
        at: when the wave can begin otherwise, in UTC seconds.
    """
    ticket = plan.artifact.ticket
    if ticket is None or not ticket.openings:
        return ()
    found: dict[PlannedOpening | None, list[DeviceId]] = {}
    for device in wave.devices:
        if _is_bound(plan, plan.devices[device]):
            found.setdefault(ticket.opening_of(device), []).append(device)
    return _in_line(ticket.openings, found, at)


def _in_line(
    lines: Sequence[PlannedOpening],
    found: Mapping[PlannedOpening | None, Sequence[DeviceId]],
    at: float,
) -> tuple[WaveOpening, ...]:
    waves = [
        WaveOpening(line.percent, line.opens_at, tuple(found[line]), line.opens_at > at)
        for line in lines
        if line in found
    ]
    if None in found:
        waves.append(WaveOpening(None, None, tuple(found[None]), stops=True))
    return tuple(waves)


def _is_bound(plan: ResolvedPlan, device: PlannedDevice) -> bool:
    at_target = device.current_manifest == plan.artifact.manifest_sha256
    return device.may_ask_for_ticket and not at_target
