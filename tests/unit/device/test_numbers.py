"""Numbers that a device says: none of them may be more than a number."""

import pytest

from orchestrator.device.protocol import CheckResult, Reply, Step, helper_fits, number

ODD = [
    "",
    "-0",
    "+1",
    "1e999",
    "1_0",
    " 1",
    "\N{SUPERSCRIPT TWO}",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "9" * 5000,
]


@pytest.mark.parametrize("text", ODD)
def test_what_is_no_number_is_none(text: str) -> None:
    assert number(text) is None


def test_sizes_are_numbers() -> None:
    assert number("0") == 0
    assert number(str(2**59)) == 2**59


@pytest.mark.parametrize("text", ODD)
def test_lines_with_odd_numbers_are_left_out(text: str) -> None:
    lines = (
        ("step", f"stage {text} ok"), ("step", "verify 0 ok"),
        ("check", f"disk {text}"), ("check", "service 0"),
    )  # fmt: skip

    reply = Reply(0, lines)

    assert reply.steps == (Step("verify", 0, "ok"),)
    assert reply.checks == (CheckResult("service", 0),)


@pytest.mark.parametrize("text", ODD)
def test_helper_of_an_odd_version_does_not_fit(text: str) -> None:
    assert not helper_fits(f"{text}.1.0")
    assert helper_fits("1.2.0")
