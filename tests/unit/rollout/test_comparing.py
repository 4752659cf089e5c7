import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.device.model import DeviceId
from orchestrator.plan.gate import Compare, CompareTest, CompareTo, Direction
from orchestrator.rollout.comparing import (
    Groups,
    before_groups,
    compared,
    control_groups,
    takes_long,
)
from orchestrator.rollout.verdict import Reading

VALUES = st.lists(st.floats(0, 100), max_size=12)


def compare(test="mann_whitney", *, alpha=0.05, effect=1.1, least=3, to=CompareTo.CONTROL):
    direction = Direction.DECREASE if effect < 1 else Direction.INCREASE
    return Compare(to, CompareTest(test), alpha, direction, effect, least)


def says(asked, treated, control):
    return compared(asked, Groups(tuple(treated), tuple(control)))


TEN = (10, 11, 9, 10, 12, 8, 10, 11)
WORSE = (20, 22, 19, 21, 25)


@pytest.mark.parametrize(
    ("test", "values", "long"),
    [
        ("mann_whitney", 80, False),
        ("mann_whitney", 81, True),
        ("fisher", 100_000, False),
        ("ratio", 100_000, False),
    ],
)
def test_what_takes_long_is_known_in_advance(test, values, long):
    assert takes_long(compare(test), values) is long


class TestReading:
    """A table of cases from the text of R11, R9 and the module's laws."""

    @pytest.mark.parametrize(
        ("asked", "treated", "control", "reading"),
        [
            (compare(), WORSE, TEN, Reading.FAILED),
            (compare(), TEN, WORSE, Reading.SUCCESS),
            (compare(), TEN, TEN, Reading.SUCCESS),
            (compare(effect=0.9), TEN, WORSE, Reading.FAILED),
            (compare(effect=0.9), WORSE, TEN, Reading.SUCCESS),
            (compare(effect=3.0), WORSE, TEN, Reading.SUCCESS),  # does not matter enough
            (compare(), (10, 11, 30), TEN, Reading.INCONCLUSIVE),  # large, but perhaps by chance
            (compare(), (), TEN, Reading.NO_DATA),
            (compare(), WORSE, (), Reading.NO_DATA),
            (compare(least=6), WORSE, TEN, Reading.NO_DATA),
            (compare(least=1), (99,), TEN, Reading.NO_DATA),  # 1/9 is the smallest p
            (compare(), (math.nan,) * 5, TEN, Reading.NO_DATA),
            (compare(), (math.inf,) * 5, TEN, Reading.NO_DATA),
            (compare(), (-1, 2, 3), TEN, Reading.ERROR),
            (compare(), (0,) * 5, (0,) * 8, Reading.SUCCESS),
            (compare(), (1,) * 5, (0,) * 8, Reading.FAILED),  # infinitely worse than none
            (compare("fisher"), (1,) * 5, (0,) * 8, Reading.FAILED),
            (compare("fisher"), (1, 0, 0, 0, 0), (0,) * 8, Reading.INCONCLUSIVE),
            (compare("fisher"), (0,) * 5, (1,) * 8, Reading.SUCCESS),
            (compare("fisher", effect=0.9), (0,) * 5, (1,) * 8, Reading.FAILED),
            (compare("fisher"), (2, 0, 1), (0,) * 8, Reading.ERROR),
            (compare("ratio"), WORSE, TEN, Reading.FAILED),
            (compare("ratio", effect=3.0), WORSE, TEN, Reading.SUCCESS),
            (compare("ratio", least=1), (99,), (1,), Reading.FAILED),
            (compare("ratio", effect=0.9), TEN, WORSE, Reading.FAILED),
            (compare("ratio"), (1, 1), TEN, Reading.NO_DATA),
        ],
    )
    def test_follows_the_rule(self, asked, treated, control, reading):
        assert says(asked, treated, control).reading is reading

    def test_numbers_stand_beside_the_reading(self):
        found = says(compare(alpha=0.06), (4, 5, 6), (1, 2, 3))

        assert found.p == pytest.approx(1 / 20)
        assert found.effect == 2.5
        assert (found.treated_count, found.control_count) == (3, 3)

    def test_p_equal_to_alpha_is_not_below_it(self):
        assert says(compare(alpha=1 / 20), (4, 5, 6), (1, 2, 3)).reading is Reading.NO_DATA
        assert says(compare(alpha=0.0501), (4, 5, 6), (1, 2, 3)).reading is Reading.FAILED

    def test_reasons_are_words_for_people(self):
        assert says(compare(least=8), WORSE, TEN).reason == "5 of 8 values of updated devices"
        assert says(compare(least=1), (9,), TEN).reason == (
            "1 against 8 values cannot reach p below 0.05"
        )
        assert "chance may explain it" in says(compare(), (10, 11, 30), TEN).reason

    @given(VALUES, VALUES, st.sampled_from(["mann_whitney", "ratio"]))
    def test_better_or_equal_means_never_fail_and_missing_values_never_pass(
        self, treated, control, test
    ):
        found = says(compare(test), treated, control)

        if min(len(treated), len(control)) < 3:
            assert found.reading is Reading.NO_DATA
        elif sum(treated) / len(treated) <= sum(control) / len(control):
            assert found.reading in (Reading.SUCCESS, Reading.NO_DATA)


def ids(*names):
    return [DeviceId(name) for name in names]


BY_DEVICE = {DeviceId(f"d{n}"): float(n) for n in range(6)}


class TestGroups:
    def test_controls_are_not_started_devices_of_the_same_strata(self):
        strata = {DeviceId("d0"): ("lyon",), DeviceId("d3"): ("lyon",), DeviceId("d4"): ("paris",)}

        found = control_groups(
            BY_DEVICE, updated=ids("d0"), not_started=ids("d3", "d4"), strata=strata
        )

        assert found == Groups((0.0,), (3.0,))

    def test_without_strata_all_that_are_not_started_are_controls(self):
        found = control_groups(
            BY_DEVICE, updated=ids("d0", "d1"), not_started=ids("d2", "d9"), strata={}
        )

        assert found == Groups((0.0, 1.0), (2.0,))

    def test_devices_without_a_value_are_left_out(self):
        found = control_groups({}, updated=ids("d0"), not_started=ids("d1"), strata={})

        assert found == Groups((), ())

    def test_before_compares_a_device_with_itself(self):
        before = {DeviceId("d1"): 7.0, DeviceId("d5"): 8.0}

        found = before_groups(BY_DEVICE, before, updated=ids("d0", "d1"))

        assert found == Groups((1.0,), (7.0,))
