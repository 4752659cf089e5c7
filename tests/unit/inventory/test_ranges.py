from __future__ import annotations

import pytest

from orchestrator.inventory.ranges import HOSTS_MAX, RangeError, expand, split_port


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("web", ["web"]),
        ("web[1:3]", ["web1", "web2", "web3"]),
        ("web[01:03].lan", ["web01.lan", "web02.lan", "web03.lan"]),
        ("web[:2]", ["web0", "web1", "web2"]),
        ("web[0:6:3]", ["web0", "web3", "web6"]),
        ("web[0:2]", ["web0", "web1", "web2"]),
        ("r[a:c]", ["ra", "rb", "rc"]),
        ("r[y:B]", ["ry", "rz", "rA", "rB"]),
        ("r[a:e:2]", ["ra", "rc", "re"]),
        ("r[a:b]-[1:2]", ["ra-1", "ra-2", "rb-1", "rb-2"]),
        ("10.0.[0:1].[8:9]", ["10.0.0.8", "10.0.0.9", "10.0.1.8", "10.0.1.9"]),
        ("x[098:101]", ["x098", "x099", "x100", "x101"]),
    ],
)
def test_range_expands_with_both_ends(key: str, names: list[str]) -> None:
    assert list(expand(key)) == names


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("w[3:1]", "empty"),
        ("w[c:a]", "empty"),
        ("w[1-3]", "not a range"),
        ("w[1:]", "not a range"),
        ("w[1:3:0]", "step 0"),
        ("w[aa:ad]", "not a range"),
        ("w[a:3]", "mixes"),
        ("w[:c]", "mixes"),
        ("w[01:100]", "different length"),
        ("w[1:3", "partner"),
        ("w1:3]", "partner"),
        ("w[]", "not a range"),
        ("w[0:9999999999]", "digits"),
        ("w[0:99999999]", "stands for"),
        ("w[0:9999][0:9999]", "stands for"),
    ],
)
def test_malformed_empty_and_endless_ranges_are_refused(key: str, part: str) -> None:
    with pytest.raises(RangeError, match=part):
        expand(key)


def test_dash_has_the_colon_as_its_fix() -> None:
    with pytest.raises(RangeError) as caught:
        expand("w[1-3]")

    assert "[1:3]" in caught.value.hint


def test_largest_range_is_made() -> None:
    assert len(expand(f"w[1:{HOSTS_MAX}]")) == HOSTS_MAX


@pytest.mark.parametrize(
    ("key", "host", "port"),
    [
        ("gw", "gw", None),
        ("gw:2222", "gw", 2222),
        ("gw[1:9]", "gw[1:9]", None),
        ("gw[1:9]:22", "gw[1:9]", 22),
        ("[fe80::1]:22", "fe80::1", 22),
        ("[fe80::1]", "fe80::1", None),
        ("fe80::1", "fe80::1", None),
        ("fe80::[1:3]", "fe80::[1:3]", None),
        ("10.0.0.1:65535", "10.0.0.1", 65535),
    ],
)
def test_port_stands_behind_the_host(key: str, host: str, port: int | None) -> None:
    assert split_port(key) == (host, port)


@pytest.mark.parametrize("key", ["gw:0", "gw:70000", "gw:99999999999", "gw:ssh", "a:b:22", "gw:"])
def test_bad_port_is_refused(key: str) -> None:
    with pytest.raises(RangeError):
        split_port(key)
