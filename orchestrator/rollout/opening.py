"""Devices that wait for the `open` line of the release ticket which lets them begin.

Laws:
1. Who is known to ask for a ticket is not started before its line. Of others nobody knows: they are
   asked, refuse as `not_open_yet`, and then wait for the same line.
2. Whom no line lets in has no part in the rollout (`never_open`).
3. Waiting is no failure and no silence: the wave stands still until the line opens, as for a window.
   Only a device that refuses after its line, as its own clock is behind, is deferred (R7).

Source: design "rollout-rules" R3, R7; "device and trust" B.3.
"""

from __future__ import annotations

from datetime import UTC, datetime

from orchestrator.device.model import DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.ticket_fit import opens_at
from orchestrator.plan.tickets import AT_ONCE
from orchestrator.rollout import turn
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.record import DeviceRecord, WaveRecord
from orchestrator.rollout.timers import OPENING_TIMER

TICKET = "ticket"
TICKET_LABEL = "/ticket"  # of devices that wait for a line; no label of the plan has a slash


def opening_of(led: Ledger, device: DeviceId) -> float | None:
    """When the ticket lets a device begin that asks for one, None for never."""
    ticket = led.plan.artifact.ticket
    return AT_ONCE if ticket is None else ticket.opens_at(device)


def shut_until(led: Ledger, rec: DeviceRecord) -> float | None:
    """Until when the device has to wait for its line; None where it need not, or may as well ask."""
    if rec.reason is Reason.NOT_OPEN_YET:
        at = opening_of(led, rec.id)
    elif led.plan.devices[rec.id].trust is not None:
        at = opens_at(led.plan, rec.id)
    else:
        return None
    return at if at is not None and at > led.now else None


def park(led: Ledger, wave: WaveRecord, rec: DeviceRecord, at: float) -> None:
    """Lets others pass until the line opens, and says so."""
    key = repr(at)
    wave.parked.setdefault((TICKET_LABEL, key), []).append(rec.id)
    led.set_timer(f"{OPENING_TIMER}{key}", at)


def next_at(led: Ledger) -> float | None:
    """When the line of the next devices that wait for theirs opens."""
    return min((at for at, _ in _rows(led)), default=None)


def look(led: Ledger) -> None:
    """Keeps in words whether and until when the rollout waits for the ticket."""
    rows = _rows(led)
    if not rows:
        led.waiting.pop(TICKET, None)
        return
    at = min(at for at, _ in rows)
    count = sum(len(devices) for other, devices in rows if other == at)
    devices = "1 device" if count == 1 else f"{count} devices"
    text = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    turn.wait_for(led, TICKET, f"the release ticket: it lets {devices} begin at {text}")


def _rows(led: Ledger) -> list[tuple[float, list[DeviceId]]]:
    return [
        (float(value), devices)
        for wave in led.under_way()
        for (label, value), devices in wave.parked.items()
        if label == TICKET_LABEL
    ]
