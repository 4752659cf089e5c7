import pytest

from orchestrator.device.reason import Reason
from orchestrator.render.words import (
    DEVICE_WORDS,
    ROLLOUT_STYLES,
    WAVE_SIGNS,
    clock,
    made_words,
    reason_words,
    soak_words,
    span,
    wave_words,
)
from orchestrator.rollout.states import DeviceState, RolloutState, WaveState


def test_every_state_has_its_word_and_style() -> None:
    assert set(DEVICE_WORDS) == set(DeviceState)
    assert set(WAVE_SIGNS) == set(WaveState)
    assert set(ROLLOUT_STYLES) == set(RolloutState)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_reads_as_words(reason) -> None:
    assert "_" not in reason_words(reason)


def test_a_reason_we_do_not_know_is_shown_and_escaped() -> None:
    assert reason_words("new_\x1breason", "\x07") == r"new \x1breason: \x07"


def test_too_little_space_is_told_in_sizes_that_people_read() -> None:
    told = reason_words(Reason.LOW_SPACE, "payload needs 63963136 bytes, 12582912 bytes are free")

    assert told == "too little space: payload needs 61.0 MiB, 12.0 MiB are free"


def test_times_read_well() -> None:
    assert [clock(0), clock(61), clock(3723)] == ["00:00", "01:01", "1:02:03"]
    assert [span(6.25), span(61)] == ["6.2 s", "01:01"]


@pytest.mark.parametrize(
    ("until_at", "shown"),
    [
        (100.4 + 90, "soaking, 1m30s left"),
        (101.0, "soaking, 1s left"),
        (100.4, "soaking"),
        (50.0, "soaking"),
        (None, "soaking"),
    ],
)
def test_a_soak_says_what_is_left_of_it(until_at, shown) -> None:
    assert soak_words(until_at, 100.4) == shown


def test_waves_without_a_name_of_their_own_need_no_word() -> None:
    assert [wave_words("canary"), wave_words("wave-2")] == ["wave canary", "wave-2"]


@pytest.mark.parametrize(
    ("joined", "words"), [(0, ""), (1, "; 1 device joined since"), (2, "; 2 devices joined since")]
)
def test_plan_says_when_it_was_made_and_who_came_later(joined, words) -> None:
    made = "plan of rollout r-1, made 1970-01-01 00:00 UTC by rollout 1.2.0"

    assert made_words("plan of rollout r-1", 0.0, "1.2.0", joined) == made + words
