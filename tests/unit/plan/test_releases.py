from __future__ import annotations

import pytest

from orchestrator.plan.releases import constraint_problem, meets


@pytest.mark.parametrize(
    ("release", "constraint", "expected"),
    [
        ("7.3", "", True),
        ("7.3", ">=7.3", True),
        ("7.3.0", "7.3", True),
        ("7.2.9", ">=7.3", False),
        ("7.10", ">7.9", True),
        ("7.9", "<7.10", True),
        ("7.3-rc1", ">=7.3", False),
        ("7.3-rc1", ">7.2", True),
        ("7.3-rc2", ">7.3-rc1", True),
        ("8.0", ">=7.3, <8", False),
        ("7.9.9", ">=7.3, <8", True),
        ("7.3", "!=7.3", False),
        ("7.4", "!=7.3", True),
        ("7.3", "<=7.3", True),
        ("7.3", "==7.3", True),
        ("gateway-1.4.2", "gateway-1.4.2", True),
        ("gateway-1.4.3", ">gateway-1.4.2", True),
        ("10", ">9", True),
        ("", "7.3", False),
    ],
)
def test_release_meets_a_constraint(release: str, constraint: str, expected: bool) -> None:
    assert meets(release, constraint) is expected


@pytest.mark.parametrize("constraint", ["7.3", ">=7.3", "> 7.3", ">=7.3, <8", "v1.2+build", "!=a"])
def test_constraint_is_fine(constraint: str) -> None:
    assert constraint_problem(constraint) == ""


@pytest.mark.parametrize("constraint", ["", "~7", "=>7", "=7", ">=", ">=7.3,", "7.3 8", "^1.2"])
def test_constraint_has_a_problem(constraint: str) -> None:
    assert "is no constraint on a release" in constraint_problem(constraint)
