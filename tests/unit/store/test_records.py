import json

import pytest

from orchestrator.rollout.states import RolloutState
from orchestrator.store import records
from tests.unit.store.samples import PLAN


def test_identity_is_read_from_the_plan():
    assert records.identity(PLAN) | {"plan_digest": ""} == {
        "plan_name": "web",
        "plan_digest": "",
        "plan_sha256": "9" * 64,
        "inventory_sha256": "1" * 64,
        "artifact_sha256": "a" * 64,
        "component": "main",
        "priority": 500,
        "release": "",
    }


@pytest.mark.parametrize("plan", [b"", b"[]", b"\xff", b'{"artifact": 1}', b"null"])
def test_plan_without_identity_gives_empty_columns(plan):
    found = records.identity(plan)

    assert set(found.values()) == {"", found["plan_digest"], "main", 500}
    assert len(found["plan_digest"]) == 64


def test_body_is_ascii_json():
    assert records.body({"a": "ä\ud800"}) == '{"a":"\\u00e4\\ud800"}'


def test_state_may_be_an_enum():
    row = {"state": RolloutState.HALTED}

    assert records.state_of(row) == "halted"
    assert json.loads(records.body(row)) == {"state": "halted"}


@pytest.mark.parametrize(
    ("row", "code"), [({}, None), ({"exit_code": 0}, 0), ({"exit_code": None}, None)]
)
def test_exit_code_is_there_once_a_rollout_has_one(row, code):
    assert records.exit_code_of(row) == code
