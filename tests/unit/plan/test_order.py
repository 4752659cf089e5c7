"""The order of devices (R3) and its spread over strata (R4); numbers from the rules' text."""

from __future__ import annotations

import hashlib

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.plan.controls import Order
from orchestrator.plan.order import in_order, order_key, spread


def test_order_is_sha256_of_domain_seed_and_id() -> None:
    key = order_key("gw:1.4.2", DeviceId("gw-7"))

    assert key == hashlib.sha256(b"rollout-order/v1\ngw:1.4.2\ngw-7").digest()


def test_order_sorts_by_key_whatever_came_first() -> None:
    devices = [DeviceId(f"gw-{number}") for number in range(50)]

    ordered = in_order(devices, "gw:1")

    assert list(ordered) == sorted(devices, key=lambda device: order_key("gw:1", device))
    assert in_order(reversed(devices), "gw:1") == ordered


def test_order_is_known_on_every_machine() -> None:
    devices = [DeviceId(name) for name in ("gw-1", "gw-2", "gw-3", "gw-4")]

    ordered = in_order(devices, "gateway-fw:1.4.2")

    assert ordered == ("gw-4", "gw-3", "gw-2", "gw-1")  # by sha256sum


def test_another_release_has_other_canaries() -> None:
    devices = [DeviceId(f"gw-{number}") for number in range(50)]

    canaries = {in_order(devices, f"gw:{release}")[0] for release in range(20)}

    assert len(canaries) > 5


def test_adding_a_device_keeps_the_order_of_the_others() -> None:
    devices = [DeviceId(f"gw-{number}") for number in range(50)]

    before = in_order(devices, "gw:1")
    after = in_order([*devices, DeviceId("new")], "gw:1")

    assert tuple(device for device in after if device != "new") == before


FOUR = [DeviceId(name) for name in ("c", "a", "d", "b")]


@pytest.mark.parametrize(
    ("devices", "order", "expected"),
    [
        ([], Order.HASH, ""),
        (["x"], Order.HASH, "x"),
        (FOUR, Order.INVENTORY, "cadb"),
        (FOUR, Order.REVERSE_INVENTORY, "bdac"),
        (FOUR, Order.SORTED, "abcd"),
        (FOUR, Order.REVERSE_SORTED, "dcba"),
        ([], Order.SORTED, ""),
        (["x"], Order.REVERSE_INVENTORY, "x"),
        (["B", "a"], Order.SORTED, "Ba"),  # by code points, as everywhere
        (["b", "B", "a"], Order.REVERSE_SORTED, "baB"),
    ],
)
def test_r3_orders(devices: list[str], order: Order, expected: str) -> None:
    ordered = in_order([DeviceId(name) for name in devices], "gw:1", order)

    assert "".join(ordered) == expected


# Devices are written as stratum and rank: `a0 a1 b0` are two of `a`, one of `b`, in order.
@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ("", ""),
        ("a0", "a0"),
        ("a0 a1", "a0 a1"),
        # 1/2 | 1/2: equal places and sizes, so the key of the name decides ("a" before "b" or not)
        ("a0 b0", "tie"),
        # a: 1/4 3/4, b: 1/2
        ("a0 a1 b0", "a0 b0 a1"),
        ("b0 a0 a1", "a0 b0 a1"),
        # a: 1/6 3/6 5/6, b: 1/2; at 1/2 the larger stratum is first
        ("a0 a1 a2 b0", "a0 a1 b0 a2"),
        # a: 1/8 3/8 5/8 7/8, b: 1/4 3/4
        ("a0 a1 a2 a3 b0 b1", "a0 b0 a1 a2 b1 a3"),
        # a: 1/6 1/2 5/6, b: 1/4 3/4
        ("a0 a1 a2 b0 b1", "a0 b0 a1 b1 a2"),
        # a: 1/10 3/10 5/10 7/10 9/10, b: 1/2, c: 1/4 3/4
        ("a0 a1 a2 a3 a4 b0 c0 c1", "a0 c0 a1 a2 b0 a3 c1 a4"),
        # a: 1/12 3/12 5/12 7/12 9/12 11/12, c: 1/4 3/4: larger first at 3/12 and 9/12
        ("a0 a1 a2 a3 a4 a5 c0 c1", "a0 a1 c0 a2 a3 a4 c1 a5"),
        # a: 1/14 .. 13/14, b: 1/2: the fourth of seven is at 7/14
        ("a0 a1 a2 a3 a4 a5 a6 b0", "a0 a1 a2 a3 b0 a4 a5 a6"),
    ],
)
def test_r4_spread_is_sainte_lague(devices: str, expected: str) -> None:
    ordered = [DeviceId(name) for name in devices.split()]

    result = " ".join(spread(ordered, lambda device: (device[0],), "gw:1"))

    if expected == "tie":
        first, second = sorted("ab", key=lambda name: order_key("gw:1", name))
        expected = f"{first}0 {second}0"
    assert result == expected


def test_equal_strata_follow_the_key_of_their_name_not_their_first_device() -> None:
    ordered = [DeviceId(f"{name}{rank}") for rank in range(3) for name in "zyxw"]

    result = spread(ordered, lambda device: (device[0],), "gw:1")

    by_key = sorted("wxyz", key=lambda name: order_key("gw:1", name))
    assert [device[0] for device in result] == by_key * 3


def test_stratum_of_several_labels_is_named_by_a_line_each() -> None:
    ordered = [DeviceId("d0"), DeviceId("d1")]
    strata = {"d0": ("ber", "a"), "d1": ("ber", "b")}

    result = spread(ordered, lambda device: strata[device], "gw:1")

    assert list(result) == sorted(
        ordered, key=lambda device: order_key("gw:1", "\n".join(strata[device]))
    )


def test_every_prefix_is_proportional() -> None:
    sizes = {"a": 500, "b": 300, "c": 150, "d": 50}
    ordered = [DeviceId(f"{name}{rank}") for name, size in sizes.items() for rank in range(size)]

    result = spread(ordered, lambda device: (device[0],), "gw:1")

    for length in range(1, len(result) + 1):
        for name, size in sizes.items():
            taken = sum(device[0] == name for device in result[:length])
            assert abs(taken - length * size / 1000) <= 1 + 1e-9


def test_spread_keeps_the_order_within_a_stratum() -> None:
    ordered = in_order([DeviceId(f"gw-{number}") for number in range(200)], "gw:1")

    result = spread(ordered, lambda device: (device[-1],), "gw:1")

    for digit in "0123456789":
        assert [d for d in result if d[-1] == digit] == [d for d in ordered if d[-1] == digit]
