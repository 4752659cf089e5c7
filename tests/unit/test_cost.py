"""What a promise of CPU time is measured with."""

import time

import pytest

from tests import cost
from tests.cost import spending


def work() -> None:
    sum(number * number for number in range(300_000))


def test_what_a_block_used_is_known_when_it_is_left() -> None:
    began = time.process_time()
    with spending() as spent:
        work()
    whole_s = time.process_time() - began

    assert 0 < spent.cpu_s < whole_s


def test_what_is_measured_shrinks_on_a_machine_that_is_slower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces = iter([0.1, 0.05, 0.2, 0.1, 0.1, 0.3])  # at best twice and four times as long
    monkeypatch.setattr(cost, "_piece", lambda: next(pieces))
    moments = iter([1.0, 7.0])
    monkeypatch.setattr(time, "process_time", lambda: next(moments))

    with spending() as spent:
        pass

    assert spent.cpu_s == pytest.approx(2.0)


def test_a_faster_machine_is_asked_to_keep_the_promise_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cost, "_piece", lambda: 0.001)

    assert cost.slowness() == 1.0
