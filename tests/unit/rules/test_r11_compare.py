"""R11 as tables: controls, readings with their exact p, and plans that could find nothing."""

import math

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.plan.gate import Compare, CompareTest, CompareTo, Direction
from orchestrator.plan.power import Sizes, underpowered
from orchestrator.rollout.comparing import Groups, compared, control_groups

NAN = math.nan


def compare(test, alpha, effect, least):
    direction = Direction.DECREASE if effect < 1 else Direction.INCREASE
    return Compare(CompareTo.CONTROL, CompareTest(test), alpha, direction, effect, least)


def ranks(*values):
    return tuple(float(value) for value in values)


@pytest.mark.parametrize(
    ("test", "alpha", "effect", "least", "treated", "control", "reading", "p"),
    [
        # 0, 1 and 2 devices
        ("mann_whitney", 0.05, 1.1, 1, (), ranks(1, 2, 3), "no_data", None),
        ("mann_whitney", 0.05, 1.1, 1, ranks(9), (), "no_data", None),
        ("mann_whitney", 0.05, 1.1, 1, ranks(99), ranks(*range(1, 11)), "no_data", None),  # 1/11
        ("mann_whitney", 0.1, 1.1, 1, ranks(99), ranks(*range(1, 11)), "failed", 1 / 11),
        ("mann_whitney", 0.05, 1.1, 2, ranks(98, 99), ranks(*range(1, 6)), "failed", 1 / 21),
        ("mann_whitney", 0.05, 1.1, 2, ranks(98, 99), ranks(*range(1, 5)), "no_data", None),  # 1/15
        # fewer than `min_samples`, of which what is no number is none
        ("mann_whitney", 0.05, 1.1, 4, ranks(7, 8, 9), ranks(1, 2, 3, 4, 5), "no_data", None),
        ("mann_whitney", 0.05, 1.1, 4, ranks(6, 7, 8, 9), ranks(1, 2, 3), "no_data", None),
        ("mann_whitney", 0.05, 1.1, 4, ranks(7, 8, 9, NAN), ranks(1, 2, 3, 4, 5), "no_data", None),
        ("mann_whitney", 0.05, 1.1, 3, ranks(7, 8, 9, NAN), ranks(1, 2, 3, 4, 5), "failed", 1 / 56),
        # p = alpha is not below it
        ("mann_whitney", 0.05, 1.1, 3, ranks(4, 5, 6), ranks(1, 2, 3), "no_data", None),  # 1/20
        ("mann_whitney", 0.051, 1.1, 3, ranks(4, 5, 6), ranks(1, 2, 3), "failed", 1 / 20),
        # large enough to matter, but chance may explain it: 2 of 70 ways are as bad
        ("mann_whitney", 0.02, 1.1, 4, ranks(4, 6, 7, 8), ranks(1, 2, 3, 5), "inconclusive", 2 / 70),
        ("mann_whitney", 0.05, 1.1, 4, ranks(4, 6, 7, 8), ranks(1, 2, 3, 5), "failed", 2 / 70),
        # not by chance, but it does not matter
        ("mann_whitney", 0.05, 1.5, 4, ranks(105, 106, 107, 108), ranks(101, 102, 103, 104),
         "success", 1 / 70),
        # better is no harm; where a decrease does harm, it is
        ("mann_whitney", 0.05, 1.1, 4, ranks(1, 2, 3, 4), ranks(5, 6, 7, 8), "success", 1.0),
        ("mann_whitney", 0.05, 0.9, 4, ranks(1, 2, 3, 4), ranks(5, 6, 7, 8), "failed", 1 / 70),
        # ties: all the same says nothing
        ("mann_whitney", 0.05, 1.1, 4, ranks(5, 5, 5, 5), ranks(5, 5, 5, 5), "success", 1.0),
        # Fisher: 3 of 3 against 0 of 5 is one of 56 tables, 1 of 3 against 0 of 5 three of 8
        ("fisher", 0.05, 1.1, 3, ranks(1, 1, 1), ranks(0, 0, 0, 0, 0), "failed", 1 / 56),
        ("fisher", 0.05, 1.1, 3, ranks(1, 0, 0), ranks(0, 0, 0, 0, 0), "inconclusive", 3 / 8),
        ("fisher", 0.05, 1.1, 3, ranks(0, 0, 0), ranks(0, 0, 0, 0, 0), "success", 1.0),
        ("fisher", 0.05, 1.1, 3, ranks(0, 1, 2), ranks(0, 0, 0, 0, 0), "error", None),
        # a ratio claims nothing about chance: only `min_samples` guards it
        ("ratio", 0.05, 2.0, 1, ranks(2), ranks(1), "failed", None),
        ("ratio", 0.05, 2.0, 2, ranks(2), ranks(1), "no_data", None),
        ("ratio", 0.05, 2.0, 1, ranks(1.9), ranks(1), "success", None),
    ],
)  # fmt: skip
def test_r11_reading(test, alpha, effect, least, treated, control, reading, p):
    found = compared(compare(test, alpha, effect, least), Groups(treated, control))

    assert found.reading.value == reading
    assert found.p == (None if p is None else pytest.approx(p))


@pytest.mark.parametrize(
    ("updated", "not_started", "labels", "controls"),
    [
        ("", "", {}, ""),
        ("a", "", {}, ""),  # all started: nobody to compare with
        ("", "b", {}, ""),  # nobody is updated: no stratum is of theirs
        ("a", "b", {}, "b"),
        ("a", "bc", {}, "bc"),
        ("a", "bc", {"a": "x", "b": "x", "c": "y"}, "b"),
        ("ad", "bc", {"a": "x", "d": "y", "b": "x", "c": "y"}, "bc"),
        ("a", "bc", {"a": "x", "b": "y", "c": "y"}, ""),
        ("a", "bc", {"a": "x"}, ""),  # without the label is a stratum of its own
        ("a", "bn", {}, "b"),  # of `n` there is no value
    ],
)
def test_r11_controls_are_devices_not_started_of_the_same_strata(
    updated, not_started, labels, controls
):
    values = {DeviceId(name): float(number) for number, name in enumerate("abcd")}
    groups = control_groups(
        values,
        updated=[DeviceId(name) for name in updated],
        not_started=[DeviceId(name) for name in not_started],
        strata={DeviceId(name): (label,) for name, label in labels.items()},
    )

    assert groups.control == tuple(values[DeviceId(name)] for name in controls)


@pytest.mark.parametrize(
    ("test", "alpha", "effect", "least", "sizes", "smallest_p"),
    [
        # the smallest p that can be reached is one of all choices; None: powered
        ("mann_whitney", 0.05, 9.0, 1, (0, 10), 1.0),
        ("mann_whitney", 0.05, 9.0, 1, (1, 0), 1.0),
        ("mann_whitney", 0.05, 9.0, 1, (1, 10), 1 / 11),
        ("mann_whitney", 0.05, 9.0, 1, (1, 19), 1 / 20),  # alpha itself does not do
        ("mann_whitney", 0.05, 9.0, 1, (1, 20), None),  # 1/21, and so large an effect always shows
        ("mann_whitney", 0.05, 9.0, 1, (2, 4), 1 / 15),
        ("mann_whitney", 0.05, 9.0, 1, (2, 9), None),
        ("mann_whitney", 0.05, 9.0, 1, (3, 3), 1 / 20),
        ("mann_whitney", 0.05, 9.0, 4, (3, 100), 1 / math.comb(103, 3)),  # fewer than min_samples
        ("mann_whitney", 0.05, 1.001, 1, (10, 90), 1 / math.comb(100, 10)),  # too small an effect
        ("fisher", 0.05, 9.0, 1, (1, 10), 1 / 11),
        ("fisher", 0.05, 1.1, 1, (10, 90), 1 / math.comb(100, 10)),
        ("fisher", 0.05, 9.0, 1, (20, 80), None),
        ("ratio", 0.05, 1.01, 1, (1, 1), None),
        ("ratio", 0.05, 1.01, 2, (1, 1), 1 / 2),
    ],
)
def test_r11_sizes_that_find_nothing_are_underpowered(
    test, alpha, effect, least, sizes, smallest_p
):
    lacking = underpowered(compare(test, alpha, effect, least), Sizes(*sizes))

    assert (None if lacking is None else lacking.smallest_p) == (
        None if smallest_p is None else pytest.approx(smallest_p)
    )
