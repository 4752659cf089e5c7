from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.device.model import Address, DeviceId, Hop
from orchestrator.device.reason import Reason
from orchestrator.errors import PlanError
from orchestrator.plan.digest import digest, digest_of, from_json, to_json
from orchestrator.plan.model import Plan
from orchestrator.plan.resolved import (
    FORMAT_VERSION,
    Gate,
    OfflinePolicy,
    OnFailure,
    OnNoData,
    PlannedArtifact,
    PlannedDevice,
    Probe,
    ProbeKind,
    ResolvedPlan,
    ResolvedWave,
    Retries,
    Rollback,
    RollbackScope,
    Skipped,
    Stage,
    Timeouts,
)

HEAD = f'"format_version":"{FORMAT_VERSION}"'.encode()
Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_ids = _text.map(DeviceId)
_seconds = st.floats(0, 1e9, allow_nan=False)
_counts = st.integers(0, 2**40)
_shares = st.fractions(0, 1, max_denominator=10_000)
_hops = st.builds(Hop, _text, st.integers(1, 65535), st.none() | _text)
_addresses = st.builds(
    Address,
    _text,
    st.integers(1, 65535),
    _text,
    st.none() | _text,
    st.lists(_text, max_size=2).map(tuple),
    st.lists(_hops, max_size=2).map(tuple),
)
_probes = st.builds(
    Probe,
    st.sampled_from(ProbeKind),
    _text,
    _text,
    st.none() | _text,
    st.lists(_text, max_size=3).map(tuple),
)
_gates = st.builds(
    Gate,
    name=_text,
    stage=st.sampled_from(Stage),
    probe=_probes,
    probes=st.dictionaries(_ids, _probes, max_size=2),
    success_when=st.none() | _text,
    interval_s=_seconds,
    count=_counts,
    consecutive_success_limit=st.none() | _counts,
    on_no_data=st.sampled_from(OnNoData),
    waves=st.lists(_text, max_size=2).map(tuple),
    dry_run=st.booleans(),
)
_waves = st.builds(
    ResolvedWave,
    _text,
    _text,
    st.lists(_ids, max_size=3).map(tuple),
    _seconds,
    _counts,
    st.booleans(),
    st.none() | _counts,
    _shares,
    _shares,
    _counts,
    st.lists(_text, max_size=2).map(tuple),
)
_plans = st.builds(
    ResolvedPlan,
    name=_text,
    release=_text,
    plan_file=_text,
    plan_sha256=_text,
    inventory_sha256=_text,
    made_at=_seconds,
    tool_version=_text,
    seed=_text,
    surveyed=st.booleans(),
    artifact=st.builds(
        PlannedArtifact,
        _text,
        _text,
        _text,
        _text,
        _text,
        st.lists(_text, max_size=2).map(tuple),
        _counts,
        _counts,
        _text,
    ),
    waves=st.lists(_waves, max_size=3).map(tuple),
    devices=st.dictionaries(
        _ids,
        st.builds(
            PlannedDevice,
            _addresses,
            st.dictionaries(_text, _text, max_size=2),
            st.none() | _text,
            st.none() | _text,
            st.booleans(),
        ),
        max_size=3,
    ),
    skipped=st.lists(st.builds(Skipped, _ids, st.sampled_from(Reason), _text), max_size=2).map(
        tuple
    ),
    gates=st.lists(_gates, max_size=2).map(tuple),
    timeouts=st.builds(Timeouts, *[_seconds] * 7),
    retries=st.builds(Retries, _counts, _seconds, _seconds, st.lists(_text, max_size=2).map(tuple)),
    rollback=st.builds(Rollback, st.sampled_from(RollbackScope), _counts),
    on_failure=st.sampled_from(OnFailure),
    offline=st.sampled_from(OfflinePolicy),
    become=st.none() | _text,
    warnings=st.lists(_text, max_size=2).map(tuple),
)


@pytest.fixture
def resolved(plan: Parse, resolve: Resolve) -> ResolvedPlan:
    return resolve(
        plan(
            "waves: [1, 29%, rest]\nmax_fail_percentage: 2.5\n"
            "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"
        )
    )


@given(_plans)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
def test_plan_survives_the_round_trip(plan: ResolvedPlan) -> None:
    data = to_json(plan)

    again = from_json(data)

    assert again == plan
    assert to_json(again) == data


def test_json_is_canonical(resolved: ResolvedPlan) -> None:
    data = to_json(resolved)
    document = json.loads(data)

    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert data == canonical.encode()
    assert document["format_version"] == FORMAT_VERSION
    assert document["waves"][0]["max_fail_share"] == "1/40"
    assert document["waves"][0]["soak_s"] == 0
    assert document["made_at"] == 1_700_000_000.25
    assert document["on_failure"] == "halt"


def test_order_of_devices_in_memory_does_not_matter(resolved: ResolvedPlan) -> None:
    turned = replace(resolved, devices=dict(reversed(resolved.devices.items())))

    assert to_json(turned) == to_json(resolved)


def test_digest_of_the_bytes_is_sha256_of_the_json(resolved: ResolvedPlan) -> None:
    data = to_json(resolved)

    assert digest_of(data) == hashlib.sha256(data).hexdigest()


def test_digest_is_sha256_of_all_that_is_decided(resolved: ResolvedPlan) -> None:
    decided = json.loads(to_json(resolved))
    del decided["made_at"]

    assert digest(resolved) == hashlib.sha256(rfc8785.dumps(decided)).hexdigest()


def test_when_a_plan_was_made_is_in_its_bytes_and_not_in_its_digest(resolved: ResolvedPlan) -> None:
    later = replace(resolved, made_at=resolved.made_at + 60)

    assert digest(later) == digest(resolved)
    assert digest_of(to_json(later)) != digest_of(to_json(resolved))


def test_every_change_changes_the_digest(resolved: ResolvedPlan) -> None:
    wave = replace(resolved.waves[0], max_fail_share=Fraction(1, 41))
    changed = replace(resolved, waves=(wave, *resolved.waves[1:]))

    assert digest(changed) != digest(resolved)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda data: b"", "P302"),
        (lambda data: b"schema: 1", "P302"),
        (lambda data: b"[]", "P302"),
        (lambda data: b"[" * 100_000, "P302"),
        (lambda data: b"{}", "P301"),
        (lambda data: data.replace(HEAD, b'"format_version":"2.0"'), "P301"),
        (lambda data: data.replace(HEAD, b'"format_version":1'), "P301"),
        (lambda data: data.replace(b'"seed":', b'"sead":'), "P302"),
        (lambda data: data.replace(b'"dry_run":false', b'"dry_run":0'), "P302"),
        (lambda data: data.replace(b'"dry_run":false', b'"dry_run":false,"x":1'), "P302"),
        (lambda data: data.replace(b'"1/40"', b'"1/0"'), "P302"),
        (lambda data: data.replace(b'"1/40"', b"0.025"), "P302"),
        (lambda data: data.replace(b'"halt"', b'"stop"'), "P302"),
        (lambda data: data.replace(b'"count":1', b'"count":"1"'), "P302"),
        (lambda data: data.replace(b'"count":1', b'"count":1.0'), "P302"),
        (lambda data: data.replace(b'"count":1', b'"count":true'), "P302"),
        (lambda data: data.replace(b'"1/40"', b'"2/80"'), "P303"),
        (lambda data: data.replace(b'"soak_s":0', b'"soak_s":0.0'), "P303"),
        (lambda data: data + b"\n", "P303"),
        (lambda data: data.replace(b",", b", ", 1), "P303"),
        (lambda data: data.replace(b'"name":"gw"', b'"name":"gx","name":"gw"'), "P303"),
    ],
)
def test_anything_but_our_own_bytes_is_refused(
    resolved: ResolvedPlan, change: Callable[[bytes], bytes], code: str
) -> None:
    data = to_json(resolved)

    with pytest.raises(PlanError) as caught:
        from_json(change(data), file="gw.plan")

    assert change(data) != data
    assert caught.value.code == code
    assert "`gw.plan`" in caught.value.message


def test_file_larger_than_any_plan_is_not_even_parsed(
    resolved: ResolvedPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = to_json(resolved)
    monkeypatch.setattr("orchestrator.plan.digest.PLAN_BYTES_MAX", len(data) - 1)

    with pytest.raises(PlanError, match="larger than any plan"):
        from_json(data)


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_any_bytes_are_a_plan_error(data: bytes) -> None:
    with pytest.raises(PlanError):
        from_json(data)
