"""How devices are taken back, and what pauses because one went back by itself.

Laws checked, from the journal:
- R13: nothing is taken back while a device is on its way forward, unless the time to drain is over.
- Devices are taken back in the reverse order of their start, so of waves too, or in that order
  where the plan says so; one whose hours it is not lets others pass. At most
  `rollback.max_parallel` at once. An abort takes back what is not permanent, in reverse order.
- R6: a device that went back while no engine was there pauses a rollout that goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orchestrator.plan.resolved import RollbackOrder
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.seen import WORKING, Books, expect, is_start

PAUSE = "reverted_unconfirmed"
_PROVEN = frozenset({"succeeded", "confirmed"})
_BY_ROLLOUT = frozenset({"rollout_halted", "taken_back", "cancelled"})
_FORWARD = WORKING - {"rolling_back"}


class WayBack:
    """Watches a rollout from its first start on.

    Args:
        books: of the rollout.
        shut_out: whether it is no time to take the device back.
        liars: devices that may have told that they are back, or never left.
    """

    def __init__(
        self, books: Books, shut_out: Callable[[str, float], bool], *, liars: frozenset[str]
    ) -> None:
        self._books = books
        self._shut_out = shut_out
        self._liars = liars
        self._starts: list[str] = []
        self._began: JournalEntry | None = None  # the rollback under way
        self._gone: set[str] = set()  # devices, since they were activated
        self._stopped = False
        self._pauses: set[str] = set()

    def see(self, entry: JournalEntry) -> None:
        """Looks at devices that go back, and at what stops a rollout."""
        match entry.type:
            case "rollback_started":
                self._began, self._stopped = entry, True
            case "rollout_done":
                self._began, self._stopped = None, True
            case "halted":
                self._stopped = True
            case "paused":
                self._pauses.add(str(entry.data["cause"]))
            case "resumed":
                left = entry.data.get("left", [])
                self._pauses = {str(one) for one in left} if isinstance(left, list) else set()
                self._stopped &= "over" in entry.data
            case "operator" if entry.data["ask"] == "abort" and entry.data["done"]:
                self._stopped = True
            case "device_state":
                self._moved(entry)
            case _:
                pass

    def _moved(self, entry: JournalEntry) -> None:
        seen, to, reason = (
            self._books.seen[entry.device],
            entry.data["to"],
            entry.data.get("reason"),
        )
        if is_start(entry) and entry.device not in self._starts:
            self._starts.append(entry.device)
        if to == "activating":
            self._gone.discard(entry.device)
        elif to in ("rolling_back", "rolled_back") and entry.device not in self._gone:
            self._gone.add(entry.device)  # a later line tells of the same way back
            by_itself = reason == "reverted" and seen.excused
            paused = self._stopped or PAUSE in self._pauses
            expect(paused or not by_itself, "R6: it went back by itself, and it goes on", entry)
        sent = to == "rolling_back" and reason in _BY_ROLLOUT and entry.data["from"] in _PROVEN
        if sent:
            self._check_order(entry)
            if self._began is not None:
                self._check_rollback(entry, self._began)

    def _check_rollback(self, entry: JournalEntry, began: JournalEntry) -> None:
        books, plan = self._books, self._books.plan
        flying = [
            name
            for name, seen in books.seen.items()
            if seen.state in _FORWARD and not seen.returning
        ]
        over = entry.at >= began.at + plan.timeouts.drain_s
        expect(over or not flying, f"R13: taken back beside {flying}", entry)
        count = sum(seen.state == "rolling_back" for seen in books.seen.values())
        most = plan.rollback.max_parallel
        expect(count <= most, f"rollback: {count} at once, {most} may", entry)

    def _check_order(self, entry: JournalEntry) -> None:
        mine = self._starts.index(entry.device)
        order = self._books.plan.rollback.order
        forward = self._began is not None and order is RollbackOrder.FORWARD
        for name in self._to_return(entry.at):
            theirs = self._starts.index(name)
            first = mine < theirs if forward else mine > theirs
            expect(first, f"rollback: taken back before {name}", entry)

    def _to_return(self, at: float) -> Iterator[str]:
        """Devices that stand where a rollback, or an abort, would take them back."""
        for name, seen in self._books.seen.items():
            unmade = seen.state == "confirmed"
            in_scope = unmade or (seen.state == "succeeded" and self._in_scope(name))
            if in_scope and name not in self._liars and not self._shut_out(name, at):
                yield name

    def _in_scope(self, name: str) -> bool:
        if self._began is None:
            return False
        names, wave = self._began.data["devices"], self._began.wave
        named = not names or (isinstance(names, list) and name in names)
        return named and wave in ("", self._books.seen[name].wave)
