from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.device.model import DeviceId
from orchestrator.plan.filling import Filled, WaveSpec, fill_waves
from orchestrator.plan.waves import (
    CountSize,
    RestSize,
    ShareSize,
    Size,
    check_sizes,
)


def size(written: object) -> Size:
    if written == "rest":
        return RestSize()
    if isinstance(written, int):
        return CountSize(written)
    if isinstance(written, str):
        return ShareSize(Fraction(written.removesuffix("%")) / 100)
    assert isinstance(written, tuple)
    percent, low, high = written
    return ShareSize(Fraction(percent) / 100, low, high)


def counts(written: list[object], eligible_count: int) -> list[int]:
    return [len(each.devices) for each in filled([size(item) for item in written], eligible_count)]


def filled(sizes: list[Size], eligible_count: int) -> tuple[Filled, ...]:
    devices = [DeviceId(f"gw-{number}") for number in range(eligible_count)]
    filling = fill_waves([WaveSpec(each) for each in sizes], devices, lambda _: {}, tuple)
    assert not filling.left
    return filling.waves


@pytest.mark.parametrize(
    ("sizes", "eligible_count", "expected"),
    [
        # the smallest fleets
        (["rest"], 0, [0]),
        ([1, "10%", "rest"], 0, [0, 0, 0]),
        (["rest"], 1, [1]),
        ([1, "rest"], 1, [1, 0]),
        ([1, "10%", "rest"], 1, [1, 0, 0]),
        ([1, "rest"], 2, [1, 1]),
        ([1, "10%", "rest"], 2, [1, 1, 0]),
        ([5, "rest"], 2, [1, 1]),
        (["100%"], 2, [2]),
        (["100%", "rest"], 2, [1, 1]),
        # exact shares, rounded down, never below one
        (["29%", "rest"], 100, [29, 71]),
        (["10%", "rest"], 4, [1, 3]),
        (["0.1%", "rest"], 10, [1, 9]),
        (["33.3%", "rest"], 1000, [333, 667]),
        (["2.5%", "97.5%"], 1000, [25, 975]),
        (["50%", "rest"], 3, [1, 2]),
        # increments of all devices, not of what is left
        (["10%", "20%", "rest"], 100, [10, 20, 70]),
        ([10, "50%", "rest"], 20, [10, 10, 0]),
        ([1, "10%", "rest"], 1000, [1, 100, 899]),
        ([1, "25%", "rest"], 24, [1, 6, 17]),
        # the wave that completes 100 % takes what is left
        (["33%", "33%", "34%"], 10, [3, 3, 4]),
        (["50%", "50%"], 5, [2, 3]),
        ([1, "50%", "50%"], 10, [1, 5, 4]),
        (["50%", "50%", "rest"], 5, [2, 3, 0]),
        (["100%", 5], 10, [9, 1]),
        # between two counts
        ([(2, 10, 50), "rest"], 100, [10, 90]),
        ([(2, 10, 50), "rest"], 1000, [20, 980]),
        ([(2, 10, 50), "rest"], 10_000, [50, 9950]),
        ([(2, 10, 50), "rest"], 8, [7, 1]),
        ([(50, 1, 3), "50%"], 10, [3, 7]),
        ([(50, 4, None), (50, 1, None)], 5, [4, 1]),
        # the first wave is never the whole fleet while another follows
        ([10, "rest"], 10, [9, 1]),
        ([11, "rest"], 10, [9, 1]),
        ([9, "rest"], 10, [9, 1]),
        ([20], 0, [0]),
    ],
)
def test_r2_sizes_become_counts(
    sizes: list[object], eligible_count: int, expected: list[int]
) -> None:
    assert counts(sizes, eligible_count) == expected


def test_cap_of_the_first_wave_is_told() -> None:
    capped = filled([CountSize(5), RestSize()], 5)
    not_capped = filled([CountSize(4), RestSize()], 5)
    single = filled([CountSize(5), RestSize()], 1)

    assert [wave.capped for wave in capped] == [True, False]
    assert [wave.capped for wave in not_capped] == [False, False]
    assert [wave.capped for wave in single] == [False, False]


@pytest.mark.parametrize(
    ("sizes", "code", "index"),
    [
        ([1, "10%"], "P201", 1),
        ([5], "P201", 0),
        (["99.9%"], "P201", 0),
        (["10%", "20%", "30%"], "P201", 2),
        (["50%", (50, 1, 10)], "P201", 1),
        (["50%", (50, 1, 10), 3], "P201", 2),
        (["10%", "50%", "50%"], "P203", 2),
        (["100%", "1%"], "P203", 1),
        (["100%", "1%", "1%", "rest"], "P203", 1),
        (["rest", 5], "P212", 0),
        ([1, "rest", "rest"], "P212", 1),
    ],
)
def test_sizes_that_leave_gaps_or_exceed(sizes: list[object], code: str, index: int) -> None:
    problems = check_sizes([size(item) for item in sizes])

    assert [(problem.code, problem.index) for problem in problems] == [(code, index)]


@pytest.mark.parametrize(
    "sizes",
    [["rest"], ["100%"], [1, "rest"], ["50%", "50%"], ["33.3%", "66.7%"], ["100%", 5], [1, "100%"]],
)
def test_sizes_that_cover(sizes: list[object]) -> None:
    assert check_sizes([size(item) for item in sizes]) == ()


def test_sum_names_its_parts_and_what_would_fit() -> None:
    (problem,) = check_sizes([size("10%"), size("50%"), size("50%")])

    assert problem.message.endswith("more than the whole fleet (10% + 50% + 50%)")
    assert "110%" in problem.message
    assert "`rest` for what is left (40%)" in problem.hint


_shares = st.integers(1, 1000).map(lambda tenths: ShareSize(Fraction(tenths, 1000)))
_clamped = st.builds(
    lambda tenths, low, more: ShareSize(
        Fraction(tenths, 1000), low, None if more is None else low + more
    ),
    st.integers(1, 1000),
    st.integers(1, 20),
    st.none() | st.integers(0, 20),
)
_sizes = st.lists(
    st.one_of(st.integers(1, 50).map(CountSize), _shares, _clamped, st.just(RestSize())),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(_sizes, st.integers(0, 300))
def test_accepted_sizes_place_every_device_once(sizes: list[Size], eligible_count: int) -> None:
    if check_sizes(sizes):
        return

    planned = filled(sizes, eligible_count)

    placed = [device for wave in planned for device in wave.devices]
    assert len(set(placed)) == len(placed) == eligible_count
    first = next((len(wave.devices) for wave in planned if wave.devices), 0)
    if eligible_count > 1 and len(sizes) > 1:
        assert first < eligible_count


@settings(deadline=None)
@given(st.integers(1, 100), st.integers(1, 5000))
def test_share_is_the_exact_floor(percent: int, eligible_count: int) -> None:
    first = counts([f"{percent}%", "rest"], eligible_count)[0]

    exact = max(1, percent * eligible_count // 100)
    expected = exact - 1 if exact == eligible_count > 1 else exact
    assert first == expected


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (5, "5"),
        ("rest", "rest"),
        ("10%", "10%"),
        ("2.5%", "2.5%"),
        ((2, 10, 50), "2%, at least 10, at most 50"),
        ((2, 1, 50), "2%, at most 50"),
    ],
)
def test_size_reads_as_people_say_it(written: object, text: str) -> None:
    assert str(size(written)) == text
