"""docs/compliance.md: every row says what is met by what and shown where, or that it is not met."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.test_security_page import existing_tests

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "docs/compliance.md").read_text("utf-8")
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in TEXT.splitlines()
    if line.startswith("| ")
    and not line.startswith(("| point (2)", "| | asked", "| provision", "| capa"))
]
PARTS = {
    "(a)", "(b)", "(c)", "(d)", "(e)", "(f)", "(g)", "(h)", "(i)", "(j)", "(k)", "(l)", "(m)", "(1)", "(2)",
    "(3)", "(4)", "(5)", "(6)", "(7)", "(8)", "Article 14",
}  # fmt: skip


def test_every_requirement_of_the_annex_has_its_row() -> None:
    named = {row[0].removesuffix(" (unverified)") for row in ROWS}

    assert named >= PARTS
    provisions = {part for name in named for part in name.split(", ") if part.startswith("5.3-")}
    halves = {f"5.3-{number}{half}" for number in (4, 6, 15) for half in "AB"}  # of V3.1.3
    whole = {f"5.3-{number}" for number in range(1, 17)} - {"5.3-4", "5.3-6", "5.3-15"}
    assert provisions == whole | halves
    assert (
        len(
            [
                name
                for name in named
                if name.split()[0] in ("Device", "Data", "Logical", "Software", "Cybersecurity")
            ]
        )
        == 6
    )


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_row_says_met_in_part_or_not_and_what_is_met_is_shown(row: tuple[str, ...]) -> None:
    verdict, shown = row[2], row[3]

    assert verdict.startswith(("met", "in part: ", "not met"))
    assert verdict.startswith("not met") or re.search(r"`test_\w+`", shown)


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TEXT))

    assert named <= existing_tests(), named - existing_tests()
