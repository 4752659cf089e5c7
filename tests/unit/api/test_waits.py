"""What a rollout that is driven here waits for, told seldom enough to cost nothing."""

from orchestrator import api
from orchestrator.api.waits import Waits
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.waiting import Waiting
from orchestrator.testing.hand import Hand
from orchestrator.testing.plans import device_ids, make_plan


class Heard(api.Nobody):
    def __init__(self) -> None:
        self.found: list[Waiting] = []

    def waits(self, found: Waiting) -> None:
        self.found.append(found)


def test_nothing_is_told_before_the_rollout_is_there() -> None:
    heard = Heard()

    Waits(heard).tell()

    assert heard.found == []


def test_it_is_told_and_then_left_alone_for_a_hundred_times_as_long(monkeypatch) -> None:
    clock = iter([10.0, 11.0, 50.0, 110.9, 111.0, 111.5])
    monkeypatch.setattr("orchestrator.api.waits.time.monotonic", lambda: next(clock))
    heard = Heard()
    waits = Waits(heard)
    wave = ResolvedWave("canary", "1", device_ids(1))
    waits.follow(Hand(make_plan([wave])).rollout)

    for _ in range(4):
        waits.tell()

    assert [found.what for found in heard.found] == [("devices",), ("devices",)]
