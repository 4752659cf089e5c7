"""One rollout's journal as lines that prove themselves: each entry as it is stored, with its hash.

    {"controller":"8092778c80be3599","number":17,"origin":"...","plan_sha256":"...","previous":"...","rollout":"r-7f3a"}
    {"entry":[1,1763812800.5,"rollout_started","","","{}",1],"hash":"..."}

Laws:
1. A reader makes the origin and every hash again (`rollout.chain`); the last one is what checkpoints
   vouch for.
2. An entry out of which a secret was taken says `"masked":true`. Its own hash cannot be made again, and
   the entries after it still hang on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from orchestrator.rollout import chain
from orchestrator.rollout.chain import Written


@dataclass(frozen=True, slots=True)
class Proof:
    """A journal with all that its hashes are made of; `previous` is the origin before its own."""

    controller_id: str
    rollout_id: str
    number: int
    previous: str
    origin: str
    plan_sha256: str
    entries: tuple[tuple[Written, str], ...]


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof comes to: where the journal ends, and what does not fit (empty: all does).

    `written` are its entries, each with the hash that it is said to have.
    """

    rollout_id: str
    plan_sha256: str
    seq: int
    hash: str
    masked_count: int
    fault: str = ""
    written: Sequence[tuple[Written, str]] = field(default=(), repr=False)

    @property
    def entries(self) -> Sequence[Written]:
        """Its entries."""
        return [entry for entry, _ in self.written]

    def has(self, seq: int, hash_: str) -> bool:
        """Whether the entry of this number has this hash."""
        return 0 < seq <= len(self.written) and self.written[seq - 1][1] == hash_


def proof_lines(proof: Proof, mask: Callable[[str], tuple[str, int]]) -> Iterator[str]:
    """The lines of a proof.

    Args:
        proof: the journal.
        mask: gives a text without secrets, and how many it had.
    """
    yield _text(
        {
            "controller": proof.controller_id,
            "rollout": proof.rollout_id,
            "number": proof.number,
            "previous": proof.previous,
            "origin": proof.origin,
            "plan_sha256": proof.plan_sha256,
        }
    )
    for written, stored in proof.entries:
        data, count = mask(written.data)
        entry = list(written._replace(data=data))
        yield _text({"entry": entry, "hash": stored, **({"masked": True} if count else {})})


def prove(lines: Iterable[str]) -> Proven:
    """Makes all hashes of a proof again.

    Raises:
        ValueError: it has another form.
    """
    try:
        return _prove(iter(lines))
    except (TypeError, KeyError, AttributeError, StopIteration, ValueError) as error:
        message = "this is no journal that proves itself"
        raise ValueError(message) from error


def _prove(lines: Iterator[str]) -> Proven:
    head = json.loads(next(lines))
    rollout_id, plan_sha256 = str(head["rollout"]), str(head["plan_sha256"])
    last, seq, masked_count = str(head["origin"]), 0, 0
    expected = chain.origin(str(head["previous"]), int(head["number"]), rollout_id, plan_sha256)
    fault = "" if last == expected else "its plan, its id or its place is not what it was"
    entries: list[tuple[Written, str]] = []
    for line in lines:
        found = json.loads(line)
        written, stored = _written(found["entry"]), str(found["hash"])
        masked = found.get("masked") is True
        masked_count += masked
        fits = written.seq == seq + 1 and (masked or chain.link(last, written) == stored)
        if not fits and not fault:
            fault = f"entry {seq + 1} is not what was written, or is missing"
        last, seq = stored, written.seq
        entries.append((written, stored))
    return Proven(rollout_id, plan_sha256, seq, last, masked_count, fault, entries)


def _written(columns: object) -> Written:
    kinds = (int, float, str, str, str, str, int)
    if not isinstance(columns, list) or len(columns) != len(kinds):
        message = "an entry has seven columns"
        raise TypeError(message)
    for value, kind in zip(columns, kinds, strict=True):
        if not isinstance(value, kind):
            message = "a column of another kind"
            raise TypeError(message)
    return Written(*columns)


def _text(document: dict[str, object]) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n"
