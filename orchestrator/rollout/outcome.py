"""What a rollout's state means for the exit code of a command.

Source: docs/reference/exit-codes.md; design "operator", "Exit codes".
"""

from __future__ import annotations

from orchestrator.errors import ExitCode
from orchestrator.rollout.events import Ask
from orchestrator.rollout.ledger import Ledger
from orchestrator.rollout.runs import Runs, runs
from orchestrator.rollout.states import DeviceState, RolloutState

_UNKNOWN = (DeviceState.ROLLBACK_FAILED, DeviceState.LOST)


def needs_human(led: Ledger) -> bool:
    """Whether some device could not go back, or its state is unknown."""
    return any(wave.counts[state] for wave in led.waves for state in _UNKNOWN)


def runs_new(led: Ledger) -> bool:
    """Whether any device may run the new version: because of this rollout, or as it did before."""
    return any(rec.moved or runs(led, rec) is Runs.ALREADY for rec in led.devices.values())


def exit_code(led: Ledger, asked: Ask | None = None) -> ExitCode:
    """The exit code that fits the present state.

    A pause is no end: whatever caused it, it waits (7). A halt is told from it by 4 and 5, though
    it can be resumed too: a limit of the plan, or a person, said that this release is to stop.

    Args:
        led: the books.
        asked: what the command asked for; a rollback that an operator asked for and that is
            proven is done, whereas for whoever applied the plan it is no success.
    """
    if needs_human(led):
        return ExitCode.NEEDS_HUMAN
    back = led.state is RolloutState.ROLLED_BACK
    if asked is Ask.ROLLBACK and back and led.scope.get("asked"):
        return ExitCode.DONE
    if led.state is RolloutState.SUPERSEDED and not led.start_count:
        return ExitCode.REFUSED
    if led.state in _STOPPED:
        return ExitCode.HALTED if runs_new(led) else ExitCode.ROLLED_BACK
    return _BY_STATE.get(led.state, ExitCode.WAITING)


_STOPPED = (RolloutState.HALTED, RolloutState.ROLLED_BACK, RolloutState.SUPERSEDED)
_BY_STATE = {
    RolloutState.REJECTED: ExitCode.REFUSED,  # before anything was changed on any device
    RolloutState.EXPIRED: ExitCode.REFUSED,
    RolloutState.SUCCEEDED: ExitCode.DONE,
    RolloutState.SUCCEEDED_WITH_EXCEPTIONS: ExitCode.PARTIAL,
    RolloutState.ABORTED: ExitCode.HALTED,
    RolloutState.FAILED: ExitCode.NEEDS_HUMAN,
}
