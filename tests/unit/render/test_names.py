import re

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.render.names import fold, fold_line, fold_lines
from orchestrator.render.text import Look, cells


def test_names_that_differ_in_a_number_fold() -> None:
    assert fold(["gw-ber-044", "gw-ber-051"]) == ["gw-ber-0{44,51}"]


def test_runs_of_three_become_a_range() -> None:
    assert fold(["gw-08", "gw-09", "gw-10"]) == ["gw-{08..10}"]
    assert fold(["gw-041", "gw-042"]) == ["gw-04{1,2}"]


def test_numbers_of_other_lengths_and_other_names_stay_apart() -> None:
    assert fold(["gw-1", "gw-10", "solo", "gw-2"]) == ["gw-{1,2}", "gw-10", "solo"]


def test_a_suffix_after_the_number_is_kept() -> None:
    assert fold(["n1.lan", "n2.lan", "n3.lan"]) == ["n{1..3}.lan"]


def test_names_are_escaped() -> None:
    assert fold(["gw\x1b[0m-1"]) == [r"gw\x1b[0m-1"]


def test_a_line_shows_all_folded_names_or_the_first_and_a_count() -> None:
    look = Look()
    scattered = [f"gw-{i * 7:03}" for i in range(100)]

    assert fold_line([f"gw-{i:03}" for i in range(100)], 40, look) == "gw-0{00..99}"
    assert fold_line(scattered, 33, look) == "gw-000 gw-007 gw-014 gw-021 … +96"


@given(st.lists(st.from_regex(r"[a-c]{1,3}-[0-9]{1,3}", fullmatch=True), unique=True, max_size=40))
def test_no_name_is_lost(names: list[str]) -> None:
    folded = fold(names)

    assert sorted(name for part in folded for name in _unfold(part)) == sorted(names)


def _unfold(part: str) -> list[str]:
    match = re.fullmatch(r"([^{]*)(?:\{([^}]*)\})?(.*)", part)
    if match[2] is None:
        return [part]
    found = []
    for item in match[2].split(","):
        first, _, last = item.partition("..")
        numbers = range(int(first), int(last or first) + 1)
        found += [f"{match[1]}{i:0{len(first)}}{match[3]}" for i in numbers]
    return found


@given(st.lists(st.from_regex(r"[a-z]{1,12}[0-9]{0,3}", fullmatch=True), max_size=30))
def test_a_line_fits_where_one_name_does(names: list[str]) -> None:
    assert cells(fold_line(names, 40, Look())) <= 40


def test_groups_of_names_may_take_some_lines_and_none_is_broken() -> None:
    names = [f"gw-{site}-{n:02}" for n in range(30) for site in ("ber", "lis", "den")]

    def lines(width: int, lines_max: int) -> list[str]:
        return fold_lines(names, Look(width), first="a  ", indent="   ", lines_max=lines_max)

    assert lines(40, 3) == ["a  gw-ber-{00..29} gw-lis-{00..29}", "   gw-den-{00..29}"]
    assert lines(40, 1) == ["a  gw-ber-00 gw-lis-00 gw-den-00 … +87"]
    odd = [f"gw-{n * n:04}" for n in range(40)]
    (only,) = fold_lines(odd, Look(60), first="", indent="", lines_max=9)
    assert only.endswith("… +34")
