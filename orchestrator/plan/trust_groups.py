"""What the devices of a plan hold releases against, in groups, and which roots are behind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import PlannedTrust, ResolvedPlan, Risk

NAMES_MAX = 5  # names in a warning; more are counted


@dataclass(frozen=True, slots=True)
class TrustGroup:
    """Devices that said the same of their trust; None: they have no trust root."""

    trust: PlannedTrust | None
    devices: tuple[DeviceId, ...]


def trust_groups(plan: ResolvedPlan) -> tuple[TrustGroup, ...]:
    """The groups, most devices first; devices that were not asked or did not answer are in none."""
    found: dict[PlannedTrust | None, list[DeviceId]] = {}
    for device, planned in plan.devices.items():
        if planned.current is not None:
            found.setdefault(planned.trust, []).append(device)
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    return tuple(TrustGroup(trust, tuple(devices)) for trust, devices in ordered)


def newest_root(plan: ResolvedPlan, groups: Iterable[TrustGroup]) -> int | None:
    """The newest version of the root that the operator or any of the devices has."""
    ticket = plan.artifact.ticket
    own = None if ticket is None or ticket.proof is None else ticket.proof.root_version
    versions = [own, *(one.trust.root_version for one in groups if one.trust is not None)]
    return max((version for version in versions if version is not None), default=None)


def root_risks(plan: ResolvedPlan, groups: Iterable[TrustGroup]) -> tuple[Risk, ...]:
    """Which devices may refuse a release for their root alone: it is broken, or an older one."""
    rooted = [(one.trust, one.devices) for one in groups if one.trust is not None]
    newest = newest_root(plan, groups)
    broken = [
        device for trust, devices in rooted if trust.root_version is None for device in devices
    ]
    older = [
        device
        for trust, devices in rooted
        if trust.root_version is not None and newest is not None and trust.root_version < newest
        for device in devices
    ]
    found = []
    if broken:
        have = "device has" if len(broken) == 1 else "devices have"
        words = f"{len(broken)} {have} a broken trust root and will refuse every release: "
        found.append(Risk("P928", words + _names(broken)))
    if older:
        have = "device has" if len(older) == 1 else "devices have"
        words = f"{len(older)} {have} an older trust root than version {newest}, and may refuse "
        words += f"newer keys (`rollout device root` brings them along): {_names(older)}"
        found.append(Risk("P929", words))
    return tuple(found)


def _names(devices: list[DeviceId]) -> str:
    more = len(devices) - NAMES_MAX
    return ", ".join(devices[:NAMES_MAX]) + (f" and {more} more" if more > 0 else "")
