"""The garbage collector while a rollout runs.

The counts are of the whole process: threads that other tests left let objects die meanwhile, so
that only none and many can be told apart.
"""

import gc
from collections.abc import Iterator

import pytest

from orchestrator.api.memory import YOUNG_OBJECTS, settled_memory

MANY = 10_000


@pytest.fixture(autouse=True)
def nothing_is_settled() -> Iterator[None]:
    """As in a program that begins: the tests' own objects are settled since they were collected."""
    gc.unfreeze()
    yield
    gc.freeze()


def settled() -> tuple[int, bool]:
    return gc.get_threshold()[0], gc.get_freeze_count() > MANY


def test_what_is_there_is_not_looked_at_again_and_all_is_as_before_afterwards():
    before = gc.get_threshold(), gc.get_freeze_count()

    with settled_memory():
        inside = settled()
        with settled_memory():
            pass
        still = settled()  # the inner one gives nothing back that the outer one keeps

    assert inside == still == (YOUNG_OBJECTS, True)
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_rollouts_that_are_driven_side_by_side_end_in_any_order():
    before = gc.get_threshold(), gc.get_freeze_count()
    first, second = settled_memory(), settled_memory()
    first.__enter__()
    second.__enter__()

    first.__exit__(None, None, None)
    between = settled()
    second.__exit__(None, None, None)

    assert between == (YOUNG_OBJECTS, True)
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
