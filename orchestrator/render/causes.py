"""What went wrong, like causes put together: the one grouping of `status`, reports and live views.

Law: devices have one cause if they have the same reason in the same words, apart from numbers and
from their own names. Nothing is lost: each wording keeps its devices.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.device.reason import CLASS_OF, FailureClass
from orchestrator.render.text import plural
from orchestrator.rollout.story import Story, Trouble

# of what was done to devices only because others failed
WITH_OTHERS = frozenset(r for r, of in CLASS_OF.items() if of is FailureClass.HALT)
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Wording:
    """Devices that say the same in the same words. `detail` is untrusted.

    `first_s` counts from the start of the rollout; `None` where it is not known.
    """

    detail: str
    devices: tuple[str, ...]
    first_s: float | None


@dataclass(frozen=True, slots=True)
class Cause:
    """Devices with like trouble: at least one wording, the one of most devices first."""

    reason: str
    wordings: tuple[Wording, ...]

    @property
    def detail(self) -> str:
        """The words of most of its devices; untrusted."""
        return self.wordings[0].detail

    @property
    def devices(self) -> tuple[str, ...]:
        """All of its devices."""
        return tuple(device for one in self.wordings for device in one.devices)

    @property
    def first_s(self) -> float | None:
        """When the first of them came into it, as in a wording."""
        return min((one.first_s for one in self.wordings if one.first_s is not None), default=None)


def likeness(reason: str, detail: str, device: str) -> tuple[str, str]:
    """What is equal of all devices with one cause."""
    return reason, _NUMBER.sub("#", _nameless(detail, device))


def other_wordings(count: int) -> str:
    """How many wordings a cause has besides the one that is shown."""
    return f"{plural(count, 'more wording')} with other numbers or names"


def _nameless(detail: str, device: str) -> str:
    """The words without the name, where it stands as a word; a pattern for each device is dear."""
    first, *parts = detail.split(device)
    said = first
    for before, part in zip((first, *parts), parts, strict=False):
        inside = _is_word(before[-1:]) or _is_word(part[:1])
        said += (device if inside else "") + part
    return said


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def grouped_causes(story: Story) -> list[Cause]:
    """Trouble by cause, the most frequent first; behind it what only followed."""
    groups: dict[tuple[str, str], list[Wording]] = {}
    for reason, wording in _wordings(story):
        key = likeness(reason, wording.detail, wording.devices[0])
        groups.setdefault(key, []).append(wording)
    causes = [
        Cause(reason, tuple(sorted(found, key=lambda one: -len(one.devices))))
        for (reason, _), found in groups.items()
    ]
    return sorted(causes, key=_weight)


def _wordings(story: Story) -> Iterable[tuple[str, Wording]]:
    """Trouble with the same reason and words, whatever has become of the devices since."""
    groups: dict[tuple[str, str], list[Trouble]] = {}
    for trouble in story.troubles:
        groups.setdefault((trouble.reason, trouble.detail), []).append(trouble)
    for (reason, detail), troubles in groups.items():
        known = [trouble.first_at for trouble in troubles if trouble.first_at is not None]
        first_s = max(0.0, min(known) - story.started_at) if known else None
        devices = tuple(device for trouble in troubles for device in trouble.devices)
        yield reason, Wording(detail, devices, first_s)


def _weight(cause: Cause) -> tuple[bool, int, float]:
    return (cause.reason in WITH_OTHERS, -len(cause.devices), cause.first_s or 0.0)
