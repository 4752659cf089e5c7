"""The checker of ways back, from made-up journals and devices."""

import pytest

from orchestrator.plan.resolved import ResolvedWave, Rollback, RollbackOrder, Timeouts
from orchestrator.testing.plans import device_ids
from orchestrator.testing.return_rules import WayBack
from orchestrator.testing.seen import InvariantBroken
from orchestrator.testing.transaction import Txn
from orchestrator.testing.world import good_release, old_release
from tests.unit.testing.story import Story

A, B, C, D = device_ids(4)
HALTED = {"reason": "rollout_halted"}


class Returning(Story):
    """Two waves whose devices were started in order; only their way back is looked at."""

    def __init__(self, *, shut=(), liars=(), **plan):
        super().__init__(
            ResolvedWave("one", "2", (A, B)), ResolvedWave("two", "rest", (C, D)), plan=plan
        )
        self.books = self.checker.books
        self.rule = WayBack(self.books, lambda device, _at: device in shut, liars=frozenset(liars))
        for device in (A, B, C, D):
            self.move(device, "transferring", "staged", "activating", "verifying", "succeeded")

    def line(self, kind, device="", **where_and_data):
        entry = self.entry(kind, device, **where_and_data)
        if device:
            self.books.seen[device].state = entry.data["to"]
        self.rule.see(entry)

    def begin(self, wave="", devices=()):
        self.line("rollback_started", wave=wave, who="plan", devices=[*devices])

    def back(self, *devices, **data):
        for device in devices:
            self.move(device, "rolling_back", **(HALTED | data))
            self.move(device, "rolled_back", **(HALTED | data))


def objects(match, step, *what, **how):
    with pytest.raises(InvariantBroken, match=match):
        step(*what, **how)


def begun(wave="", devices=(), **choices):
    returning = Returning(**choices)
    returning.begin(wave, devices)
    return returning


def test_devices_go_back_in_the_reverse_order_of_their_start():
    begun().back(D, C, B, A)
    begun("one").back(B, A)
    begun(devices=(A, C)).back(C, A)


@pytest.mark.parametrize(("gone", "device"), [((), A), ((), C), ((D,), B), ((D, C), A)])
def test_device_that_goes_back_before_its_turn(gone, device):
    returning = begun()
    returning.back(*gone)

    objects("rollback: taken back before dev-", returning.back, device)


def test_order_of_the_start_where_the_plan_says_so():
    forward = Rollback(order=RollbackOrder.FORWARD)
    begun(rollback=forward).back(A, B, C, D)

    objects("taken back before dev-0001", begun(rollback=forward).back, B)


def test_device_whose_hours_it_is_not_and_one_that_lies_let_others_pass():
    begun(shut=(D,)).back(C, B, A, D)
    begun(liars=(D,)).back(C, B, A)


def test_abort_takes_back_what_is_not_permanent_in_the_same_order():
    returning = Returning()
    returning.move(B, "confirmed")
    returning.move(C, "confirmed")
    returning.line("operator", ask="abort", done=True)

    objects("taken back before dev-0003", returning.back, B, reason="cancelled")
    returning.back(C, B, reason="taken_back")


def test_no_more_at_once_than_the_plan_allows():
    returning = begun(rollback=Rollback(max_parallel=1))
    returning.move(D, "rolling_back", **HALTED)

    objects("rollback: 2 at once, 1 may", returning.move, C, "rolling_back", **HALTED)


def test_nothing_goes_back_beside_what_is_on_its_way_until_the_drain_is_over():
    returning = Returning(timeouts=Timeouts(drain_s=60.0))
    returning.move(D, "uncertain")
    returning.begin()
    late = {"from": "succeeded", "to": "rolling_back", "at": 60.0, **HALTED}

    objects("R13: taken back beside ..dev-0004", returning.move, C, "rolling_back", **HALTED)
    returning.books.seen[C].state = "succeeded"
    returning.line("device_state", C, wave="two", **late)


def reverted(*lines):
    returning = Returning()
    returning.books.seen[D].excused = True
    for kind, data in lines:
        returning.line(kind, **data)
    returning.move(D, "rolling_back", reason="reverted")


def test_device_that_went_back_by_itself_pauses():
    reverted(("paused", {"cause": "reverted_unconfirmed"}))
    reverted(("halted", {"cause": "budget"}))

    objects("went back by itself, and it goes on", reverted)
    objects("it goes on", reverted, ("paused", {"cause": "operator"}))
    over = ("resumed", {"over": "reverted_unconfirmed", "left": []})
    objects("goes on", reverted, ("paused", {"cause": "reverted_unconfirmed"}), over)


def claim(state, *, told, runs, txn="rolled-back"):
    """A device is said to be in a state; it runs this, and told that since it last changed."""
    story = Story()
    device = story.devices[A]
    device.active = runs
    device.txn = Txn("T", txn)
    device.read_back = {} if told is None else {"boot": told}
    entry = story.entry("device_state", A, **{"from": "x", "to": state, "boot": "boot"})
    story.truth.check_claim(state, entry)


OLD, NEW = old_release().manifest, good_release().manifest


def test_claims_want_a_read_back_over_a_connection_made_since():
    claim("rolled_back", told=OLD, runs=OLD)
    claim("succeeded", told=NEW, runs=NEW, txn="committed")
    claim("unchanged", told=NEW, runs=NEW)

    objects("rolled back without a read-back", claim, "rolled_back", told=None, runs=OLD)
    objects("rolled back without a read-back", claim, "rolled_back", told=NEW, runs=OLD)
    objects("rolled back to something else", claim, "rolled_back", told=OLD, runs=NEW)
    objects("success without a read-back", claim, "succeeded", told=None, runs=NEW, txn="committed")
    objects("unchanged, but not", claim, "unchanged", told=OLD, runs=OLD)
