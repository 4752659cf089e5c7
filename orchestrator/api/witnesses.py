"""Devices as witnesses of the journals: what they were told while they were changed.

Laws:
1. Who could not be asked is named, and is no word for the journals.
2. A device is asked over its pinned host key; what it says of other controllers' journals is not
   for this store to judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.api.devices import answer_of, ask_all
from orchestrator.api.values import DeviceAnswer, Settings, Source
from orchestrator.device.protocol import Request, Verb
from orchestrator.device.witness import Known, known_of
from orchestrator.rollout.audit import Head, Seal

if TYPE_CHECKING:
    from orchestrator.device.model import Device
    from orchestrator.device.protocol import Reply


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What devices said.

    Attributes:
        seals: what they know of the journals of this store.
        asked_count: devices that were to be asked.
        unasked: those that could not be, each with its reason.
        blank_count: those that know nothing of this store's journals.
    """

    seals: tuple[Seal, ...]
    asked_count: int
    unasked: tuple[DeviceAnswer, ...]
    blank_count: int

    @property
    def answered_count(self) -> int:
        """Devices that answered."""
        return self.asked_count - len(self.unasked)


async def ask_witnesses(settings: Settings, source: Source, controller_id: str) -> Witnesses:
    """Asks devices what they know of the journals of a store; read-only.

    Raises:
        PlanError: the inventory is wrong, or there is none.
    """
    known: dict[str, tuple[Known, ...]] = {}

    def heard(device: Device, reply: Reply) -> DeviceAnswer:
        answer = answer_of(device, reply)
        if answer.ok:
            ours = (one for one in known_of(reply) if one.controller_id == controller_id)
            known[device.id] = tuple(ours)
        return answer

    request = Request(Verb.STATUS)
    answers = await ask_all(settings, "all", source, lambda _answer: None, heard, request)
    return Witnesses(
        seals=seals_of(known),
        asked_count=len(answers),
        unasked=tuple(answer for answer in answers if not answer.ok),
        blank_count=sum(not heads for heads in known.values()),
    )


def seals_of(known: Mapping[str, tuple[Known, ...]]) -> tuple[Seal, ...]:
    """What devices know, each head once."""
    who: dict[Known, list[str]] = {}
    for device, heads in known.items():
        for head in heads:
            who.setdefault(head, []).append(device)
    return tuple(
        Seal(Head(one.rollout_id, one.seq, one.hash), None, _devices(names))
        for one, names in who.items()
    )


def _devices(names: list[str]) -> str:
    more = len(names) - 1
    return f"device `{names[0]}`" + (f" with {more} other{'s' if more > 1 else ''}" if more else "")
