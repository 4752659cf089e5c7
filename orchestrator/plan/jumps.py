"""Devices for which a release is a large step, or a step back, by the names of their artifacts.

Laws:
1. Versions are compared only between artifacts of one name: what stands before the version is equal.
2. A device that was not asked, that runs nothing of ours or something of another name is not judged.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from orchestrator.plan.releases import meets
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.plan.risk import Risk

NAMES_MAX = 3  # of releases in between; more are counted
_NAMED = re.compile(r"(.*?)v?([0-9][0-9A-Za-z._+~-]{0,99})")
_FIRST = re.compile(r"[0-9]+")


def version_jumps(plan: ResolvedPlan) -> tuple[Risk, ...]:
    """Risks of devices that pass over releases, begin a new major version, or go back.

    A release is passed over where other devices of the plan run it and these run an older one.
    """
    target = plan.artifact.name
    head, to = _split(target)
    if not to:
        return ()
    running = Counter(
        device.current
        for device in plan.devices.values()
        if device.current and device.current_manifest != plan.artifact.manifest_sha256
    )
    known = {name: version for name in running if (version := _version(name, head))}
    risks = [
        risk
        for name in sorted(known, key=lambda name: (-running[name], name))
        for risk in _of_release(name, running[name], target, known | {target: to})
    ]
    return tuple(risks)


def _of_release(name: str, count: int, target: str, known: Mapping[str, str]) -> Iterator[Risk]:
    version, to = known[name], known[target]
    many = count != 1
    devices = f"{count} devices" if many else "1 device"
    if meets(version, f">{to}"):
        back = f"{devices} {'run' if many else 'runs'} `{name}`, which is newer, and "
        yield Risk("P932", f"{back}{'go' if many else 'goes'} back to `{target}`")
        return
    between = [
        other
        for other, each in known.items()
        if meets(each, f">{version}") and meets(each, f"<{to}")
    ]
    step = f"{devices} {'go' if many else 'goes'} from `{name}` to `{target}`"
    if between:
        yield Risk("P931", f"{step}, past {_names(sorted(between))} that other devices run")
    elif _major(version) != _major(to):
        yield Risk("P931", f"{step}: the first number of the version rises")


def _split(name: str) -> tuple[str, str]:
    """What an artifact is called, and its version; "" where it has none that can be compared."""
    match = _NAMED.fullmatch(name)
    return (match[1], match[2]) if match else (name, "")


def _version(name: str, head: str) -> str:
    own, version = _split(name)
    return version if own == head else ""


def _major(version: str) -> str:
    match = _FIRST.match(version)
    assert match, "a version begins with a number"
    return match[0].lstrip("0")


def _names(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:NAMES_MAX])
    more = len(names) - NAMES_MAX
    return f"{shown} and {more} more" if more > 0 else shown
