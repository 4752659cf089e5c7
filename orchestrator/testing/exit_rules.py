"""What an engine's exit code says, against what devices really run when it ends.

The meanings are those of docs/reference/exit-codes.md. The state of the rollout is folded from its
journal, what devices run is read from the devices.

Laws checked, each time an engine ends, and once more when all dead-men had their time:
- 0: every device is on the target, and made it permanent.
- 1: nothing was begun on any device.
- 3: finished, with a device that is not proven, and with no more failures than the plan tolerates.
- 4: halted or taken back, and a device runs the new version; or aborted.
- 5: halted or taken back, and no device runs the new version, but for those that nobody asked.
- 6: a device is lost or could not go back, and only then.
- 0 of a command that asked for a rollback: every device of it runs what it ran before.
- 7: not over, neither halted nor aborted.
- 8: another engine holds the rollout, or took it over; whoever ends so, and only who ends so.
- Of a rollout that is over the store has the code with which its engine ended.
- Whatever it says: an engine that ends in order leaves no device unproven but those.
"""

from __future__ import annotations

from orchestrator.errors import ExitCode, LeaseError
from orchestrator.plan.resolved import OnFailure
from orchestrator.rollout.events import JournalEntry
from orchestrator.testing.device import SimulatedDevice
from orchestrator.testing.seen import InvariantBroken
from orchestrator.testing.truth import Truth

_UNKNOWN = frozenset({"lost", "rollback_failed"})
_PROVEN = frozenset({"succeeded", "unchanged"})
_NEVER_BEGUN = frozenset({"pending", "queued", "cancelled", "skipped", "deferred"})


def check_refusal(error: BaseException | None) -> None:
    """An engine ended that another one keeps from the rollout.

    Raises:
        InvariantBroken: it does not say so, or with another code than 8.
    """
    code = error.exit_code if isinstance(error, LeaseError) else None
    if code is not ExitCode.LOCKED:
        message = f"exit 8: another engine has it, and this one ended with {error!r}, exit {code}"
        raise InvariantBroken(message)


class ExitCodes:
    """Folds the state of a rollout, and holds exit codes against it and the truth."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._books = truth.books
        self._done = ""  # the state it ended in
        self._halted = False
        self._accepted = False
        self._refused = False  # the last wish for a rollback

    def see(self, entry: JournalEntry) -> None:
        """Takes in what stops and ends a rollout."""
        match entry.type:
            case "rollout_done":
                self._done = str(entry.data["state"])
            case "halted":
                self._halted = True
            case "resumed" if "over" not in entry.data:
                self._halted = False
                self._accepted |= bool(entry.data["accept_failures"])
            case "rollback_started":
                self._halted, self._done = False, ""
            case "operator" if entry.data["ask"] == "abort" and entry.data["done"]:
                self._halted = False
            case "operator" if entry.data["ask"] == "rollback":
                self._refused = entry.data["answer"] == "refused"
            case _:
                pass

    def check(self, code: ExitCode) -> None:
        """An engine ended with this code just now.

        Raises:
            InvariantBroken: the code says what is not so.
        """
        problem = self._state_problem(code) or self._truth_problem(code) or self._left_problem()
        if problem:
            message = f"exit {int(code)}, but {problem}"
            raise InvariantBroken(message)

    def check_stored(self, stored: object, code: ExitCode) -> None:
        """A rollout is over: the store has this code, and an engine ended with that one.

        Raises:
            InvariantBroken: it is another one.
        """
        if stored != int(code):
            message = f"exit {int(code)}, but the store has {stored}"
            raise InvariantBroken(message)

    def check_rollback(self, code: ExitCode, *, wave: object = None, devices: object = ()) -> None:
        """A command that asked for the rollback of a wave, devices or all ended with this code.

        Raises:
            InvariantBroken: it is 0, and one of them does not run what it ran before.
        """
        if code is not ExitCode.DONE or self._done != "rolled_back" or self._refused:
            return
        truth = self._truth
        stays = [
            device.name
            for device in truth.honest()
            if wave in (None, self._books.seen[device.name].wave)
            and (not isinstance(devices, tuple) or not devices or device.name in devices)
            and device.active != truth.before[device.name]
        ]
        if stays:
            message = f"exit 0 of a rollback, but {stays} run the new version"
            raise InvariantBroken(message)

    def _state_problem(self, code: ExitCode) -> str:
        """What the journal has against it."""
        unknown = [name for name, seen in self._books.seen.items() if seen.state in _UNKNOWN]
        if (code is ExitCode.NEEDS_HUMAN) != bool(unknown):
            return f"lost or not taken back: {unknown}"
        fits = {
            ExitCode.DONE: self._done == "succeeded",
            ExitCode.REFUSED: self._done in ("rejected", "expired", "superseded"),
            ExitCode.PARTIAL: self._done == "succeeded_with_exceptions",
            ExitCode.HALTED: self._halted or self._done in ("aborted", "rolled_back", "superseded"),
            ExitCode.ROLLED_BACK: self._halted or self._done in ("rolled_back", "superseded"),
            ExitCode.NEEDS_HUMAN: True,
            ExitCode.WAITING: not self._done and not self._halted,
        }
        return "" if fits.get(code) else f"halted: {self._halted}, ended as `{self._done}`"

    def _truth_problem(self, code: ExitCode) -> str:
        """What the devices have against it."""
        truth = self._truth
        new = truth.on_target()
        states = [seen.state for seen in self._books.seen.values()]
        match code:
            case ExitCode.DONE:
                return self._not_done()
            case ExitCode.REFUSED:
                begun = [seen for seen in self._books.seen.values() if seen.activations]
                fresh = _NEVER_BEGUN.issuperset(states) and not begun
                return "" if fresh else "devices were begun with"
            case ExitCode.PARTIAL:
                whole = _PROVEN.issuperset(states) and not self._books.plan.skipped
                return "every device is proven" if whole else self._intolerable()
            case ExitCode.HALTED if self._done != "aborted":
                known = truth.liars.isdisjoint(self._books.seen)
                return "no device runs the new version" if known and not new else ""
            case ExitCode.ROLLED_BACK:
                found = [name for name in new if not self._is_unseen(name)]
                return f"{found} run the new version" if found else ""
            case _:
                return ""

    def _is_unseen(self, name: str) -> bool:
        """Whether it runs what it ran before, and nobody had to ask it, or had an answer."""
        seen = self._books.seen[name]
        ran_before = self._truth.before[name] == self._truth.target
        unheard = seen.state == "failed" and not seen.activations  # else it is `unchanged`
        return ran_before and (seen.state in _NEVER_BEGUN or unheard)

    def _not_done(self) -> str:
        for name, seen in self._books.seen.items():
            if seen.state not in _PROVEN:
                return f"{name} is `{seen.state}`"
        for device in self._truth.honest():
            state = "" if device.txn is None else device.txn.state
            own = bool(self._books.seen[device.name].activations)
            if device.active != self._truth.target or (own and state != "committed"):
                return f"{device.name} runs something else, or may go back"
        return ""

    def _intolerable(self) -> str:
        """R6: failures of a wave that the plan does not allow, and nobody accepted."""
        books = self._books
        if self._accepted or books.touched or books.plan.on_failure is OnFailure.CONTINUE:
            return ""
        for wave in books.waves:
            if books.counted(wave) > books.allowed(wave):
                return f"wave `{wave}` has {books.counted(wave)} failures, {books.allowed(wave)} are allowed"
        return ""

    def _left_problem(self) -> str:
        """Nobody is left alone with a version that the controller has not proven."""
        problems = map(self._left, self._truth.honest())
        return next(filter(None, problems), "")

    def _left(self, device: SimulatedDevice) -> str:
        seen, txn = self._books.seen[device.name], device.txn
        state = txn.state if txn is not None and txn.id in seen.activations else ""
        if state == "probation" and seen.state not in _UNKNOWN:
            return f"{device.name} is `{seen.state}` and on probation"
        if state == "rollback-failed" and seen.state not in _UNKNOWN:
            return f"{device.name} could not go back and is `{seen.state}`"
        return ""
