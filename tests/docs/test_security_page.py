"""docs/security.md: each attack has its row, and each test and case that a row names exists."""

import re
from pathlib import Path

import pytest

from orchestrator.testing.root_table import rotation_cases
from orchestrator.testing.ticket_table import ticket_cases
from tests.device.kit import Key
from tests.hostile.signed_artifacts import all_cases
from tests.integration.hostile import CASES

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "docs/security.md").read_text("utf-8")
ROWS = re.findall(r"^\| (\d+) \|.*\|$", TEXT, re.MULTILINE)
ATTACKS = 58


def existing_tests() -> set[str]:
    sources = (REPOSITORY / "tests").rglob("*.py")
    return {
        name
        for source in sources
        for name in re.findall(r"def (test_\w+)", source.read_text("utf-8"))
    }


def row(number: int) -> str:
    return next(line for line in TEXT.splitlines() if line.startswith(f"| {number} |"))


def test_every_attack_has_its_row() -> None:
    assert [str(number) for number in range(1, ATTACKS + 1)] == ROWS


@pytest.mark.parametrize("number", range(1, ATTACKS + 1))
def test_row_names_a_test_or_says_why_not(number: int) -> None:
    assert re.search(r"`test_\w+`|not defended[^|]*, because ", row(number))


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", TEXT))

    assert named
    assert named <= existing_tests(), named - existing_tests()


def test_every_case_that_is_named_exists() -> None:
    """Of the lists of artifacts (A), tickets and roots (T, N) and answers of devices (D)."""
    tables = (*ticket_cases(), *rotation_cases())
    known = {case.name.partition(" ")[0] for case in tables} | {name[:3] for name in CASES}
    known |= {case.id for case in all_cases(Key("ec"))}

    named = set(re.findall(r"\b[ATND]\d{2,3}\b", TEXT))

    assert named <= known, named - known
    assert {name for name in known if name[0] == "D"} == {f"D{n:02}" for n in range(1, 36)}


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (REPOSITORY / "requirements").glob("*.txt"))
)
def test_every_dependency_is_pinned_by_its_hash(name: str) -> None:
    """Attack 56: an installation takes only the very files that were looked at."""
    text = (REPOSITORY / f"requirements/{name}.txt").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith((" ", "#"))]

    assert lines
    assert all("==" in line and "--hash=sha256:" in line for line in lines)
