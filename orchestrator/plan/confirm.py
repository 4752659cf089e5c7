"""How long a device may take to prove itself before it goes back by itself (rollout-rules R17)."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.plan.model import GateText, TimeoutTexts
from orchestrator.plan.resolved import Stage, Timeouts

MARGIN_S = 60.0  # clocks, scheduling and one more connection
LOST_AFTER_MIN_S = 900.0


def confirm_s(timeouts: TimeoutTexts, gates: Iterable[GateText]) -> float:
    """Seconds of the dead-man: as written, otherwise what a device may need at most."""
    return timeouts.confirm_s or needed_s(timeouts, gates)


def lost_after_s(timeouts: TimeoutTexts, gates: Iterable[GateText]) -> float:
    """Seconds until a dark device is given up: not before it must have gone back by itself."""
    return timeouts.lost_after_s or max(LOST_AFTER_MIN_S, confirm_s(timeouts, gates))


def needed_s(timeouts: TimeoutTexts, gates: Iterable[GateText]) -> float:
    """What a device may need to prove itself: reboot, device gates at their slowest, reconnect, margin.

    Gates of one device are counted one after the other; dry runs are sampled too.
    """
    slowest_s = sum(worst_case_s(gate) for gate in gates if gate.stage is Stage.DEVICE)
    return timeouts.reboot_s + slowest_s + timeouts.connect_s + MARGIN_S


def change_s(timeouts: TimeoutTexts | Timeouts, *, staged: bool) -> float:
    """What changing one device may take by its timeouts; a staged one has its artifact already.

    What a window with `must_finish` has to hold (R12). Gates speak as long as they need to: the
    dead-man, not the window, ends those.
    """
    transfer_s = 0.0 if staged else timeouts.transfer_s
    return timeouts.connect_s + transfer_s + timeouts.install_s + timeouts.reboot_s


def worst_case_s(gate: GateText) -> float:
    """The longest that a gate can take to speak, every sample using up its timeout.

    Each sample that counts may come after as many errors in a row as the gate allows.
    """
    return gate.initial_delay_s + _samples_max(gate) * (gate.timeout_s + gate.interval_s)


def _samples_max(gate: GateText) -> int:
    counting = (gate.count or 1) + gate.inconclusive_limit  # no_data is no measurement
    if gate.consecutive_success_limit is not None:
        interruptions_count = gate.failure_limit + gate.inconclusive_limit
        counting = gate.consecutive_success_limit * (interruptions_count + 1)
    return counting * (gate.consecutive_error_limit + 1)
