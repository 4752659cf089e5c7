import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plan.gate import Compare, CompareTest, CompareTo, Direction
from orchestrator.plan.power import Sizes, power, smallest_effect, underpowered

TABLE = json.loads((Path(__file__).parent / "statistics.json").read_text())
TESTS = st.sampled_from([CompareTest.MANN_WHITNEY, CompareTest.FISHER])
COUNTS = st.integers(2, 60)


def compare(test="mann_whitney", *, alpha=0.05, effect=1.1, least=1, to="control"):
    direction = Direction.DECREASE if effect < 1 else Direction.INCREASE
    return Compare(CompareTo(to), CompareTest(test), alpha, direction, effect, least)


@pytest.mark.parametrize("case", TABLE["power"])
def test_power_is_what_simulated_experiments_show(case):
    asked = compare(case["test"], alpha=case["alpha"], effect=case["effect"])

    found = power(asked, Sizes(case["treated"], case["control"]), case["effect"])

    assert found == pytest.approx(case["power"], abs=0.035)


@given(TESTS, COUNTS, COUNTS, st.booleans())
def test_smallest_effect_has_eighty_percent_and_less_has_not(test, treated, control, harm_below):
    asked = compare(test, effect=0.5 if harm_below else 2.0)
    sizes = Sizes(treated, control)

    effect = smallest_effect(asked, sizes)

    if effect is not None:
        assert power(asked, sizes, effect) >= 0.8
        nearer = 1 + (effect - 1) * 0.999
        assert power(asked, sizes, nearer) < 0.8


@given(TESTS, COUNTS, COUNTS, st.floats(1.01, 10), st.floats(0.001, 0.2))
def test_sizes_that_would_do_do(test, treated, control, effect, alpha):
    asked = compare(test, effect=effect, alpha=alpha)

    found = underpowered(asked, Sizes(treated, control))

    if found is not None and found.would_do is not None:
        assert underpowered(asked, found.would_do) is None


def test_one_canary_against_ten_controls_cannot_reach_five_percent():
    found = underpowered(compare(effect=2.0), Sizes(1, 10))

    assert found is not None
    assert found.smallest_p == pytest.approx(1 / 11)
    assert found.effect is None
    assert found.would_do == Sizes(2, 9)


def test_the_canary_of_the_plan_languages_example_suffices_in_a_fleet_of_four_hundred():
    asked = compare(alpha=0.02, effect=1.1, least=8)

    assert underpowered(asked, Sizes(10, 390)) is None
    assert smallest_effect(asked, Sizes(10, 390)) == pytest.approx(1.0974, abs=1e-3)
    assert underpowered(asked, Sizes(9, 391)).would_do == Sizes(10, 390)


def test_smaller_effect_than_the_sizes_find_is_underpowered():
    found = underpowered(compare(effect=1.05, alpha=0.02), Sizes(10, 390))

    assert found is not None
    assert found.effect == pytest.approx(1.0974, abs=1e-3)
    assert found.would_do is not None
    assert found.would_do.treated + found.would_do.control == 400


def test_fewer_devices_than_min_samples_never_suffice():
    for test in CompareTest:
        found = underpowered(compare(test, effect=5.0, least=30), Sizes(20, 100))

        assert found is not None
        assert found.would_do is not None
        assert found.would_do.treated >= 30


def test_ratio_asks_for_its_samples_and_for_nothing_else():
    assert underpowered(compare("ratio", effect=1.001), Sizes(1, 1)) is None
    assert smallest_effect(compare("ratio"), Sizes(100, 100)) is None


def test_devices_compared_with_themselves_are_as_many_before_as_after():
    found = underpowered(compare(alpha=0.02, effect=1.1, to="before"), Sizes(10, 10))

    assert found is not None
    assert found.would_do is not None
    assert found.would_do.treated == found.would_do.control == 20


def test_where_no_size_would_do_none_is_named():
    found = underpowered(compare(effect=1.0), Sizes(10, 100))

    assert found is not None
    assert found.would_do is None


def test_large_groups_find_small_changes():
    assert smallest_effect(compare("fisher"), Sizes(50_000, 50_000)) < 1.06
    assert smallest_effect(compare(), Sizes(50_000, 50_000)) < 1.003


def test_decrease_is_found_as_well_as_an_increase():
    up = smallest_effect(compare(effect=1.1), Sizes(20, 200))
    down = smallest_effect(compare(effect=0.9), Sizes(20, 200))

    assert up is not None
    assert down is not None
    assert up - 1 == pytest.approx(1 - down, abs=1e-6)
