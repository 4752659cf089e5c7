"""Saved plans carry the digest of their own bytes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import rfc8785

from orchestrator.errors import PlanError
from orchestrator.plan.digest import digest_of, to_json
from orchestrator.plan.envelope import from_saved, is_saved, to_saved
from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave
from orchestrator.testing.plans import device_ids, make_plan


def plan(soak_s: float = 0.0) -> ResolvedPlan:
    return make_plan([ResolvedWave("all", "rest", device_ids(2), soak_s=soak_s)])


def test_saved_plan_is_read_back_and_is_canonical_json_around_the_stored_bytes() -> None:
    plan_json = to_json(plan())

    data = to_saved(plan_json)

    assert from_saved(data, file="gw.plan") == plan()
    assert is_saved(data)
    assert plan_json in data
    assert data == rfc8785.dumps({"plan": json.loads(plan_json), "sha256": digest_of(plan_json)})


def test_plans_in_yaml_are_no_saved_plans() -> None:
    assert not is_saved(b"schema: 1\n")
    assert not is_saved(b"{schema: 1, name: gw}\n")


@pytest.mark.parametrize("size", [9, 100, -1])
def test_saved_plan_that_was_cut_off_is_no_plan_in_yaml(size: int) -> None:
    assert is_saved(to_saved(to_json(plan()))[:size])


def other_plan(data: bytes) -> bytes:
    """The file with another plan in it, as canonical as the first."""
    return data.replace(to_json(plan()), to_json(plan(soak_s=60.0)))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (other_plan, "P303"),
        (lambda data: data.replace(b'"soak_s":0', b'"soak_s":1'), "P303"),
        (lambda data: data.replace(b'"seed":', b'"sead":'), "P303"),
        (lambda data: data.replace(b'"plan":', b'"plan": '), "P303"),
        (lambda data: data + b"\n", "P303"),
        (lambda data: data[:-3] + b'x"}', "P303"),
        (lambda data: json.dumps(json.loads(data), indent=2).encode(), "P303"),
        (lambda data: to_json(plan()), "P301"),
        (lambda data: b'{"format_version":"1.0","digest":""}', "P301"),
        (lambda data: b'["format_version"]', "P301"),
        (lambda data: data[:-1], "P303"),
        (lambda data: data[:100], "P303"),
        (lambda data: b"[" * 100_000, "P302"),
        (lambda data: to_saved(b"{}"), "P301"),
        (to_saved, "P301"),
        (lambda data: to_saved(to_json(plan(soak_s=-1.0))), "P305"),
    ],
)
def test_anything_but_what_was_saved_is_refused(
    change: Callable[[bytes], bytes], code: str
) -> None:
    data = to_saved(to_json(plan()))

    with pytest.raises(PlanError) as caught:
        from_saved(change(data), file="gw.plan")

    assert change(data) != data
    assert caught.value.code == code
    assert "`gw.plan`" in caught.value.message
