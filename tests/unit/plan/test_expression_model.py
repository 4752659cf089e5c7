from __future__ import annotations

import pytest

from orchestrator.plan.expression_model import Name


@pytest.mark.parametrize(
    ("written", "key"), [("result.exit", "exit"), ("value", "value"), ("failures", "failures")]
)
def test_field_is_looked_up_without_its_prefix(written: str, key: str) -> None:
    assert Name(written).key == key
