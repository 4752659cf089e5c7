"""What a simulated device says of itself, which is not always so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.device.protocol import encode
from orchestrator.device.shipped import helper_version
from orchestrator.testing.release import NOTHING, Lie
from orchestrator.testing.transaction import FLEET, KNOWN, LIVE, Line, Txn

if TYPE_CHECKING:
    from orchestrator.testing.device import SimulatedDevice

FREE_BYTES = 10**9


def state_of(device: SimulatedDevice, nonce: str) -> list[Line]:
    """The fields of state, as the device tells them."""
    txn = device.txn
    lines = [("protocol", "rollout-agent/1"), ("helper", helper_version())]
    if nonce:
        lines.append(("nonce", "other" if device.lie is Lie.NONCE else nonce))
    lines += [
        ("device-type", "sim"),
        ("boot-id", device.boot_id),
        ("uptime", "1"),
        ("state", told_state(device, txn) if txn else NOTHING),
    ]
    if txn is not None:
        lines.append(("txn", txn.id))
    release = device.releases[_told_manifest(device)]
    lines += [("artifact", release.name), ("manifest", release.manifest)]
    lines.append(("active", "no" if release.corrupt else "yes"))
    if txn is not None and txn.state in KNOWN:
        lines.append(("previous-manifest", txn.previous))
    if device.reverted:
        lines.append(("reverted", device.reverted))
    lines += [("epoch", str(device.epoch)), ("controller", device.controller or NOTHING)]
    if txn is not None and txn.state in LIVE:
        lines.append(("commit-nonce", device.commit_nonce))
        if txn.state == "probation":
            lines.append(("deadline-left", f"{txn.deadline_at - device.now():.0f}"))
    lines.append(("free", str(FREE_BYTES)))
    if device.rooted:
        lines += [("root", "1"), ("fleet", FLEET)]
    return lines


def _told_manifest(device: SimulatedDevice) -> str:
    txn = device.txn
    if txn is not None and txn.state in KNOWN:
        if device.lie is Lie.TARGET:
            return txn.manifest
        if device.lie is Lie.OLD:
            return txn.previous
    return device.active


def told_state(device: SimulatedDevice, txn: Txn) -> str:
    """The state of a transaction; some say that it is permanent as soon as they switched."""
    lies = device.lie is Lie.STATE and txn.state in LIVE
    return "committed" if lies else txn.state


def told_check(device: SimulatedDevice) -> str:
    """Exit code and output of a health check of what it says that it runs."""
    release = device.releases[_told_manifest(device)]
    if device.lie is Lie.WELL:
        return "0 " + encode('{"value": 1}')
    if release.lacks_checks:
        return "127"
    if release.silent_check:
        return "124"
    output = encode('{"value": 1}' if release.healthy else '{"value": 0}')
    return f"{0 if release.healthy else 1} {output}"
