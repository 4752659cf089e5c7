"""The checker of exit codes: what it must object to, from made-up journals and devices."""

import math

import pytest

from orchestrator.errors import ExitCode, LeaseError, StoreError
from orchestrator.testing.exit_rules import ExitCodes, check_refusal
from orchestrator.testing.seen import InvariantBroken
from orchestrator.testing.transaction import Txn
from orchestrator.testing.world import good_release
from tests.unit.testing.story import A, B, C, Story

X = ExitCode


class Ending(Story):
    """A story whose exit code is looked at."""

    def __init__(self, **choices):
        super().__init__(**choices)
        self.codes = ExitCodes(self.truth)
        self.checker.rules.append(self.codes)

    def put(self, state, *names, on_new=False, txn=None):
        """Devices that are said to be in a state, and what they really run."""
        for name in names:
            self.checker.seen[name].state = state
            if on_new:
                self.devices[name].active = good_release().manifest
            if txn is not None:
                self.devices[name].txn = Txn("T", txn, deadline_at=math.inf)
                self.checker.seen[name].activations.append("T")

    def done(self, state):
        self.codes.see(self.entry("rollout_done", state=state))

    def halted(self):
        self.codes.see(self.entry("halted", cause="budget", detail=""))


def ended(state, *, on_new=(A, B, C), **choices):
    """All devices are proven, and the rollout ended so."""
    ending = Ending(**choices)
    ending.put("succeeded", *on_new, on_new=True, txn="committed")
    ending.done(state)
    return ending


def refused(ending, code, match):
    with pytest.raises(InvariantBroken, match=match):
        ending.codes.check(code)


def test_the_store_has_the_code_of_the_end():
    codes = ended("succeeded").codes
    codes.check_stored(0, X.DONE)

    for stored in (None, 3):
        with pytest.raises(InvariantBroken, match=f"exit 0, but the store has {stored}"):
            codes.check_stored(stored, X.DONE)


def test_done_is_every_device_on_the_target_for_good():
    ended("succeeded").codes.check(X.DONE)

    refused(ended("succeeded", on_new=(A, B)), X.DONE, "exit 0, but dev-0003 is `pending`")
    claimed = ended("succeeded")
    claimed.devices[B].active = "something"
    refused(claimed, X.DONE, "dev-0002 runs something else")
    waiting = ended("succeeded")
    waiting.devices[B].txn.state = "confirmed"
    refused(waiting, X.DONE, "dev-0002 runs something else, or may go back")


def test_refused_is_before_anything_was_begun():
    rejected = Ending()
    rejected.done("rejected")
    rejected.codes.check(X.REFUSED)

    refused(ended("superseded"), X.REFUSED, "devices were begun with")
    refused(ended("rejected", on_new=()), X.DONE, "ended as `rejected`")


def test_partial_is_within_what_the_plan_tolerates():
    within = ended("succeeded_with_exceptions", on_new=(A, B), max_failures=1)
    within.put("failed", C)
    within.codes.check(X.PARTIAL)

    over = ended("succeeded_with_exceptions", on_new=(A, B))
    over.put("failed", C)
    refused(over, X.PARTIAL, "wave `all` has 1 failures, 0 are allowed")
    refused(ended("succeeded_with_exceptions"), X.PARTIAL, "every device is proven")


def test_halt_is_told_by_whether_a_device_runs_the_new_version():
    some, none = Ending(), Ending()
    for ending in (some, none):
        ending.put("rolled_back", A)
        ending.halted()
    some.put("succeeded", B, on_new=True)

    some.codes.check(X.HALTED)
    none.codes.check(X.ROLLED_BACK)
    refused(none, X.HALTED, "no device runs the new version")
    refused(some, X.ROLLED_BACK, "'dev-0002'. run the new version")
    refused(some, X.WAITING, "halted: True")


def test_device_that_ran_the_new_version_before_counts_once_it_was_asked():
    ending = Ending()
    ending.put("pending", A, on_new=True)
    ending.truth.before[A] = good_release().manifest
    ending.halted()

    ending.codes.check(X.ROLLED_BACK)
    ending.checker.seen[A].state = "unchanged"
    ending.codes.check(X.HALTED)
    refused(ending, X.ROLLED_BACK, "'dev-0001'. run the new version")


def test_abort_is_a_halt_whatever_devices_run():
    aborted = Ending()
    aborted.done("aborted")

    aborted.codes.check(X.HALTED)
    refused(aborted, X.ROLLED_BACK, "ended as `aborted`")


@pytest.mark.parametrize("state", ["lost", "rollback_failed"])
def test_unknown_device_needs_a_human_whatever_else_is_so(state):
    ending = Ending()
    ending.put(state, A)
    ending.halted()

    ending.codes.check(X.NEEDS_HUMAN)
    refused(ending, X.ROLLED_BACK, "lost or not taken back: ..dev-0001")
    refused(ended("succeeded"), X.NEEDS_HUMAN, "lost or not taken back: ..")


def test_resumed_rollout_waits_and_is_no_longer_halted():
    ending = Ending()
    ending.halted()
    ending.codes.see(ending.entry("resumed", accept_failures=True))

    ending.codes.check(X.WAITING)
    refused(ending, X.ROLLED_BACK, "halted: False")


@pytest.mark.parametrize("code", [X.WAITING, X.ROLLED_BACK])
def test_no_device_is_left_on_probation(code):
    ending = Ending()
    ending.put("verifying", A, txn="probation")
    if code is X.ROLLED_BACK:
        ending.halted()

    refused(ending, code, "dev-0001 is `verifying` and on probation")


def test_device_that_could_not_go_back_is_told():
    ending = Ending()
    ending.put("failed", A, txn="rollback-failed")
    ending.halted()

    refused(ending, X.ROLLED_BACK, "dev-0001 could not go back and is `failed`")


def test_rollback_that_is_done_left_none_of_its_devices_on_the_new_version():
    ending = ended("rolled_back", on_new=(A,))
    check = ending.codes.check_rollback

    check(X.DONE, devices=(B,))
    check(X.HALTED)
    with pytest.raises(InvariantBroken, match=r"exit 0 of a rollback, but ..dev-0001"):
        check(X.DONE, wave="all")
    with pytest.raises(InvariantBroken, match=r"exit 0 of a rollback, but ..dev-0001"):
        check(X.DONE)


@pytest.mark.parametrize("error", [None, StoreError("the disk is full"), InvariantBroken("x")])
def test_engine_that_is_kept_from_a_rollout_and_does_not_say_so(error):
    check_refusal(LeaseError("`other` has it"))

    with pytest.raises(InvariantBroken, match="exit 8"):
        check_refusal(error)
