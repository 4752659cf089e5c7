import random

import pytest

from orchestrator.render.at_work import SEATS, AtWork, DeviceLine
from orchestrator.rollout.states import AT_WORK, DeviceState

_S = DeviceState


class Fleet:
    """Devices that change their states one second after the other."""

    def __init__(self) -> None:
        self.at_work = AtWork()
        self.lines: dict[str, DeviceLine] = {}
        self.now = 0.0

    def move(self, name: str, state: DeviceState, after_s: float = 1.0) -> DeviceLine:
        self.now += after_s
        line = self.lines.setdefault(name, DeviceLine(name, "canary"))
        before, before_s = line.state, self.now - line.since
        line.state, line.since = state, self.now
        self.at_work.moved(line, before, before_s)
        return line

    @property
    def rows(self) -> list[str]:
        return [line.name for line in self.at_work.seats]


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


def test_a_row_is_kept_until_another_device_needs_it(fleet) -> None:
    names = [f"d{i}" for i in range(SEATS)]
    for name in names:
        fleet.move(name, _S.TRANSFERRING)
    fleet.move("d3", _S.SUCCEEDED)
    assert fleet.rows == names

    fleet.move("new", _S.TRANSFERRING)

    assert fleet.rows == [*names[:3], "new", *names[4:]]


def test_the_longest_at_work_without_a_row_gets_the_next(fleet) -> None:
    for number in range(SEATS + 3):
        fleet.move(f"d{number}", _S.TRANSFERRING)

    fleet.move("d2", _S.FAILED)
    fleet.move("d9", _S.FAILED)
    fleet.move("d0", _S.SUCCEEDED)

    assert fleet.rows[2] == "d8"
    assert fleet.rows[0] == "d10"


def test_few_rows_show_who_is_at_work_for_longest_in_the_order_of_rows(fleet) -> None:
    for name in ("a", "b", "c", "d"):
        fleet.move(name, _S.TRANSFERRING)
    fleet.move("a", _S.SUCCEEDED)
    fleet.move("b", _S.ACTIVATING)

    assert [line.name for line in fleet.at_work.shown(2)] == ["c", "d"]
    assert [line.name for line in fleet.at_work.shown(3)] == ["b", "c", "d"]
    assert fleet.at_work.shown(0) == []


def test_a_device_is_slow_against_what_others_needed(fleet) -> None:
    for name in ("a", "b", "c"):
        fleet.move(name, _S.REBOOTING)
        fleet.move(name, _S.VERIFYING, after_s=30.0)
    line = fleet.move("d", _S.REBOOTING)

    assert fleet.at_work.usual_s(_S.REBOOTING) == 30.0
    assert not fleet.at_work.is_slow(line, fleet.now + 59.0)
    assert fleet.at_work.is_slow(line, fleet.now + 61.0)
    assert fleet.at_work.slow(fleet.now + 61.0, 5) == [line]


def test_nothing_is_usual_before_a_few_were_there(fleet) -> None:
    fleet.move("a", _S.REBOOTING)
    fleet.move("a", _S.VERIFYING)
    line = fleet.move("b", _S.REBOOTING)

    assert fleet.at_work.usual_s(_S.REBOOTING) is None
    assert not fleet.at_work.is_slow(line, fleet.now + 9999.0)


def test_those_that_failed_make_nothing_usual(fleet) -> None:
    for name in ("a", "b", "c"):
        fleet.move(name, _S.TRANSFERRING)
        fleet.move(name, _S.FAILED)

    assert fleet.at_work.usual_s(_S.TRANSFERRING) is None


def test_one_that_waits_for_its_go_is_not_slow(fleet) -> None:
    for name in ("a", "b", "c"):
        fleet.move(name, _S.STAGED)
        fleet.move(name, _S.ACTIVATING)
    line = fleet.move("d", _S.STAGED)

    assert not fleet.at_work.is_slow(line, fleet.now + 9999.0)


@pytest.mark.parametrize("seed", range(20))
def test_rows_always_show_as_many_at_work_as_they_can(seed) -> None:
    draw, fleet = random.Random(seed), Fleet()

    for _ in range(400):
        fleet.move(f"d{draw.randrange(30)}", draw.choice(list(DeviceState)))

        working = {name for name, line in fleet.lines.items() if line.state in AT_WORK}
        assert set(fleet.at_work.lines) == working
        assert len(set(fleet.rows)) == len(fleet.rows) <= SEATS
        assert len(working & set(fleet.rows)) == min(SEATS, len(working))
        sinces = [line.since for line in fleet.at_work.lines.values()]
        assert sinces == sorted(sinces)
