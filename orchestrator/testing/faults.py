"""Faults as an explicit list: what went wrong in a simulation, where and when.

Laws:
1. Whether a fault strikes depends on the seed and on its own place alone (kind, device, how many
   times that could have happened before), so leaving one out moves no other.
2. A run with the list of what struck in another run of the seed is that run again.
3. Every list has a text form that a command line takes: `crash@37 lose_reply:dev-0003@2`.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_TEXT = re.compile(
    r"(?P<kind>[a-z_]+)(?::(?P<device>[A-Za-z0-9-]+))?@(?P<at>[0-9.]+)(?P<span>[+-][0-9.]+)?"
)
_UNIT = 2**64


class FaultKind(StrEnum):
    """What can go wrong; `at` of a fault counts what the group says."""

    # on the way to a device: the n-th time that it could happen there
    REFUSE = "refuse"  # nobody answers a connection
    LOSE_REQUEST = "lose_request"
    LOSE_REPLY = "lose_reply"  # carried out, but not told
    CUT_TRANSFER = "cut_transfer"
    REBOOT = "reboot"  # the device crashes at this step
    REPEAT = "repeat"  # a request arrives twice
    STALL = "stall"  # a long time on the way
    DROP_READY = "drop_ready"  # the connection breaks while the device stands ready
    # inside the controller: the n-th time
    REPEAT_REPORT = "repeat_report"  # an event reaches the rollout twice
    LATE_REPORT = "late_report"  # an event arrives after later ones
    STORE_FAILS = "store_fails"
    # to an engine: the n-th turn of the event loop at which something is ready to run
    CRASH = "crash"
    TAKEOVER = "takeover"  # another engine starts; this one is frozen for the span, then goes on
    RIVAL = "rival"  # another controller starts an engine for the same rollout, and must leave
    LEASE_LOST = "lease_lost"
    STOP = "stop"  # somebody asks the engine to stop in order
    # in seconds from the start, some for a span
    OFFLINE = "offline"
    REBOOT_LOOP = "reboot_loop"
    GATES_BAD = "gates_bad"
    GATES_SILENT = "gates_silent"
    WORSE = "worse"  # what is measured of each device that runs something new
    CLOCK_JUMP = "clock_jump"  # the span is how far the controller's clock moves
    PAUSE = "pause"  # by an operator, who resumes after the span
    HALT = "halt"
    RESUME = "resume"
    PROMOTE = "promote"
    RETRY = "retry"
    ABORT = "abort"
    ROLL_BACK = "roll_back"
    FREEZE_ALL = "freeze_all"  # of all rollouts, for the span
    JOIN = "join"  # a device joins the fleet of the first rollout, and somebody applies it again
    REGRET = "regret"  # once the n-th rollout is over, somebody wants it rolled back
    AGAIN = "again"  # once the n-th rollout is done, somebody applies its plan anew
    # how the new version behaves on the device, or on all: in the n-th rollout
    UNHEALTHY = "unhealthy"
    BRICKS = "bricks"
    RESTARTS = "restarts"
    INSTALL_FAILS = "install_fails"
    ACTIVATE_FAILS = "activate_fails"
    COMMIT_FAILS = "commit_fails"
    STUCK = "stuck"  # unhealthy, and does not go back
    COMMIT_STUCK = "commit_stuck"  # cannot be committed, and does not go back
    SILENT_CHECK = "silent_check"
    CORRUPT = "corrupt"
    # what a device ran before, where it is not the old version in good health
    OLD_UNHEALTHY = "old_unhealthy"
    OLD_SILENT = "old_silent"
    OLD_LACKS_CHECKS = "old_lacks_checks"
    OLD_NOTHING = "old_nothing"
    CLOCK_BEHIND = "clock_behind"  # its own clock is, by the span
    AHEAD = "ahead"  # the version of the first rollout already
    # differences
    DIFFERENCE = (
        "difference"  # one lies beside what the n-th rollout brings; with a span it is spoilt
    )
    PATCHES = "patches"  # a device that can take them
    # a device that lies about itself, from the start on
    LIES_TARGET = "lies_target"  # says that it runs the target, and never switches
    LIES_OLD = "lies_old"  # says that it runs what it ran before
    LIES_STATE = "lies_state"  # says that it committed before it was asked to
    LIES_NONCE = "lies_nonce"  # answers another question than was asked
    LIES_WELL = "lies_well"  # says that its checks pass


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that goes wrong; no device means the controller, or all devices."""

    kind: FaultKind
    at: float = 0.0
    device: str = ""
    span: float = 0.0

    def __str__(self) -> str:
        where = f":{self.device}" if self.device else ""
        span = f"{self.span:+.10g}" if self.span else ""
        return f"{self.kind}{where}@{self.at:.10g}{span}"


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Faults from their text form, separated by blanks.

    Raises:
        ValueError: a word that is no fault.
    """
    return tuple(_parse(word) for word in text.split())


def _parse(word: str) -> Fault:
    found = _TEXT.fullmatch(word)
    if found is None:
        message = f"`{word}` is no fault: write KIND[:DEVICE]@NUMBER[+SECONDS]"
        raise ValueError(message)
    span = float(found["span"] or 0.0)
    return Fault(FaultKind(found["kind"]), float(found["at"]), found["device"] or "", span)


class FaultSource:
    """Decides which faults strike, and remembers those that did.

    Args:
        seed: of the draws.
        only: these strike, and no others; None draws them.
    """

    def __init__(self, seed: int = 0, only: Iterable[Fault] | None = None) -> None:
        self._seed = seed
        self._only = None if only is None else {(one.kind, one.device, one.at) for one in only}
        self._counts: Counter[tuple[FaultKind, str]] = Counter()
        self.struck: list[Fault] = []

    def strikes(self, kind: FaultKind, rate: float, device: str = "") -> bool:
        """Whether a fault happens at this occasion."""
        self._counts[kind, device] += 1
        number = self._counts[kind, device]
        if self._only is None:
            hit = rate > 0 and self.share(kind, device, number) < rate
        else:
            hit = (kind, device, number) in self._only
        if hit:
            self.struck.append(Fault(kind, number, device))
        return hit

    def share(self, *place: object) -> float:
        """A number in 0..1 that depends on the seed and this place alone."""
        text = "/".join(map(str, (self._seed, *place)))
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / _UNIT

    def last_share(self, kind: FaultKind, device: str = "") -> float:
        """How strong the fault is that this occasion drew, in 0..1."""
        return self.share("strength", kind, device, self._counts[kind, device])
