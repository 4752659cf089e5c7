"""What may be taken of a branch."""

import pytest

from orchestrator.gitops.head import Head, judge


@pytest.mark.parametrize(
    ("taken", "offered", "descends", "accepted", "expected"),
    [
        ("", "a", False, "", Head.NEWER),
        ("a", "a", True, "", Head.SAME),
        ("a", "b", True, "", Head.NEWER),
        ("a", "b", False, "", Head.REWRITTEN),
        ("a", "b", False, "c", Head.REWRITTEN),
        ("a", "b", False, "b", Head.ACCEPTED),
        ("a", "b", True, "c", Head.NEWER),
    ],
)
def test_history_only_grows_unless_a_person_accepts_this_commit(
    taken, offered, descends, accepted, expected
) -> None:
    assert judge(taken=taken, offered=offered, descends=descends, accepted=accepted) is expected
