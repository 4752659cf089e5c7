import pytest

from orchestrator.render.gate_track import Sample
from orchestrator.render.spark import spark
from orchestrator.render.text import Look
from orchestrator.rollout.verdict import Reading

_R = Reading


def of(*values: float | Reading) -> list[Sample]:
    return [
        Sample(value, None) if isinstance(value, Reading) else Sample(_R.SUCCESS, value)
        for value in values
    ]


def test_bars_grow_with_the_values() -> None:
    assert spark(of(0, 1, 2, 3, 4, 5, 6, 7), 8, Look()) == "▁▂▃▄▅▆▇█"
    assert spark(of(0, 1, 2, 3, 4, 5), 6, Look(unicode=False)) == "_.-=*#"


def test_the_newest_stand_at_the_end_and_room_is_filled() -> None:
    assert spark(of(1, 1, 5, 9), 3, Look()) == "▁▅█"
    assert spark(of(1), 4, Look()) == "▁   "
    assert spark([], 2, Look()) == "  "


@pytest.mark.parametrize(("unicode", "signs"), [(True, "▪✗~?!"), (False, "ox~?!")])
def test_samples_without_a_number_have_signs(unicode, signs) -> None:
    samples = of(_R.SUCCESS, _R.FAILED, _R.INCONCLUSIVE, _R.NO_DATA, _R.ERROR)

    assert spark(samples, 5, Look(unicode=unicode)) == signs


def test_equal_values_are_a_line() -> None:
    assert spark(of(200, 200, _R.ERROR, 200), 4, Look()) == "▁▁!▁"


def test_values_of_any_size_have_a_bar() -> None:
    assert spark(of(-1.7e308, 1.7e308, 5e-324), 3, Look()) == "▁█▅"


def test_colour_tells_samples_that_failed_apart() -> None:
    samples = [Sample(_R.SUCCESS, 1.0), Sample(_R.FAILED, 9.0)]

    assert spark(samples, 2, Look(colour=True)) == "\x1b[36m▁\x1b[0m\x1b[1;31m█\x1b[0m"
