"""Which plans are applied, and when what failed is tried again."""

from orchestrator.gitops.plans import PAUSE_MAX_S, Applied, again, inputs_digest, is_due, to_apply

OLD = {"a.yml": Applied("1", "c1", "r-1"), "b.yml": Applied("2", "c1")}


def test_plans_that_changed_or_are_new_are_applied_in_order() -> None:
    assert to_apply({"c.yml": "9", "b.yml": "2", "a.yml": "7"}, OLD) == ("a.yml", "c.yml")


def test_plan_of_the_same_inputs_carries_on_whatever_the_commit() -> None:
    assert to_apply({"a.yml": "1", "b.yml": "2"}, OLD) == ()


def test_plan_that_the_branch_has_no_more_is_left_alone() -> None:
    assert to_apply({}, OLD) == ()


def test_every_input_makes_another_digest() -> None:
    digests = {inputs_digest(*one) for one in ("abc", "xbc", "axc", "abx")}

    assert len(digests) == 4


def test_each_failure_doubles_the_pause_up_to_a_limit() -> None:
    trouble, pauses = None, []
    for _ in range(8):
        trouble = again(trouble, "no", 1, commit="c", interval_s=30.0, at=100.0)
        pauses.append(trouble.retry_at - 100.0)

    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]
    assert trouble is not None
    assert trouble.failures == 8


def test_limit_is_never_shorter_than_the_interval() -> None:
    trouble = again(None, "no", 1, commit="c", interval_s=PAUSE_MAX_S * 4, at=0.0)

    assert trouble.retry_at == PAUSE_MAX_S * 4


def test_trouble_counts_anew_with_another_commit_which_is_looked_at_at_once() -> None:
    first = again(None, "no", 1, commit="c1", interval_s=30.0, at=0.0)
    again_same = again(first, "no", 1, commit="c1", interval_s=30.0, at=30.0)
    other = again(again_same, "no", 1, commit="c2", interval_s=30.0, at=40.0)

    assert not is_due(again_same, commit="c1", now=40.0)
    assert is_due(again_same, commit="c1", now=90.0)
    assert is_due(again_same, commit="c2", now=40.0)
    assert is_due(None, commit="c1", now=0.0)
    assert other.failures == 1
