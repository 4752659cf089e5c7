import json
import math
from itertools import combinations
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plan import comparison
from orchestrator.plan.comparison import fisher_p, mann_whitney_p, ratio, smallest_p
from orchestrator.plan.gate import Direction

UP, DOWN = Direction.INCREASE, Direction.DECREASE
TABLE = json.loads((Path(__file__).parent / "statistics.json").read_text())
FEW = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=6)


def by_enumeration(treated, control):
    """Share of all ways to call so many devices treated that give at least this U: the definition."""
    pool = [*treated, *control]

    def wins(chosen):
        rest = [value for place, value in enumerate(pool) if place not in chosen]
        return sum((pool[i] > v) + (pool[i] == v) / 2 for i in chosen for v in rest)

    seen = wins(range(len(treated)))
    ways = list(combinations(range(len(pool)), len(treated)))
    return sum(wins(set(chosen)) >= seen for chosen in ways) / len(ways)


class TestMannWhitney:
    def test_the_table_has_two_hundred_cases_and_more(self):
        assert sum(len(cases) for key, cases in TABLE.items() if key != "about") >= 200

    @pytest.mark.parametrize("case", TABLE["mann_whitney"])
    def test_agrees_with_the_exact_distribution_of_an_oracle(self, case):
        p = mann_whitney_p(case["treated"], case["control"], Direction(case["direction"]))

        assert p == pytest.approx(case["p"], rel=1e-9)

    @pytest.mark.parametrize("case", TABLE["mann_whitney_large"])
    def test_agrees_with_the_corrected_normal_approximation_of_an_oracle(self, case):
        p = mann_whitney_p(case["treated"], case["control"], Direction(case["direction"]))

        assert p == pytest.approx(case["p"], rel=1e-9)

    @given(FEW, FEW)
    def test_is_the_share_of_all_choices_that_are_as_extreme(self, treated, control):
        assert mann_whitney_p(treated, control, UP) == pytest.approx(
            by_enumeration(treated, control)
        )

    @given(FEW, FEW)
    def test_a_decrease_is_an_increase_seen_in_a_mirror(self, treated, control):
        mirrored = ([-value for value in treated], [-value for value in control])

        assert mann_whitney_p(treated, control, DOWN) == mann_whitney_p(*mirrored, UP)

    @given(FEW, FEW, st.randoms())
    def test_order_and_scale_do_not_matter(self, treated, control, random):
        shuffled = random.sample(treated, len(treated))

        assert mann_whitney_p([v**3 + v for v in shuffled], [v**3 + v for v in control], UP) == (
            mann_whitney_p(treated, control, UP)
        )

    @given(FEW, FEW, st.integers(0, 5), st.integers(0, 6))
    def test_worse_values_never_raise_p(self, treated, control, place, rise):
        ours = [value + 0.001 * rank for rank, value in enumerate(treated, 1)]  # without ties
        theirs = [value + 0.02 * rank for rank, value in enumerate(control, 1)]
        worse = list(ours)
        worse[place % len(worse)] += rise + 0.0001

        assert mann_whitney_p(worse, theirs, UP) <= mann_whitney_p(ours, theirs, UP)

    @pytest.mark.parametrize("seed", range(12))
    def test_both_ways_of_reckoning_agree_about_many(self, seed):
        random = Random(seed)
        treated, control = ([random.randrange(40) for _ in range(30)] for _ in range(2))
        groups = comparison._tie_groups(treated, control)
        wins2 = comparison._doubled_wins(groups)

        exact, normal = (
            comparison._exact_tail(groups, wins2),
            comparison._normal_tail(groups, wins2),
        )

        assert normal == pytest.approx(exact, abs=0.004)

    def test_one_bad_device_among_hundreds_of_good_ones_is_chance(self):
        assert mann_whitney_p([0.0] * 200 + [1.0], [0.0] * 201, UP) == pytest.approx(0.5)

    def test_equal_values_never_differ(self):
        assert mann_whitney_p([3.0] * 8, [3.0] * 20, UP) == 1.0
        assert mann_whitney_p([3.0] * 200, [3.0] * 200, UP) == 1.0


class TestFisher:
    @pytest.mark.parametrize("case", TABLE["fisher"])
    def test_agrees_with_an_oracle(self, case):
        assert fisher_p(*case["table"]) == pytest.approx(case["p"], rel=1e-9, abs=1e-290)

    @given(FEW, FEW)
    def test_is_mann_whitney_of_yes_and_no(self, treated, control):
        ours, theirs = [float(v > 2) for v in treated], [float(v > 2) for v in control]

        assert fisher_p(int(sum(ours)), len(ours), int(sum(theirs)), len(theirs)) == pytest.approx(
            mann_whitney_p(ours, theirs, UP)
        )

    def test_no_hit_among_the_treated_is_no_harm(self):
        assert fisher_p(0, 5, 3, 50) == 1.0
        assert fisher_p(0, 5, 0, 50) == 1.0


class TestSmallestP:
    @pytest.mark.parametrize(
        ("treated", "control", "ways"),
        [
            (1, 10, 11),
            (1, 1, 2),
            (2, 2, 6),
            (5, 5, 252),
            (8, 40, math.comb(48, 8)),
            (3, 97, 161700),
        ],
    )
    def test_is_one_choice_among_all(self, treated, control, ways):
        worst = [9.0] * treated, [1.0] * control

        assert smallest_p(treated, control) == pytest.approx(1 / ways, rel=1e-12)
        assert mann_whitney_p(*worst, UP) == pytest.approx(1 / ways, rel=1e-9)
        assert fisher_p(treated, treated, 0, control) == pytest.approx(1 / ways, rel=1e-9)

    @pytest.mark.parametrize(("treated", "control"), [(0, 10), (10, 0), (0, 0)])
    def test_an_empty_group_proves_nothing(self, treated, control):
        assert smallest_p(treated, control) == 1.0

    def test_numbers_of_choices_beyond_the_exact_ones_go_on_smoothly(self):
        assert smallest_p(3, 997) / smallest_p(3, 998) == pytest.approx(1001 / 998, rel=1e-6)
        assert smallest_p(50_000, 50_000) == 0.0


@pytest.mark.parametrize(
    ("treated", "control", "expected"),
    [
        ([2, 4], [1, 2], 2.0),
        ([1, 2], [2, 4], 0.5),
        ([0, 0], [0], 1.0),
        ([1], [0, 0], math.inf),
        ([0], [5], 0.0),
    ],
)
def test_ratio_is_of_means(treated, control, expected):
    assert ratio(treated, control) == expected
