"""Codes are a stable, documented interface."""

from pathlib import Path

import pytest

from orchestrator.errors import TrustError
from orchestrator.trust import TrustRule
from orchestrator.trust.errors import refuse

REFERENCE = Path(__file__).parents[3] / "docs/reference"
PAGES = "".join((REFERENCE / page).read_text() for page in ("artifact.md", "release.md"))


@pytest.mark.parametrize("rule", TrustRule)
def test_code_is_documented(rule):
    assert PAGES.count(f"\n| {rule} |") == 1


def test_error_tells_rule_and_place():
    error = refuse(TrustRule.NO_KEY, "none", hint="give one", file="a.mender")

    assert isinstance(error, TrustError)
    assert (error.code, error.message, error.hint) == ("T110", "none", "give one")
    assert str(error.where) == "a.mender"
