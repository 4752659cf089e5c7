"""Answers of many devices in few lines."""

from orchestrator.render.gathered import gathered_text
from orchestrator.render.shown import AnswerFacts
from orchestrator.render.text import Look


def answer(name: str, reason: str, detail: str = "", *, ok: bool = False) -> AnswerFacts:
    return AnswerFacts(name, ok, reason, detail, {})


def test_counts_stand_first_and_equal_failures_together() -> None:
    answers = [
        *(answer(f"gw-{number:03}", "ok", ok=True) for number in range(1, 81)),
        answer("gw-101", "unchanged", "enrolled already", ok=True),
        answer("gw-201", "host_key", "other key"),
        *(answer(f"gw-{number}", "unreachable", "no \x1b[2J route") for number in (301, 302, 303)),
    ]

    assert gathered_text(answers, Look(80), done="enrolled").splitlines() == [
        "85 devices: 80 enrolled, 1 left as they were, 4 failed",
        r"✗ 3x unreachable: not reachable: no \x1b[2J route",
        "    gw-30{1..3}",
        "✗ 1x host_key: host key not proven: other key",
        "    gw-201",
    ]


def test_nothing_is_said_of_what_did_not_happen() -> None:
    answers = [answer("gw-1", "ok", ok=True)]

    assert gathered_text(answers, Look(80), done="enrolled") == "1 device: 1 enrolled\n"
