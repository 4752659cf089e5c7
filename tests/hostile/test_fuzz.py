"""Drawn cases for both verifiers; see `tests.hostile.fuzz` for how a failure is repeated."""

from __future__ import annotations

import secrets
import time

import pytest

from tests.hostile.fuzz import run


@pytest.mark.parametrize("seconds", [20, pytest.param(600, marks=pytest.mark.night)])
@pytest.mark.timeout(900)
def test_both_verifiers_say_the_same_of_drawn_cases(seconds: int):
    """None of them ran before; ten minutes at night."""
    end = time.monotonic() + seconds

    found, summary = run(secrets.randbelow(2**40), lambda _: time.monotonic() < end)

    print(f"figure: both verifiers, {summary}")
    assert not found, "\n".join(found)
