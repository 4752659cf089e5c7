"""The garbage collector while a rollout runs."""

import gc

import pytest

from orchestrator.api.memory import YOUNG_OBJECTS, settled_memory


def test_what_is_there_is_not_looked_at_again_and_all_is_as_before_afterwards():
    before = gc.get_threshold(), gc.get_freeze_count()

    with settled_memory():
        inside = gc.get_threshold()[0], gc.get_freeze_count()
        with settled_memory():
            pass
        still = gc.get_threshold()[0], gc.get_freeze_count()

    assert inside[0] == still[0] == YOUNG_OBJECTS
    assert inside[1] > 10_000
    assert still[1] >= inside[1]  # the inner one gives nothing back that the outer one keeps
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_failure_inside_leaves_nothing_behind():
    before = gc.get_threshold(), gc.get_freeze_count()

    with pytest.raises(KeyError), settled_memory():
        raise KeyError

    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_garbage_that_a_rollout_makes_is_still_found():
    class Knot:
        def __init__(self):
            self.self = self

    with settled_memory():
        Knot()
        assert gc.collect() > 0
