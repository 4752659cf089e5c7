"""Codes are a stable, documented interface."""

from pathlib import Path

import pytest

from orchestrator.artifact import ArtifactError, Rule
from orchestrator.errors import ExitCode, OrchestratorError, Where

REFERENCE = Path(__file__).parents[3] / "docs/reference/artifact.md"


@pytest.mark.parametrize("rule", Rule)
def test_code_is_documented(rule):
    assert f"| {rule} |" in REFERENCE.read_text(encoding="utf-8")


def test_error_tells_rule_place_and_exit_code():
    error = ArtifactError(Rule.CHECKSUM, "wrong", hint="fix", where=Where("f"))

    assert isinstance(error, OrchestratorError)
    assert (error.code, error.rule, error.message, error.hint) == (
        "A134",
        Rule.CHECKSUM,
        "wrong",
        "fix",
    )
    assert error.exit_code is ExitCode.REFUSED
