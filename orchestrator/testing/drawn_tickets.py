# ruff: noqa: PLR2004  the numbers are probabilities of a drawing, nothing else
"""Random release tickets: which devices ask for one, and when its lines let whom begin."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from orchestrator.device.model import DeviceId
from orchestrator.plan.tickets import PlannedOpening, PlannedTicket, PlannedTrust
from orchestrator.testing.clock import EPOCH_S
from orchestrator.testing.faults import Fault, FaultKind
from orchestrator.testing.transaction import FLEET

TRUST = PlannedTrust(root_version=1, fleet=FLEET, security_floor=0, serial=0)


@dataclass(frozen=True, slots=True)
class DrawnTickets:
    """Devices with a trust root, and the ticket of each rollout; none where nobody has a root."""

    rooted: frozenset[DeviceId] = frozenset()
    tickets: tuple[PlannedTicket | None, ...] = (None, None)


def draw_tickets(seed: int, devices: Sequence[DeviceId]) -> DrawnTickets:
    """What the seed has of them; drawn apart, so that other scenarios stay what they are."""
    rng = random.Random(f"tickets/{seed}")  # noqa: S311  scenarios, not secrets
    if rng.random() > 0.12:
        return DrawnTickets()
    share = rng.choice((1.0, 1.0, 0.5))
    rooted = frozenset(one for one in devices if rng.random() < share)
    serials = rng.sample(range(1, 10_000), 2)
    return DrawnTickets(
        rooted, tuple(_ticket(rng, serial, len(devices)) for serial in sorted(serials))
    )


def slow_clocks(seed: int, rooted: Collection[DeviceId]) -> Iterator[Fault]:
    """Devices whose own clock is behind, so that lines open later for them."""
    rng = random.Random(f"clocks/{seed}")  # noqa: S311  scenarios, not secrets
    for device in sorted(rooted):
        if rng.random() < 0.1:
            span = rng.choice((20.0, 600.0, 100_000.0))
            yield Fault(FaultKind.CLOCK_BEHIND, device=device, span=span)


def _ticket(rng: random.Random, serial: int, devices_count: int) -> PlannedTicket:
    return PlannedTicket(
        sha256="0" * 64,
        signatures_sha256="0" * 64,
        fleet=FLEET,
        serial=serial,
        expires_at=2 * EPOCH_S,
        security_version=1,
        device_types=("sim",),
        openings=tuple(_lines(rng, devices_count)) if rng.random() < 0.85 else (),
    )


def _lines(rng: random.Random, devices_count: int) -> Iterator[PlannedOpening]:
    count = rng.randint(1, 3)
    whole = devices_count < 8 or rng.random() < 0.8  # else some device may never begin
    last = 100 if whole else rng.randint(50, 99)
    percents = [*sorted(rng.sample(range(1, last), count - 1)), last]
    times = sorted(rng.sample((-50, 0, 30, 120, 400, 1500, 5000), count))
    for percent, seconds in zip(percents, times, strict=True):
        yield PlannedOpening(percent, EPOCH_S + seconds)
