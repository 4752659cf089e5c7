"""What reaches into a rollout from outside: a freeze of all, what another held back or has to run.

The rules know what was really asked and when, and how the other rollout ended by its journal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from orchestrator.device.model import DeviceId
from orchestrator.plan.resolved import RequirePer
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.seen import Books, expect, is_start

NOTICED_S = 10.0  # an engine looks around far more often
_FAILED = frozenset({"failed", "rolled_back"})
_ON_THE_WAY = frozenset({
    "unreachable", "connection_lost", "timeout", "host_key", "authentication",
})  # fmt: skip


class FreezesOfAll:
    """Nothing is begun while all rollouts are frozen, once the engine had time to notice.

    Args:
        now: true time.
        frozen_engines: an engine may stand still meanwhile, and notice nothing.
    """

    def __init__(self, now: Callable[[], float], *, frozen_engines: bool) -> None:
        self._now = now
        self._spans: list[tuple[float, float]] = []
        self._watches = not frozen_engines

    def begin(self, until_at: float) -> None:
        """Somebody freezes all rollouts, until then by the clocks of engines."""
        self._spans = [(self._now() + NOTICED_S, until_at)]  # a later one takes its place

    def see(self, entry: JournalEntry) -> None:
        """Looks at starts."""
        if self._watches and is_start(entry):
            frozen = any(
                since <= self._now() and entry.at < until_at for since, until_at in self._spans
            )
            expect(not frozen, "freeze: begun while all rollouts are frozen", entry)


class HeldBack:
    """Devices that an earlier rollout held back are not begun with."""

    def __init__(self, held: Collection[str]) -> None:
        self._held = held

    def see(self, entry: JournalEntry) -> None:
        """Looks at starts."""
        if is_start(entry):
            expect(entry.device not in self._held, "held: begun with a device held back", entry)


class Required:
    """Nothing is begun where a release that it requires was not proven.

    Args:
        books: of the rollout that requires others.
        others: by plan, the devices on which its release was proven.
    """

    def __init__(self, books: Books, others: Mapping[str, frozenset[str]]) -> None:
        self._books = books
        self._others = others

    def see(self, entry: JournalEntry) -> None:
        """Looks at starts."""
        if not is_start(entry):
            return
        for requirement in self._books.plan.requires:
            proven = self._others.get(requirement.plan, frozenset())
            near = self._near(entry.device, requirement.per)
            lacking = sum(name not in proven for name in near)
            message = f"requires: {lacking} devices lack plan `{requirement.plan}`"
            expect(not lacking, message, entry)

    def _near(self, device: str, per: RequirePer) -> Collection[str]:
        labels, names = self._books.labels, self._books.seen
        if per is RequirePer.ALL:
            return names
        site = labels[DeviceId(device)]["site"]
        alike = (name for name in names if labels[DeviceId(name)]["site"] == site)
        return [*alike] if per is RequirePer.SITE else [device]


def proven_in(books: Books) -> frozenset[str]:
    """Devices on which a rollout that is over proved its release."""
    good = ("succeeded", "unchanged")
    return frozenset(name for name, seen in books.seen.items() if seen.state in good)


def held_back(books: Books, *, same_artifact: bool) -> frozenset[str]:
    """Devices that a rollout which is over holds back from another one.

    Args:
        books: of the one that is over.
        same_artifact: the other one brings the same.
    """
    return frozenset(
        name
        for name, seen in books.seen.items()
        if seen.state == "rollback_failed"
        or (
            same_artifact
            and seen.state in _FAILED
            and not seen.excused
            and seen.reason not in _ON_THE_WAY
        )
    )
