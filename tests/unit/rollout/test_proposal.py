"""A retry or a rollback to be reviewed: whom it names, and when it is another one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestrator.device.reason import FailureClass, Reason
from orchestrator.errors import PlanError
from orchestrator.plan.envelope import enveloped, from_saved, is_proposal, is_saved, to_saved
from orchestrator.plan.resolved import ResolvedWave, Rollback, RollbackOrder
from orchestrator.rollout.events import Ask, OperatorAsked
from orchestrator.rollout.proposal import Proposal, digest, from_file, propose, to_file
from orchestrator.rollout.states import DeviceState
from orchestrator.testing.hand import OLD, Hand
from orchestrator.testing.plans import device_ids, make_plan

A, B, C, D = device_ids(4)


def hand(**choices):
    limits = {"max_failures": 3, "slow_start": False}
    waves = [
        ResolvedWave("canary", "1", (A,), **limits),
        ResolvedWave("rest", "rest", (B, C, D), **limits),
    ]
    return Hand(make_plan(waves, manifest=OLD, **choices))


def proposed(rollout: Hand, ask: Ask = Ask.ROLLBACK, **choices: object) -> Proposal:
    asked = OperatorAsked(rollout.now, ask, "ann", **choices)  # type: ignore[arg-type]
    assert rollout.rollout.judge(asked).kind == "done"
    return propose(rollout.rollout.ledger, asked, digest="d" * 64, tool_version="1")


def names(proposal: Proposal) -> list[str]:
    return [one.device for one in proposal.concerned]


def test_rollback_names_who_goes_back_to_what_newest_first_and_who_is_left_alone():
    rollout = hand()
    rollout.succeed(A, B)
    rollout.activate(C)

    found = proposed(rollout, why="dark screens")

    assert names(found) == [C, B, A]
    first = found.concerned[0]
    assert (first.state, first.before_manifest, first.wave) == (DeviceState.VERIFYING, OLD, "rest")
    assert found.others == {"queued": 1} or found.others == {"transferring": 1}
    assert (found.artifact, found.why, found.stays_halted) == ("new", "dark screens", False)


def test_rollback_of_a_wave_or_of_devices_names_only_these():
    rollout = hand(rollback=Rollback(order=RollbackOrder.FORWARD))
    rollout.succeed(A, B, C, D)

    assert names(proposed(rollout, wave="canary")) == [A]
    assert names(proposed(rollout, devices=(D, B))) == [B, D]
    assert names(proposed(rollout)) == [A, B, C, D]


def test_rollback_names_what_is_proven_and_not_committed_whatever_its_scope():
    """Nothing would ever commit it: so it goes back with any rollback."""
    waves = [
        ResolvedWave("canary", "1", (A,), slow_start=False),
        ResolvedWave("rest", "rest", (B, C), slow_start=False),
    ]
    rollout = Hand(make_plan(waves, late=True, manifest=OLD))
    rollout.succeed(A)
    rollout.report(A)
    rollout.activate(B)
    rollout.prove(B)
    rollout.report(B)
    assert rollout.state(B) is DeviceState.CONFIRMED

    assert names(proposed(rollout, wave="canary")) == [B, A]


def test_what_it_names_is_what_the_verb_then_does():
    rollout = hand()
    rollout.succeed(A, B)
    found = proposed(rollout)

    rollout.ask(Ask.ROLLBACK)
    for device in names(found):
        rollout.go_back(device)

    assert rollout.states()[:2] == ["rolled_back", "rolled_back"]


def test_retry_names_devices_of_its_class_with_why_they_failed():
    rollout = hand()
    rollout.succeed(A)
    rollout.report(B, Reason.LOW_SPACE, detail="need 3 MiB", status=rollout.status(B, "none"))
    rollout.report(C, Reason.INSTALL, status=rollout.status(C, "none"))

    everybody = proposed(rollout, Ask.RETRY)
    some = proposed(rollout, Ask.RETRY, only=FailureClass.TRANSFER)
    rollout.ask(Ask.HALT)

    assert names(everybody) == [B, C]
    (one,) = some.concerned
    assert (one.device, one.reason, one.detail) == (B, Reason.LOW_SPACE, "need 3 MiB")
    assert some.others["succeeded"] == 1
    assert not some.stays_halted
    assert proposed(rollout, Ask.RETRY).stays_halted
    rollout.ask(Ask.RETRY, devices=(B,))
    assert rollout.state(B) is DeviceState.QUEUED


def test_digest_stays_while_the_same_would_be_done_and_no_longer():
    rollout = hand()
    rollout.succeed(A)
    first = digest(proposed(rollout, wave="canary"))
    rollout.now = 100.0

    later = proposed(rollout, wave="canary")

    assert digest(later) == first
    assert digest(replace(later, tool_version="2", others={})) == first
    assert digest(proposed(rollout, wave="canary", why="smoke")) != first
    assert digest(proposed(rollout)) != first
    whole = digest(proposed(rollout))
    rollout.succeed(B)
    assert digest(proposed(rollout, wave="canary")) == first
    assert digest(proposed(rollout)) != whole


def test_file_holds_it_and_anything_else_is_refused():
    rollout = hand()
    rollout.succeed(A)
    found = proposed(rollout)
    data = to_file(found)
    body = json.dumps(json.loads(data)["proposal"], separators=(",", ":"), sort_keys=True).encode()

    assert from_file(data, file="back.plan") == found
    assert is_saved(data)
    assert is_proposal(data)
    changed = [
        (data.replace(b'"canary"', b'"carany"'), "P303"),
        (data + b"\n", "P303"),
        (to_saved(body), "P303"),
        (enveloped("proposal", body.replace(b'"rollback"', b'"abort"')), "P303"),
        (enveloped("proposal", body.replace(b'"1.0"', b'"2.0"')), "P301"),
        (enveloped("proposal", body.replace(b'"plan":', b'"plant":')), "P302"),
        (enveloped("proposal", body.replace(b'"why":', b'"why": ')), "P303"),
        (enveloped("proposal", b"no json"), "P302"),
        (enveloped("proposal", b"\xff\xfe"), "P302"),
        (enveloped("proposal", b"[" * 200_000), "P302"),
        (to_file(replace(found, made_at=1e300)), "P305"),
        (to_file(replace(found, made_at=-1.0)), "P305"),
    ]
    for wrong, code in changed:
        with pytest.raises(PlanError) as refused:
            from_file(wrong, file="back.plan")
        assert refused.value.code == code
    with pytest.raises(PlanError, match="is a retry or a rollback of a rollout, and no plan"):
        from_saved(data, file="back.plan")
