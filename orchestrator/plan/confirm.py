"""How long a device may take to prove itself before it goes back by itself (rollout-rules R17)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from orchestrator.plan.model import GateText, TimeoutTexts
from orchestrator.plan.resolved import Stage, Timeouts

MARGIN_S = 60.0  # clocks, scheduling and one more connection
LOST_AFTER_MIN_S = 900.0


def timeouts_of(written: TimeoutTexts, gates: Collection[GateText]) -> Timeouts:
    """Every deadline of a device: as written, otherwise computed."""
    return Timeouts(
        connect_s=written.connect_s,
        transfer_s=written.transfer_s,
        install_s=written.install_s,
        reboot_s=written.reboot_s,
        lost_after_s=lost_after_s(written, gates),
        drain_s=written.drain_s,
        confirm_s=confirm_s(written, gates),
    )


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
