"""What a planned ticket says beforehand is what the device will decide by itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.device.bucket import bucket
from orchestrator.device.model import DeviceId
from orchestrator.errors import TrustError
from orchestrator.plan.order import in_order
from orchestrator.plan.tickets import AT_ONCE, PlannedOpening, PlannedTicket
from orchestrator.trust.judge import check_open
from orchestrator.trust.ticket import Opening, Ticket

TIMES = st.integers(0, 2_000)


@st.composite
def lines(draw: st.DrawFn) -> list[tuple[int, int]]:
    percents = draw(st.lists(st.integers(1, 100), max_size=16, unique=True))
    times = draw(st.lists(TIMES, min_size=len(percents), max_size=len(percents)))
    return list(zip(sorted(percents), sorted(times), strict=True))


def planned(serial: int, opens: list[tuple[int, int]]) -> PlannedTicket:
    openings = tuple(PlannedOpening(percent, float(at)) for percent, at in opens)
    return PlannedTicket("0" * 64, "1" * 64, "acme", serial, 1e9, 7, ("pi4",), openings)


def released(serial: int, opens: list[tuple[int, int]]) -> Ticket:
    return Ticket(
        fleet="acme", serial=serial, issued_s=0, expires_s=10**9, security_version=1,
        device_types=("pi4",), artifact="a", manifest_sha256="1" * 64,
        openings=tuple(Opening(percent, at) for percent, at in opens),
    )  # fmt: skip


def lets_in(ticket: Ticket, device: str, at_s: int) -> bool:
    try:
        check_open(ticket, device, at_s)
    except TrustError:
        return False
    return True


@given(serial=st.integers(0, 99), opens=lines(), number=st.integers(0, 10**6), at_s=TIMES)
def test_plan_and_device_agree_on_every_moment(
    serial: int, opens: list[tuple[int, int]], number: int, at_s: int
) -> None:
    device = DeviceId(f"gw-{number}")

    opens_at = planned(serial, opens).opens_at(device)

    is_open = opens_at is not None and opens_at <= at_s
    assert is_open is lets_in(released(serial, opens), device, at_s)


@given(serial=st.integers(0, 99), opens=lines(), count=st.integers(0, 60))
def test_whoever_is_let_in_earlier_stands_earlier_in_the_order(
    serial: int, opens: list[tuple[int, int]], count: int
) -> None:
    devices = [DeviceId(f"gw-{number}") for number in range(count)]
    ticket = planned(serial, opens)

    ordered = in_order(devices, "gw:1", ticket=ticket)

    times = [ticket.opens_at(device) for device in ordered]
    assert sorted(ordered) == sorted(devices)
    assert times == sorted(times, key=lambda at: float("inf") if at is None else at)
    if opens:
        assert [bucket(serial, device) for device in ordered] == sorted(
            bucket(serial, device) for device in devices
        )


def test_without_lines_everybody_may_begin_and_the_order_is_that_of_the_plan() -> None:
    devices = [DeviceId(f"gw-{number}") for number in range(50)]
    ticket = planned(7, [])

    assert {ticket.opens_at(device) for device in devices} == {AT_ONCE}
    assert in_order(devices, "gw:1", ticket=ticket) == in_order(devices, "gw:1")
