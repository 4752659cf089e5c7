"""What is remembered of a branch that is followed, from process to process.

Law: the record stands in the state store and changes under the controller's lease alone, so that a
history that was written anew is noticed whoever looks next, wherever.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from orchestrator.gitops.plans import Applied

NOTES_MAX = 50  # the newest; what rollouts did stands in their journals


class Noted(StrEnum):
    """What happened to the branch, or because of it."""

    TAKEN = "taken"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    APPLIED = "applied"
    NOTHING_TO_DO = "nothing_to_do"


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the record's log; `commit` is what the branch offered then."""

    at: float
    what: Noted
    commit: str
    detail: str = ""
    plan: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """A followed branch.

    Attributes:
        source: the repository's address, without anything secret.
        branch: its name.
        taken: the last commit that was taken; empty before the first.
        signer: who signed it, where that is required.
        applied: how each plan was applied last, by its file seen from the repository.
        notes: what happened, oldest first.
    """

    source: str
    branch: str
    taken: str = ""
    signer: str = ""
    applied: Mapping[str, Applied] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def noting(self, note: Note) -> Record:
        """The record with one more line."""
        return replace(self, notes=(*self.notes, note)[-NOTES_MAX:])

    def without_all_but(self, files: Collection[str]) -> Record:
        """The record without plans that the branch has no more; one that comes back is a new one."""
        applied = {file: one for file, one in self.applied.items() if file in files}
        return replace(self, applied=applied)

    @property
    def refused(self) -> str:
        """The commit whose refusal is the last that happened; empty for none."""
        last = self.notes[-1] if self.notes else None
        return last.commit if last is not None and last.what is Noted.REFUSED else ""


def to_text(record: Record) -> str:
    """The record as it is stored."""
    return json.dumps(asdict(record), sort_keys=True)


def from_text(text: str) -> Record:
    """The record of a stored text.

    Raises:
        ValueError: another version wrote it.
    """
    try:
        row = json.loads(text)
        applied = {file: Applied(**one) for file, one in row.pop("applied").items()}
        notes = tuple(Note(**{**one, "what": Noted(one["what"])}) for one in row.pop("notes"))
        return Record(**row, applied=applied, notes=notes)
    except (KeyError, TypeError, AttributeError) as error:
        message = f"the record of a followed branch cannot be read: {error}"
        raise ValueError(message) from error
