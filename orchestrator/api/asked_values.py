"""What is asked of a rollout, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.device.reason import FailureClass
from orchestrator.rollout.events import Ask, TakeBack
from orchestrator.rollout.states import RolloutState


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A control verb for a rollout (id, unique prefix, or None for the newest).

    `statement` and `signature` are those of a signed approval.
    """

    rollout: str | None
    ask: Ask
    why: str = ""
    accept_failures: bool = False
    devices: tuple[str, ...] = ()
    wave: str | None = None
    only: FailureClass | None = None
    take_back: TakeBack = TakeBack.NONE
    full: bool = False
    digest: str = ""
    statement: str = ""
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and what came of it.

    Attributes:
        needs_engine: no other process will act on it.
        answer: `done`, `already`, or empty while nobody has answered.
        detail: what the answer says besides.
        next_commands: what may be done now.
        stopped: it is halted or paused after it, and somebody has to resume it.
        unsealed: why what was written here has no checkpoint.
    """

    rollout_id: str
    engine: str
    needs_engine: bool
    answer: str = ""
    detail: str = ""
    next_commands: tuple[str, ...] = ()
    stopped: RolloutState | None = None
    unsealed: str = ""
