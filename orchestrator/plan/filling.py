"""Which device goes in which wave: claims, sizes, coverage of labels (R1, R2, R5).

Laws:
1. Every device stands in exactly one wave, or the plan is refused.
2. The first wave never takes the whole fleet when a later wave exists.
3. Waves with hosts of their own choose first, in the order of the plan; the others share what is
   left, and their shares are of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import Covered
from orchestrator.plan.waves import ShareSize, Size, size_count

Arrange = Callable[[Sequence[DeviceId]], Sequence[DeviceId]]
Labels = Callable[[DeviceId], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class WaveSpec:
    """What a wave asks for. `claim`: the devices of its own hosts, None where it has none."""

    size: Size
    claim: frozenset[DeviceId] | None = None
    cover: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filled:
    """Members of a wave in order. `capped`: law 2 took one away; `covered`: added by R5."""

    devices: tuple[DeviceId, ...]
    capped: bool = False
    covered: tuple[Covered, ...] = ()


@dataclass(frozen=True, slots=True)
class Filling:
    """All waves, and the devices that no wave takes (then the plan is refused)."""

    waves: tuple[Filled, ...]
    left: tuple[DeviceId, ...]


def fill_waves(
    specs: Sequence[WaveSpec], ordered: Sequence[DeviceId], labels: Labels, arrange: Arrange
) -> Filling:
    """Members of every wave.

    Args:
        specs: the waves in order; claims do not overlap.
        ordered: all eligible devices by R3.
        labels: of a device.
        arrange: puts devices that are in order into the order of R4.
    """
    filler = _Filler(specs, ordered, labels)
    filled: dict[int, Filled] = {}
    for index, spec in enumerate(specs):
        if spec.claim is not None:
            pool = [device for device in ordered if device in spec.claim]
            filled[index] = filler.fill(index, arrange(pool), len(pool), completes=False)
    pool = list(arrange([device for device in ordered if device not in filler.taken]))
    base_count, total = len(pool), Fraction(0)
    for index, spec in enumerate(specs):
        if spec.claim is None:
            total += spec.size.share if isinstance(spec.size, ShareSize) else 0
            filled[index] = filler.fill(index, pool, base_count, completes=total == 1)
            pool = [device for device in pool if device not in filler.taken]
    return Filling(tuple(filled[index] for index in range(len(specs))), tuple(pool))


class _Filler:
    """Takes devices out of pools; knows which are gone."""

    def __init__(
        self, specs: Sequence[WaveSpec], ordered: Sequence[DeviceId], labels: Labels
    ) -> None:
        self._specs = specs
        self._labels = labels
        self._fleet_count = len(ordered)
        self.taken: set[DeviceId] = set()

    def fill(
        self, index: int, pool: Sequence[DeviceId], base_count: int, *, completes: bool
    ) -> Filled:
        """Members of one wave out of a pool in order."""
        spec = self._specs[index]
        count = size_count(spec.size, len(pool), base_count, completes=completes)
        limit_count = self._limit(index)
        members = list(pool[: min(count, limit_count)])
        added, cut = self._cover(spec.cover, members, pool, limit_count)
        self.taken.update(members)
        return Filled(tuple(members), cut or count > limit_count, added)

    def _limit(self, index: int) -> int:
        """Most devices of a wave: one less than the fleet for a first of several (law 2)."""
        is_canary = index == 0 and len(self._specs) > 1 and self._fleet_count > 1
        return self._fleet_count - is_canary

    def _cover(
        self,
        keys: Sequence[str],
        members: list[DeviceId],
        pool: Sequence[DeviceId],
        limit_count: int,
    ) -> tuple[tuple[Covered, ...], bool]:
        """Adds the first device of each value that is not there; tells whether law 2 forbade it."""
        added: list[Covered] = []
        begin = len(members)
        for key in keys:
            seen = {self._labels(device).get(key) for device in members}
            for device in pool[begin:]:
                value = self._labels(device).get(key)
                if value is None or value in seen:
                    continue
                if len(members) == limit_count:
                    return tuple(added), True
                seen.add(value)
                members.append(device)
                added.append(Covered(device, key, value))
        return tuple(added), False
