"""The checker of the order that was gone in, from made-up journals."""

import pytest

from orchestrator.plan.resolved import OnFailure, ResolvedWave
from orchestrator.testing.control_rules import waits_in
from orchestrator.testing.order_rules import WaveOrder
from orchestrator.testing.plans import device_ids
from orchestrator.testing.seen import InvariantBroken
from tests.unit.testing.story import Story

A, B, C, D, E = device_ids(5)


class Going(Story):
    """Two waves and a last one; nothing but their order is looked at."""

    def __init__(self, *, waves=(), waits=None, **plan):
        known = waves or (
            ResolvedWave("one", "2", (A, B), backfill_limit=2),
            ResolvedWave("two", "2", (C, D)),
            ResolvedWave("three", "rest", (E,)),
        )
        super().__init__(*known, plan=plan)
        self.books = self.checker.books
        self.rule = WaveOrder(self.books, waits or waits_in(self.books, lambda *_: False))

    def line(self, kind, device="", **where_and_data):
        entry = self.entry(kind, device, **where_and_data)
        if device:
            seen = self.books.seen[device]
            self.books.planned[seen.wave] -= entry.wave != seen.wave
            seen.wave, seen.state = entry.wave, entry.data["to"]
        self.rule.see(entry)

    def began(self, wave):
        self.line("wave_started", wave=wave)

    def over(self, wave, state="passed"):
        self.books.done.add(wave)
        self.line("wave_done", wave=wave, state=state)

    def start(self, *devices):
        for device in devices:
            self.move(device, "transferring")

    def defer(self, device):
        self.move(device, "transferring", "deferred")

    def replace(self, device, wave):
        self.line("device_state", device, wave=wave, **{"from": "pending", "to": "queued"})


def objects(going, match, step, *what):
    with pytest.raises(InvariantBroken, match=match):
        step(*what)


def begun(*, of="one", **choices):
    going = Going(**choices)
    going.began(of)
    return going


def test_waves_one_after_another_in_order():
    going = begun()
    going.start(A, B)
    going.over("one")
    going.began("two")

    going.start(C, D)


def test_wave_that_begins_before_the_one_before_it_is_over():
    objects(begun(), "begun before ..one.. are over", Going.began, begun(), "two")


def test_wave_that_begins_twice():
    going = begun()
    objects(going, "begun twice", going.began, "one")


@pytest.mark.parametrize("name", [C, E])
def test_device_of_a_wave_that_has_not_begun(name):
    going = begun()
    objects(going, "one that has not begun", going.start, name)


def test_device_of_a_wave_that_is_over():
    going = begun()
    going.start(A)
    going.over("one")
    objects(going, "one that is over", going.start, B)


def test_activation_in_a_wave_that_is_over_unless_it_was_let_go_before():
    going = begun()
    going.start(A, B)
    going.move(A, "staged")
    going.move(B, "staged", "uncertain")
    going.over("one")

    going.move(B, "activating")
    objects(going, "one that is over", going.move, A, "activating")


def test_tripped_wave_is_over_only_where_the_plan_goes_on():
    going = begun()
    objects(going, "did not pass is over", going.over, "one", "tripped")

    goes_on = begun(on_failure=OnFailure.CONTINUE)
    goes_on.over("one", "tripped")
    goes_on.began("two")


def test_device_that_is_begun_before_another_one():
    going = begun()
    objects(going, "R3: begun before ..dev-0001", going.start, B)


def test_device_passes_one_that_has_to_wait():
    going = begun(waits=lambda device, _entry: device == A)

    going.start(B, A)


def test_device_passes_one_whose_slot_is_taken_and_no_other():
    waves = (ResolvedWave("one", "rest", (A, B, C)),)
    labels = {"site": 1}
    for alike, fine in (((A, B), True), ((A, C), False)):
        going = Going(waves=waves, max_parallel_per=labels)
        sites = {name: {"site": "x" if name in alike else "y"} for name in (A, B, C)}
        going.books.labels = sites
        going.began("one")
        going.start(A)
        if fine:
            going.start(C)
        else:
            objects(going, "R3", going.start, C)


def test_next_device_in_order_takes_the_place_of_one_that_was_never_reached():
    going = begun()
    going.defer(A)

    going.replace(C, "one")
    going.start(B, C)


def test_another_than_the_next_in_order_takes_a_place():
    going = begun()
    going.defer(A)
    objects(going, "R7: not the next device in order", going.replace, D, "one")


def test_place_that_nobody_left():
    going = begun()
    objects(going, "R7: 1 devices took a place, 0 may", going.replace, C, "one")


def test_place_of_a_wave_that_has_not_begun():
    going = begun()
    objects(going, "R7: a place of a wave that may not", going.replace, E, "two")


def test_devices_that_follow_were_asked_before():
    going = begun()
    going.defer(A)
    going.books.follow_until = 10.0

    going.move(A, "queued", "transferring")
    objects(going, "follows that was never asked", going.start, B)
