"""Whether the journals of a store are what was written: the chain again, and what vouches for it.

Laws:
1. Nothing stored is believed: each hash is made again from the columns, each origin from the plan.
2. The first entry of a rollout that does not fit is named; what follows it cannot be judged.
3. A chain shows neither that its end was cut off nor that all of it was written anew. Seals do:
   heads that were signed, or handed to devices, while they were the newest.
4. Nobody who vouches is believed alone: whose head does not fit is named, and so is who knows what
   stands there.

Source: design "device-and-trust" B.1, audit log; "threats-and-reliability" A, attack 13.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.rollout import chain
from orchestrator.rollout.acts import ACTS
from orchestrator.rollout.chain import Written


class Fault(StrEnum):
    """What is wrong with a journal or with what vouches for it; docs/reference/audit.md has each."""

    CHANGED = "J101"
    MISSING = "J102"
    CUT = "J103"
    ROLLOUT_CHANGED = "J104"
    ROLLOUT_MISSING = "J105"
    REWRITTEN = "J106"
    SEAL_UNSIGNED = "J107"
    SEAL_FORM = "J108"
    ORPHANS = "J109"
    SEALS_GONE = "J110"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a rollout's journal ends: one hash for all of it, one for the rollouts up to now.

    Attributes:
        rollout_id: which rollout; `ACTS` for the journal of acts.
        seq: the number of its last entry.
        hash: that entry's; the rollout's origin where it has none.
        rollout_count: how many rollouts the store has; 0 where nobody said.
        last_origin: the origin of the newest of them; empty where nobody said.
    """

    rollout_id: str
    seq: int
    hash: str
    rollout_count: int = 0
    last_origin: str = ""


@dataclass(frozen=True, slots=True)
class Seal:
    """A head that somebody vouches for; `by` says who.

    `made_at` are the UTC seconds of a signed checkpoint; None where devices were told of the head.
    """

    head: Head
    made_at: float | None
    by: str

    @property
    def is_signed(self) -> bool:
        """It is a checkpoint."""
        return self.made_at is not None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `at` and `event` are those of the entry `seq`, where it is there."""

    fault: Fault
    message: str
    rollout_id: str = ""
    seq: int = 0
    at: float | None = None
    event: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """What came of it: the journals hold where there is no finding.

    Attributes:
        rollout_count: rollouts of the store.
        entry_count: entries of all journals that were judged.
        act_count: those of them that are of acts, which belong to no rollout.
        seal_count: checkpoints that were found again.
        witness_count: heads of devices that were found again.
        unsealed_count: entries after the last of these in their journals.
        last_sealed_at: when the newest checkpoint of them was made.
        findings: what is wrong, in the order of the rollouts.
    """

    rollout_count: int = 0
    entry_count: int = 0
    act_count: int = 0
    seal_count: int = 0
    witness_count: int = 0
    unsealed_count: int = 0
    last_sealed_at: float | None = None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store keeps of a rollout beside its journal; `plan_sha256` is that of its plan now.

    Of the journal of acts it is the beginning of its chain and the number of its last entry.
    """

    rollout_id: str
    number: int
    origin: str
    plan_sha256: str
    last_seq: int


@dataclass
class Auditor:
    """Judges a store rollout by rollout, in the order of their numbers.

    Args:
        controller_id: the store's.
        seals: heads that are vouched for.
    """

    controller_id: str
    seals: Sequence[Seal]
    _findings: list[Finding] = field(default_factory=list)
    _origins: dict[int, str] = field(default_factory=dict)
    _last_number: int = 0
    _rollout_count: int = 0
    _entry_count: int = 0
    _act_count: int = 0
    _unsealed_count: int = 0
    _good: list[Seal] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)
    _seals_of: dict[str, list[Seal]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Sorts the seals: fleets have many."""
        for seal in sorted(self.seals, key=lambda seal: seal.head.seq):
            self._seals_of.setdefault(seal.head.rollout_id, []).append(seal)

    def take(self, kept: Kept, entries: Iterable[tuple[Written, str]]) -> None:
        """Judges one rollout and its journal: entries in order, each with its stored hash."""
        self._rollout_count += 1
        self._judge_place(kept)
        self._judge_journal(kept, entries)

    def take_acts(self, kept: Kept, entries: Iterable[tuple[Written, str]]) -> None:
        """Judges the journal of acts, which has no place among the rollouts."""
        self._act_count = self._judge_journal(kept, entries)

    def _judge_journal(self, kept: Kept, entries: Iterable[tuple[Written, str]]) -> int:
        """How many of its entries, from the first on, are as they were written."""
        self._known.add(kept.rollout_id)
        seals = self._seals_of.get(kept.rollout_id, [])
        wanted = {seal.head.seq for seal in seals}
        heads = {0: kept.origin}
        last, broken = _follow(kept, entries, wanted, heads)
        self._entry_count += last
        if broken is None:
            broken = self._judge_end(kept, last, seals)
        if broken is not None:
            self._findings.append(broken)
        good = self._judge_seals(kept, last, seals, heads)
        self._unsealed_count += last - good
        return last

    def end(self, orphan_count: int) -> Audit:
        """The verdict; `orphan_count` are rows of journals whose rollout is not there."""
        for rollout_id, seals in self._seals_of.items():
            if rollout_id not in self._known:
                by = f"{seals[0].by}{_more(len(seals) - 1)}"
                message = f"{by} knew this rollout, and it is not there"
                missing = Finding(Fault.ROLLOUT_MISSING, message, rollout_id, at=seals[0].made_at)
                self._findings.append(missing)
        for seal in self.seals:
            if seal.head.rollout_id in self._known:
                self._judge_rollouts(seal)
        if orphan_count:
            message = f"{orphan_count} entries belong to no rollout"
            self._findings.append(Finding(Fault.ORPHANS, message))
        return Audit(
            rollout_count=self._rollout_count,
            entry_count=self._entry_count,
            act_count=self._act_count,
            seal_count=sum(seal.is_signed for seal in self._good),
            witness_count=sum(not seal.is_signed for seal in self._good),
            unsealed_count=self._unsealed_count,
            last_sealed_at=max(
                (seal.made_at for seal in self._good if seal.made_at is not None), default=None
            ),
            findings=tuple(dict.fromkeys(self._findings)),
        )

    def _judge_place(self, kept: Kept) -> None:
        number = self._last_number + 1
        previous = self._origins.get(self._last_number, chain.beginning(self.controller_id))
        expected = chain.origin(previous, number, kept.rollout_id, kept.plan_sha256)
        self._last_number = kept.number
        self._origins[kept.number] = kept.origin
        if kept.number != number:
            message = f"rollout number {number} is missing: number {kept.number} follows"
            self._findings.append(Finding(Fault.ROLLOUT_MISSING, message, kept.rollout_id))
        elif kept.origin != expected:
            message = "its plan, its id or its place among the rollouts is not what it was"
            self._findings.append(Finding(Fault.ROLLOUT_CHANGED, message, kept.rollout_id))

    def _judge_end(self, kept: Kept, last: int, seals: Sequence[Seal]) -> Finding | None:
        beyond = [seal for seal in seals if seal.head.seq > last]
        whose = "the store's" if kept.rollout_id == ACTS else "the rollout's"
        row = [(kept.last_seq, f"{whose} own row")] if kept.last_seq > last else []
        if row or beyond:
            knew = [*row, *((seal.head.seq, seal.by) for seal in beyond)]
            seq, source = max(knew, key=lambda promise: promise[0])
            message = (
                f"the journal ends at {last}, and {source}{_more(len(knew) - 1)} "
                f"knows of {seq}: its end was cut off"
            )
            return Finding(Fault.CUT, message, kept.rollout_id, last + 1)
        if kept.last_seq < last:
            message = f"entries stand after {kept.last_seq}, the last that {whose} row knows of"
            return Finding(Fault.MISSING, message, kept.rollout_id, kept.last_seq + 1)
        return None

    def _judge_seals(
        self, kept: Kept, last: int, seals: Sequence[Seal], heads: dict[int, str]
    ) -> int:
        """The number of the last entry that a seal vouches for.

        One lying device hides nothing: heads that do not fit are one finding only as long as
        none between them fits.
        """
        good, unfit = 0, list[Seal]()
        for seal in seals:
            if seal.head.seq > last:
                break  # the journal's end, or its first broken entry, has been named
            if heads[seal.head.seq] != seal.head.hash:
                unfit.append(seal)
                continue
            self._rewritten(kept, good, unfit, f"; {seal.by} knows what is here")
            good, unfit = seal.head.seq, []
            self._good.append(seal)
        self._rewritten(kept, good, unfit, "")
        return good

    def _rewritten(self, kept: Kept, good: int, unfit: Sequence[Seal], but: str) -> None:
        if not unfit:
            return
        seq = unfit[0].head.seq
        message = (
            f"something in {good + 1} to {seq} was written anew, with hashes that fit: "
            f"{unfit[0].by}{_more(len(unfit) - 1)} knew another one{but}"
        )
        self._findings.append(
            Finding(Fault.REWRITTEN, message, kept.rollout_id, seq, unfit[0].made_at)
        )

    def _judge_rollouts(self, seal: Seal) -> None:
        head, count = seal.head, self._last_number
        if head.rollout_count > count:
            message = f"the last rollout is number {count}; {seal.by} knew of {head.rollout_count}"
            self._findings.append(Finding(Fault.ROLLOUT_MISSING, message, at=seal.made_at))
        elif self._origins.get(head.rollout_count) not in (None, head.last_origin):
            message = (
                f"something in the first {head.rollout_count} rollouts was written anew, "
                f"with hashes that fit: {seal.by} knew another one"
            )
            self._findings.append(Finding(Fault.ROLLOUT_CHANGED, message, at=seal.made_at))


def _more(count: int) -> str:
    return f" (and {count} more)" if count else ""


def _follow(
    kept: Kept, entries: Iterable[tuple[Written, str]], wanted: set[int], heads: dict[int, str]
) -> tuple[int, Finding | None]:
    """Follows a journal to its end, or to the first entry that does not fit."""
    previous, last = kept.origin, 0
    for written, stored in entries:
        if written.seq != last + 1:
            message = f"entries {last + 1} to {written.seq - 1} are missing"
            return last, Finding(
                Fault.MISSING, message, kept.rollout_id, last + 1, written.at, written.type
            )
        previous = chain.link(previous, written)
        if previous != stored:
            message = "this entry is not what was written, or does not follow the one before it"
            return last, Finding(
                Fault.CHANGED, message, kept.rollout_id, written.seq, written.at, written.type
            )
        last = written.seq
        if last in wanted:
            heads[last] = previous
    return last, None
