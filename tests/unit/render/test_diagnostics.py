import pytest

from orchestrator.errors import (
    Diagnostic,
    OrchestratorError,
    PlanError,
    Severity,
    TrustError,
    Where,
)
from orchestrator.render.diagnostics import concise, document, error_text, place, text
from orchestrator.render.text import Look

OVER = Diagnostic(
    Where("playbooks/gateway-2.4.yml", 14, 26),
    "P203",
    "wave sizes add up to 110 %, more than the whole fleet",
    'sizes are shares of all devices and add up; write "size: rest" for what is left (40 %)',
    excerpt="  - {name: rest,   size: 50%}",
)
VERSION = Diagnostic(
    Where("playbooks/gateway-2.4.yml", 5, 10),
    "Y902",
    "`release: 1.10` is the number 1.1 in YAML",
    'write "1.10"',
    Severity.WARNING,
    "release: 1.10",
)
WHOLE_FILE = Diagnostic(Where("plans/empty.yml"), "Y101", "file is empty")
ALL = (OVER, VERSION, WHOLE_FILE)


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("kind", ["", "-colour"])
def test_findings_as_pictures(width: int, kind: str, golden) -> None:
    shown = text(ALL, 2, Look(width, colour=bool(kind)))

    golden(f"diagnostics-{width}{kind}.txt", shown)
    assert shown.isascii()


def test_concise_is_one_line_each() -> None:
    assert concise(ALL).splitlines() == [
        (
            "playbooks/gateway-2.4.yml:14:26 P203 wave sizes add up to 110 %, more than the whole "
            'fleet (sizes are shares of all devices and add up; write "size: rest" for what is left '
            "(40 %))"
        ),
        (
            "playbooks/gateway-2.4.yml:5:10 Y902 warning: `release: 1.10` is the number 1.1 in YAML "
            '(write "1.10")'
        ),
        "plans/empty.yml Y101 file is empty",
    ]


def test_nothing_found_says_how_much_was_looked_at() -> None:
    assert text((), 3, Look()) == "no problems in 3 files\n"
    assert concise(()) == ""


def test_caret_stands_under_its_column_also_after_wide_characters() -> None:
    wide = Diagnostic(Where("a.yml", 1, 7), "P101", "unknown", excerpt="名前: x bad")

    lines = text((wide,), 1, Look()).splitlines()

    assert lines[3] == "1 | 名前: x bad"
    assert lines[4] == "  |         ^^^"


def test_a_long_line_is_shown_around_the_caret() -> None:
    far = Diagnostic(Where("a.yml", 1, 301), "P101", "unknown", excerpt="x" * 300 + "bad" + "y" * 9)

    lines = text((far,), 1, Look(60)).splitlines()

    assert all(len(line) <= 60 for line in lines)
    assert lines[4].index("^") == lines[3].index("bad")


def test_hostile_excerpts_and_messages_are_escaped() -> None:
    hostile = Diagnostic(
        Where("a\x1b.yml", 1, 1), "P101", "key \x1b[0m", "\u202e", excerpt="\x1b[2J"
    )

    shown = text((hostile,), 1, Look()) + concise((hostile,))

    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_document_counts_and_keeps_everything() -> None:
    found = document(ALL, 2)

    assert (found["error_count"], found["warning_count"], found["file_count"]) == (2, 1, 2)
    assert found["diagnostics"][1] == {
        "severity": "warning",
        "code": "Y902",
        "file": "playbooks/gateway-2.4.yml",
        "line": 5,
        "column": 10,
        "message": "`release: 1.10` is the number 1.1 in YAML",
        "hint": 'write "1.10"',
    }


def test_an_error_without_a_place_shows_message_and_hint() -> None:
    error = TrustError("no key fits", hint="name one with `--key`", code="T204")

    assert error_text(error, Look()) == (
        "error[T204]: no key fits\n  hint: name one with `--key`\n"
    )


def test_an_error_with_a_place_points_to_it() -> None:
    error = OrchestratorError("unknown key `x`", where=Where("rollout.toml", 3, 1), code="C102")

    assert error_text(error, Look()).splitlines() == [
        "error[C102]: unknown key `x`",
        " --> rollout.toml:3:1",
    ]


def test_a_plan_error_shows_every_finding() -> None:
    shown = error_text(PlanError("plan has problems", diagnostics=ALL), Look())

    assert shown.count("error[") == 2
    assert shown.endswith("2 errors, 1 warning in 2 files\n")


def test_no_caret_points_into_a_line_that_was_cut_before_it() -> None:
    far = Diagnostic(Where("saved.json", 1, 5600), "P107", "unknown key", excerpt="{" * 300)

    lines = text([far], 1, Look(80)).splitlines()

    assert lines[1] == " --> saved.json:1:5600"
    assert not any("^" in line for line in lines)


def test_caret_stands_under_a_whole_time_of_day() -> None:
    found = place(Where("p.yml", 1, 7), "soak: 22:30", Look(width=80))

    assert found[-1] == "  |       ^^^^^"


def test_summary_names_no_files_where_none_were_read() -> None:
    assert text([WHOLE_FILE], 0, Look()).endswith("\n\n1 error\n")
