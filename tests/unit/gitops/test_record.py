"""What is remembered of a branch."""

import pytest

from orchestrator.gitops.plans import Applied
from orchestrator.gitops.record import NOTES_MAX, Note, Noted, Record, from_text, to_text

NOTE = Note(1.0, Noted.TAKEN, "c1", "ann@corp")
RECORD = Record(
    "/srv/fleet.git", "main", "c1", "ann@corp", {"a.yml": Applied("1", "c1", "r-1")}, (NOTE,)
)


def test_record_comes_back_as_it_was_stored() -> None:
    assert from_text(to_text(RECORD)) == RECORD


@pytest.mark.parametrize("text", ["[]", "{}", '{"applied": {}, "notes": [], "new": 1}', "x"])
def test_record_of_another_version_is_refused(text) -> None:
    with pytest.raises(ValueError, match=r"cannot be read|Expecting"):
        from_text(text)


def test_only_the_newest_notes_are_kept() -> None:
    record = RECORD
    for number in range(NOTES_MAX + 5):
        record = record.noting(Note(float(number), Noted.APPLIED, "c1"))

    assert len(record.notes) == NOTES_MAX
    assert record.notes[-1].at == NOTES_MAX + 4


def test_refusal_counts_as_long_as_it_is_the_last_that_happened() -> None:
    refused = RECORD.noting(Note(2.0, Noted.REFUSED, "c2", "not signed"))

    assert (RECORD.refused, refused.refused, refused.noting(NOTE).refused) == ("", "c2", "")


def test_plan_that_the_branch_has_no_more_is_forgotten() -> None:
    assert RECORD.without_all_but(["b.yml"]).applied == {}
    assert RECORD.without_all_but(["a.yml", "b.yml"]) == RECORD
