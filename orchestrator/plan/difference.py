"""What changed from one resolved plan to another: for who reviewed the first and is shown the second.

Laws:
1. Two plans of equal digest differ in nothing, and of all that a digest is made of no change is
   missed: everything but devices is compared field by field, whatever fields a plan has.
2. A device that comes, goes or changes its wave is told as that, and as nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from orchestrator.device.model import DeviceId
from orchestrator.plan.digest import Json, encode
from orchestrator.plan.resolved import PlannedDevice, ResolvedPlan

NAME = "name"  # what tells the parts of a list apart
ORDER = "order"
_DEVICE_FIELDS = tuple(one.name for one in fields(PlannedDevice))


class Section(StrEnum):
    """Which part of a plan a change is about."""

    PLAN = "plan"
    ARTIFACT = "artifact"
    DEVICES = "devices"
    WAVES = "waves"
    GATES = "gates"
    LIMITS = "limits"
    TIMES = "times"
    PEOPLE = "people"
    RISKS = "risks"


SECTIONS: Mapping[str, Section] = {
    **dict.fromkeys(
        (
            "name", "release", "plan_file", "plan_sha256", "inventory_sha256", "tool_version",
            "seed", "surveyed", "order", "sticky", "spread", "late_joiners", "become",
            "component", "inventory", "choice_sha256", "commit", "evidence",
        ),
        Section.PLAN,
    ),
    "artifact": Section.ARTIFACT,
    **dict.fromkeys(("devices", "skipped"), Section.DEVICES),
    "waves": Section.WAVES,
    "gates": Section.GATES,
    **dict.fromkeys(
        (
            "retries", "rollback", "on_failure", "offline", "offline_for_s", "max_parallel_per",
            "rate", "budget", "requires", "priority", "on_conflict",
        ),
        Section.LIMITS,
    ),
    **dict.fromkeys(("schedule", "timeouts"), Section.TIMES),
    **dict.fromkeys(("approval", "hooks"), Section.PEOPLE),
    **dict.fromkeys(("warnings", "risks"), Section.RISKS),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device stands: in a wave, or left out for a reason; neither: the plan has it not."""

    wave: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """A device that stands elsewhere than before."""

    device: DeviceId
    before: Place
    after: Place


@dataclass(frozen=True, slots=True)
class Change:
    """A value that is another one; None where there was, or is, nothing.

    `devices` are those of which it is true, where it is about devices.
    """

    section: Section
    path: tuple[str, ...]
    before: Json
    after: Json
    devices: tuple[DeviceId, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """All that is different; `reordered` are waves whose devices follow in another order.

    "" stands for devices that are left out. `same_canary`: the first wave has the very devices
    that it had.
    """

    moves: tuple[Move, ...]
    reordered: tuple[str, ...]
    changes: tuple[Change, ...]
    same_canary: bool

    @property
    def is_none(self) -> bool:
        """Whether nothing is different."""
        return not (self.moves or self.reordered or self.changes)


@dataclass(frozen=True, slots=True)
class Since:
    """What changed since a saved plan: its file as it was named, its digest, and the difference."""

    file: str
    digest: str
    difference: Difference


def difference(before: ResolvedPlan, after: ResolvedPlan) -> Difference:
    """What changed; when a plan was made is no part of it. Cost: linear in devices."""
    earlier, later = _places(before), _places(after)
    moves = tuple(
        Move(device, earlier.get(device, Place()), later.get(device, Place()))
        for device in dict.fromkeys((*earlier, *later))
        if earlier.get(device) != later.get(device)
    )
    changes = [
        change
        for one in fields(ResolvedPlan)
        if one.name in SECTIONS and SECTIONS[one.name] is not Section.DEVICES
        for change in _walk(
            SECTIONS[one.name], (one.name,), _part(before, one.name), _part(after, one.name)
        )
    ]
    return Difference(
        moves=moves,
        reordered=tuple(_reordered(before, after, {move.device for move in moves})),
        changes=(*_of_devices(before, after), *changes),
        same_canary=before.waves[0].devices == after.waves[0].devices,
    )


def _places(plan: ResolvedPlan) -> dict[DeviceId, Place]:
    found = {device: Place(wave=wave.name) for wave in plan.waves for device in wave.devices}
    return found | {each.device: Place(reason=str(each.reason)) for each in plan.skipped}


def _part(plan: ResolvedPlan, name: str) -> Json:
    if name == "waves":
        return [encode(replace(wave, devices=())) for wave in plan.waves]
    return encode(getattr(plan, name))


def _reordered(before: ResolvedPlan, after: ResolvedPlan, moved: set[DeviceId]) -> Iterator[str]:
    """Lists in which the devices that stand where they stood follow in another order."""

    def lists(plan: ResolvedPlan) -> dict[str, list[DeviceId]]:
        found = {wave.name: list(wave.devices) for wave in plan.waves}
        found[""] = [each.device for each in plan.skipped]
        return {name: [one for one in each if one not in moved] for name, each in found.items()}

    later = lists(after)
    for name, devices in lists(before).items():
        if name in later and devices != later[name]:
            yield name


def _of_devices(before: ResolvedPlan, after: ResolvedPlan) -> Iterator[Change]:
    """What is said of devices that both plans have, equal changes together."""
    found: dict[str, tuple[Change, list[DeviceId]]] = {}
    for device, change in _single(before, after):
        found.setdefault(repr(change), (change, []))[1].append(device)
    for change, devices in found.values():
        yield replace(change, devices=tuple(devices))


def _single(before: ResolvedPlan, after: ResolvedPlan) -> Iterator[tuple[DeviceId, Change]]:
    for device, old in before.devices.items():
        new = after.devices.get(device)
        if new is None or new == old:
            continue
        for name in _DEVICE_FIELDS:
            left, right = getattr(old, name), getattr(new, name)
            if left != right:
                for change in _walk(Section.DEVICES, (name,), encode(left), encode(right)):
                    yield device, change
    earlier = {each.device: each for each in before.skipped}
    for each in after.skipped:
        was = earlier.get(each.device)
        if was is not None and was.reason is each.reason and was.detail != each.detail:
            yield each.device, Change(Section.DEVICES, ("detail",), was.detail, each.detail)


def _walk(section: Section, path: tuple[str, ...], before: Json, after: Json) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from _walk(section, (*path, key), before.get(key), after.get(key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _walk_lists(section, path, before, after)
    else:
        yield Change(section, path, before, after)


def _walk_lists(
    section: Section, path: tuple[str, ...], before: list[Json], after: list[Json]
) -> Iterator[Change]:
    """Lists of named things by name, of others by what they hold, of plain values as a whole."""
    if not all(isinstance(item, dict) for item in (*before, *after)):
        yield Change(section, path, before, after)
        return
    earlier, later = _named(before), _named(after)
    for name in dict.fromkeys((*earlier, *later)):
        where = (*path, name) if _has_name(earlier.get(name, later.get(name))) else path
        yield from _walk(section, where, earlier.get(name), later.get(name))
    both = [name for name in earlier if name in later]
    ordered = [name for name in later if name in earlier]
    if both != ordered:
        named = all(map(_has_name, before))
        known = {name: name if named else str(at) for at, name in enumerate(both, 1)}
        old, new = ([known[name] for name in names] for names in (both, ordered))
        yield Change(section, (*path, ORDER), list[Json](old), list[Json](new))


def _named(items: Sequence[Json]) -> dict[str, Json]:
    """The things of a list by their names, or by all that they say; the same twice is numbered."""
    found: dict[str, Json] = {}
    for item in items:
        key = str(item[NAME]) if _has_name(item) and isinstance(item, dict) else repr(item)
        while key in found:
            key += " again"
        found[key] = item
    return found


def _has_name(item: Json) -> bool:
    return isinstance(item, dict) and isinstance(item.get(NAME), str)
