"""What people and controllers do beside rollouts, such as enrolling a device or opening a shell on it.

Laws:
1. An act is recorded before its effect begins, and how it ended in an entry of its own: an act
   without an end goes on, or whoever did it was killed.
2. The entries are one journal for the whole store, and hang on one another as those of a rollout do
   (`rollout.chain`): the form of an entry is the same, with no wave and epoch 0.

Source: docs/adr/0019-acts.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from orchestrator.rollout.around import FleetFreeze
from orchestrator.rollout.events import JournalEntry, Value

ACTS = "acts"  # how checkpoints name this journal: no rollout's id, which begins with `r-`


class ActKind(StrEnum):
    """What was done; a stable interface (docs/reference/acts.md)."""

    DEVICE_ENROLL = "device_enroll"
    DEVICE_RELEASE = "device_release"
    DEVICE_PIN = "device_pin"
    DEVICE_ROOT = "device_root"
    DEVICE_ADOPT = "device_adopt"
    DEVICE_UNHOLD = "device_unhold"
    DEVICE_LOGS = "device_logs"
    DEVICE_SHELL = "device_shell"
    DEVICE_FETCH = "device_fetch"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    COMMIT_TAKEN = "commit_taken"
    COMMIT_ACCEPTED = "commit_accepted"
    COMMIT_REFUSED = "commit_refused"
    PLAN_REFUSED = "plan_refused"
    ACT_ENDED = "act_ended"  # of the act whose number it names


# They are done in the transaction that records them, or are nothing but what was found.
MOMENTS = frozenset({
    ActKind.DEVICE_UNHOLD, ActKind.FREEZE, ActKind.UNFREEZE, ActKind.COMMIT_TAKEN,
    ActKind.COMMIT_ACCEPTED, ActKind.COMMIT_REFUSED, ActKind.PLAN_REFUSED,
})  # fmt: skip
OK = "ok"  # the result of an act that did what it should; else a reason of docs/reference


@dataclass(frozen=True, slots=True)
class Act:
    """An act to be recorded.

    Attributes:
        at: UTC seconds.
        kind: what is done.
        who: the person or process that does it.
        device: to which device; empty where it concerns none, or all.
        why: the reason that was given; may be empty.
        what: further values, by key.
    """

    at: float
    kind: ActKind
    who: str
    device: str = ""
    why: str = ""
    what: Mapping[str, Value] = field(default_factory=dict)

    @property
    def data(self) -> dict[str, Value]:
        """The entry's data, as it is stored."""
        why = {"why": self.why} if self.why else {}
        return {"who": self.who, **why, **self.what}


@dataclass(frozen=True, slots=True)
class End:
    """How an act ended: `result` is `ok` or a reason, `detail` untrusted text, `what` as of an act."""

    at: float
    result: str
    detail: str = ""
    what: Mapping[str, Value] = field(default_factory=dict)


def ending(number: int, act: Act, end: End) -> Act:
    """The entry that ends the act of this number."""
    detail = {"detail": end.detail} if end.detail else {}
    what = {"act": number, "result": end.result, **detail, **end.what}
    return Act(end.at, ActKind.ACT_ENDED, act.who, act.device, what=what)


def of_freeze(wanted: FleetFreeze) -> Act:
    """The act that freezes all rollouts, or lifts that."""
    if wanted.lifted_at is not None:
        return Act(wanted.lifted_at, ActKind.UNFREEZE, wanted.lifted_by, why=wanted.lifted_why)
    until = {} if wanted.until_at is None else {"until_at": wanted.until_at}
    return Act(wanted.at, ActKind.FREEZE, wanted.who, why=wanted.reason, what=until)


@dataclass(frozen=True, slots=True)
class ActTold:
    """An act as it stands in the journal, with its end where that is there.

    `kind` is text: a later version may have more of them.
    """

    number: int
    at: float
    kind: str
    device: str
    who: str
    why: str
    what: Mapping[str, Value]
    end: End | None = None

    @property
    def is_open(self) -> bool:
        """It has no end where there must be one."""
        return self.end is None and self.kind not in MOMENTS


def told(entries: Iterable[JournalEntry]) -> tuple[ActTold, ...]:
    """The acts of a stretch of the journal, in order; an end without its beginning is left out."""
    found: dict[int, ActTold] = {}
    for entry in entries:
        data = dict(entry.data)
        if entry.type == ActKind.ACT_ENDED:
            number = data.get("act")
            if isinstance(number, int) and number in found:
                found[number] = replace(found[number], end=_end(entry.at, data))
            continue
        who, why = str(data.pop("who", "")), str(data.pop("why", ""))
        found[entry.seq] = ActTold(
            entry.seq, entry.at, entry.type, entry.device, who, why, _plain(data)
        )
    return tuple(found.values())


def _end(at: float, data: Mapping[str, object]) -> End:
    rest = {key: one for key, one in data.items() if key not in {"act", "who", "result", "detail"}}
    return End(at, str(data.get("result", "")), str(data.get("detail", "")), _plain(rest))


def _plain(data: Mapping[str, object]) -> dict[str, Value]:
    """Values that are none of ours are shown as text, whoever wrote them."""
    return {
        key: one if isinstance(one, str | int | float | bool | None) else str(one)
        for key, one in data.items()
    }
