"""Time zones: the rules that are installed with this program, and which zone a device is in.

Laws:
1. The rules come from the pinned `tzdata` package, never from the machine: two machines agree on
   every window, and on which names exist (ADR-0005). It is read as code is, as part of what is
   installed; nothing is cached.
2. A device of a window in `timezone: device` has a known zone, or the plan is refused with the
   device's name: a guessed zone would update it in the middle of its day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from importlib.resources import files
from zoneinfo import ZoneInfo

from orchestrator.device.model import Device, DeviceId
from orchestrator.plan.schedule import ZONE_OF_DEVICE, Schedule
from orchestrator.source.suggest import did_you_mean

ZONE_LABEL = "timezone"  # a label, so a plain variable of the inventory will do
_RULES = "tzdata.zoneinfo"
_NAMED_MAX = 3  # devices named in one finding; the rest is counted
_UNKNOWN_MAX = 20  # wrong names told with what was meant, which costs a millisecond each


def zone_names() -> frozenset[str]:
    """Names of all zones, as `Europe/Berlin`. Cost: a read of 10 kB."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="ascii").split())


def load_zone(name: str) -> ZoneInfo:
    """The rules of a zone. Cost: a read of about 1 kB, so ask once for each zone.

    Raises:
        ValueError: no zone has this name (the text names the closest one).
    """
    problem = zone_problem(name, zone_names())
    if problem:
        raise ValueError(problem)
    with files(_RULES).joinpath(*name.split("/")).open("rb") as rules:
        return ZoneInfo.from_file(rules, key=name)


def zone_problem(name: str, known: frozenset[str]) -> str:
    """What is wrong with the name of a zone, or "" when `known` has it."""
    if name in known:
        return ""
    meant = did_you_mean(name, sorted(known))
    return f"`{name}` is no time zone{meant or '; write it as `Europe/Berlin` or `UTC`'}"


def device_zone(schedule: Schedule, device: Device) -> str:
    """The zone that a device's label `timezone` names; "" for none, or where no window asks."""
    return device.labels.get(ZONE_LABEL, "") if _asks_devices(schedule) else ""


def zone_problems(schedule: Schedule, devices: Iterable[Device]) -> tuple[str, ...]:
    """What is wrong with the zones of windows, and with those of devices where a window asks.

    One text for each wrong name, and one for all devices without any. Cost: 100 000 devices in
    some 20 ms; names are judged once for each zone.
    """
    known = zone_names()
    named = dict.fromkeys(window.timezone for window in schedule.windows)
    unknown = [name for name in named if name not in known and name != ZONE_OF_DEVICE]
    problems = [f"a window has {_unknown(name, known)}" for name in unknown]
    if _asks_devices(schedule):
        problems += _device_problems(devices, known)
    return tuple(problems)


def _asks_devices(schedule: Schedule) -> bool:
    return any(window.timezone == ZONE_OF_DEVICE for window in schedule.windows)


def _device_problems(devices: Iterable[Device], known: frozenset[str]) -> list[str]:
    by_zone: dict[str, list[DeviceId]] = defaultdict(list)
    for device in devices:
        by_zone[device.labels.get(ZONE_LABEL, "")].append(device.id)
    problems = []
    if nowhere := by_zone.pop("", None):
        problems.append(f"{_named(nowhere)} no `{ZONE_LABEL}`, but a window asks for it")
    unknown = [name for name in by_zone if name not in known]
    problems += [
        f"{_named(by_zone[name])} {_unknown(name, known)}" for name in unknown[:_UNKNOWN_MAX]
    ]
    if more := unknown[_UNKNOWN_MAX:]:
        problems.append(f"{len(more)} more names of zones are unknown, the first is `{more[0]}`")
    return problems


def _unknown(name: str, known: frozenset[str]) -> str:
    return f"an unknown `{ZONE_LABEL}`: {zone_problem(name, known)}"


def _named(ids: list[DeviceId]) -> str:
    names = ", ".join(f"`{each}`" for each in ids[:_NAMED_MAX])
    if len(ids) == 1:
        return f"device {names} has"
    more = len(ids) - _NAMED_MAX
    return f"devices {names}{f' and {more} more' if more > 0 else ''} have"
