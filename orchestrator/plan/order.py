"""In which order devices go, and how that order is spread over strata (R3, R4).

Laws:
1. The order depends on seed, names and labels alone (and on the inventory's order where the plan
   says so), on every machine.
2. Spread is exact: positions are compared as whole numbers, never as floats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from orchestrator.device.model import DeviceId
from orchestrator.plan.controls import Order

ORDER_DOMAIN = "rollout-order/v1"
# Positions (2r+1)/(2n) of strata below 2**31 devices differ by more than 2**-64, or not at all.
_POSITION_SCALE = 1 << 64

Stratum = tuple[str, ...]


def order_key(seed: str, name: str) -> bytes:
    """The place of a name in the order, as bytes to sort by (R3)."""
    return hashlib.sha256(f"{ORDER_DOMAIN}\n{seed}\n{name}".encode()).digest()


def in_order(
    devices: Iterable[DeviceId], seed: str, order: Order = Order.HASH
) -> tuple[DeviceId, ...]:
    """Devices in one of the orders of R3. Cost: one hash per device, 100 000 in 0.2 s.

    Args:
        devices: in the inventory's order.
        seed: of the hash; other orders do not read it.
        order: how to order them.
    """
    match order:
        case Order.HASH:
            return _by_hash(devices, seed)
        case Order.INVENTORY:
            return tuple(devices)
        case Order.REVERSE_INVENTORY:
            return tuple(devices)[::-1]
        case Order.SORTED:
            return tuple(sorted(devices))
        case Order.REVERSE_SORTED:
            return tuple(sorted(devices, reverse=True))


def _by_hash(devices: Iterable[DeviceId], seed: str) -> tuple[DeviceId, ...]:
    prefix = hashlib.sha256(f"{ORDER_DOMAIN}\n{seed}\n".encode())
    keyed = []
    for device in devices:
        key = prefix.copy()
        key.update(device.encode())
        keyed.append((key.digest(), device))
    keyed.sort()  # ties by id
    return tuple(device for _, device in keyed)


def spread(
    ordered: Sequence[DeviceId], stratum_of: Callable[[DeviceId], Stratum], seed: str
) -> tuple[DeviceId, ...]:
    """The order with every prefix as proportional to the strata as can be (R4, Sainte-Lague).

    The r-th device of a stratum of n goes to (2r+1)/(2n). Equal places: larger stratum first, then
    by the key of the stratum's name (its values, a line each), then by id. Cost: one sort.
    """
    strata: dict[Stratum, list[DeviceId]] = {}
    for device in ordered:
        strata.setdefault(stratum_of(device), []).append(device)
    placed: list[tuple[int, int, bytes, DeviceId]] = []
    for stratum, members in strata.items():
        count, key = len(members), order_key(seed, "\n".join(stratum))
        placed += [
            ((2 * rank + 1) * _POSITION_SCALE // (2 * count), -count, key, device)
            for rank, device in enumerate(members)
        ]
    placed.sort()
    return tuple(device for *_, device in placed)
