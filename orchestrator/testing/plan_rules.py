"""Who goes in which wave (R1 to R5), reckoned anew from the plan as it is written.

It reads the text of a plan and the labels of the fleet, and nothing that planning made of them.

Laws checked, of a resolved plan:
- R1: each device stands in exactly one wave.
- R2: each wave has the size that its words mean, waves with hosts of their own choosing first; the
  first one is never the whole fleet where another one follows.
- R3, R4: devices go by the hash of seed and name (or as the plan orders them), by their bucket
  before that where a ticket has lines, and strata take turns by Sainte-Lague.
- R5: values of the cover labels that a wave lacks are added to it, each by its first device.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.testing.seen import InvariantBroken
from orchestrator.testing.transaction import bucket_of

_Words = Mapping[str, Any]  # of the plan language
_Labels = Mapping[DeviceId, Mapping[str, str]]


def check_waves(
    text: str,
    plan: ResolvedPlan,
    devices: Sequence[DeviceId],
    labels: _Labels,
    *,
    claims: Mapping[str, Collection[DeviceId]],
) -> None:
    """The waves of a plan are those of its text.

    Args:
        text: the plan as written, in JSON.
        plan: what it was resolved to.
        devices: that can take part, in the inventory's order.
        labels: of them.
        claims: the devices that the own hosts of waves select.

    Raises:
        InvariantBroken: a wave has other devices, or the same in another order.
    """
    words = json.loads(text)
    ticket = plan.artifact.ticket
    serial = ticket.serial if ticket is not None and ticket.openings else None
    name = plan.artifact.name
    expected = waves_of(text, name, devices, labels, claims=claims, serial=serial)
    found = {wave.name: [*wave.devices] for wave in plan.waves}
    for name, members in expected.items():
        if found.pop(name, []) != members:
            message = f"R2 to R5: wave `{name}` is {members} by the rules of its text"
            raise InvariantBroken(message)
    for wave in _listed(words):
        _check_backfill(wave, words, plan)
    if found:
        message = f"R2: no text says anything of {found}"
        raise InvariantBroken(message)


def waves_of(
    text: str,
    artifact: str,
    devices: Sequence[DeviceId],
    labels: _Labels,
    *,
    claims: Mapping[str, Collection[DeviceId]],
    serial: int | None = None,
) -> Mapping[str, list[DeviceId]]:
    """The members of each wave in the order of going, by R2 to R5; arguments as of `check_waves`.

    `serial` is that of a ticket with lines, by which devices go first of all.
    """
    waves = _Waves(json.loads(text), artifact, labels, claims)
    return waves.members(devices, serial)


def _check_backfill(words: _Words, whole: _Words, plan: ResolvedPlan) -> None:
    """R7: at most as many as the wave is large, and never where it has hosts of its own."""
    said = words.get("backfill", whole.get("backfill", True))
    for wave in plan.waves:
        if wave.name == words["name"]:
            most = len(wave.devices) if said and "hosts" not in words else 0
            limit = said.get("limit", most) if isinstance(said, dict) else most
            if wave.backfill_limit != min(most, limit):
                message = f"R7: {wave.backfill_limit} may take places in wave `{wave.name}`"
                raise InvariantBroken(message)


class _Waves:
    def __init__(
        self,
        words: _Words,
        artifact: str,
        labels: _Labels,
        claims: Mapping[str, Collection[DeviceId]],
    ) -> None:
        self._words = words
        self._labels = labels
        self._claims = claims
        name = words["name"]
        self._seed = str(
            name if words.get("sticky") else f"{name}:{words.get('release', artifact)}"
        )
        self._order: list[DeviceId] = []
        self._left: set[DeviceId] = set()

    def members(
        self, devices: Sequence[DeviceId], serial: int | None
    ) -> Mapping[str, list[DeviceId]]:
        """By wave, in the order of going."""
        self._order, self._left = self._ordered(devices), {*devices}
        if serial is not None:
            self._order.sort(key=lambda one: bucket_of(serial, one))
        waves = _listed(self._words)
        taken: dict[str, list[DeviceId]] = {}
        for wave in waves:
            if "hosts" in wave:
                pool = self._spread(
                    [one for one in self._order if one in self._claims[wave["name"]]]
                )
                taken[wave["name"]] = self._take(wave, pool, len(pool))
        rest = self._spread([one for one in self._order if one in self._left])
        percent = Fraction(0)
        for wave in waves:
            if "hosts" not in wave:
                own = _percent(wave["size"])
                percent += own
                pool = [one for one in rest if one in self._left]
                completes = bool(own) and percent == 100  # noqa: PLR2004  per cent
                base = math.inf if completes else len(rest)
                taken[wave["name"]] = self._take(wave, pool, base)
        return taken

    def _take(self, wave: _Words, pool: Sequence[DeviceId], base: float) -> list[DeviceId]:
        """Takes the devices of a wave out of those left: R2, then R5."""
        most = len(pool)
        if wave["first"] and len(self._order) > 1:
            most = len(self._order) - 1
        members = [*pool[: min(most, _count(wave["size"], len(pool), base))]]
        for label in wave.get("cover", self._words.get("cover", ())):
            values = [self._labels[one].get(label) for one in members]
            for one in pool:
                value = self._labels[one].get(label)
                if one in members or value is None or value in values or len(members) >= most:
                    continue
                members.append(one)
                values.append(value)
        self._left.difference_update(members)
        return members

    def _ordered(self, devices: Sequence[DeviceId]) -> list[DeviceId]:
        """R3."""
        match self._words.get("order", "hash"):
            case "inventory":
                return [*devices]
            case "reverse_inventory":
                return [*reversed(devices)]
            case "sorted":
                return sorted(devices)
            case "reverse_sorted":
                return sorted(devices, reverse=True)
            case _:
                return sorted(devices, key=lambda one: (self._key(one), one))

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(f"rollout-order/v1\n{self._seed}\n{text}".encode()).digest()

    def _spread(self, ordered: Sequence[DeviceId]) -> list[DeviceId]:
        """R4."""
        labels = self._words.get("spread", ())
        if not labels:
            return [*ordered]
        strata: dict[tuple[str, ...], list[DeviceId]] = {}
        for one in ordered:
            stratum = tuple(self._labels[one].get(label, "") for label in labels)
            strata.setdefault(stratum, []).append(one)
        ranked = [
            (Fraction(2 * rank + 1, 2 * len(own)), -len(own), self._key("\n".join(stratum)), one)
            for stratum, own in strata.items()
            for rank, one in enumerate(own)
        ]
        return [one for *_, one in sorted(ranked)]


def _listed(words: _Words) -> list[_Words]:
    """The waves, each with a name, a size, and whether it is the first of several."""
    waves: list[_Words] = []
    for number, written in enumerate(words["waves"], 1):
        is_size = not isinstance(written, dict) or "percent" in written
        wave = {"size": written} if is_size else written
        is_first = number == 1 and len(words["waves"]) > 1
        waves.append({"name": f"wave-{number}", "size": "rest", "first": is_first, **wave})
    return waves


def _percent(size: object) -> Fraction:
    match size:
        case str() if size.endswith("%"):
            return Fraction(size[:-1])
        case {"percent": percent}:
            return Fraction(str(percent))
        case _:
            return Fraction(0)


def _count(size: object, left: int, base: float) -> int:
    """R2: devices that a size means; of an infinite base everything that is left."""
    if isinstance(size, int):
        return min(size, left)
    percent = _percent(size)
    if not percent or base == math.inf:
        return left
    limits: Mapping[str, int] = size if isinstance(size, dict) else {}
    share = percent.numerator * int(base) // (100 * percent.denominator)
    return min(left, max(share, limits.get("min", 1)), limits.get("max", left))
