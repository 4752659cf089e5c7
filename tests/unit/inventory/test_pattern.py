from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import PlanError
from orchestrator.inventory import Inventory

Load = Callable[..., Inventory]


FLEET = """
all:
  hosts:
    lone:
  children:
    gateways:
      hosts:
        gw[1:4]:
    production:
      hosts: {gw2: , gw3: , db1: }
    held:
      hosts: {gw3: }
    empty:
    site_a:
      children:
        rack_1: {hosts: {gw4: , db1: }}
    webcache: {hosts: {wc1: }}
    v6: {hosts: {"fe80::1": }}
"""


@pytest.fixture
def fleet(load: Load) -> Inventory:
    return load(FLEET)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("all", "lone gw1 gw2 gw3 gw4 db1 wc1 fe80::1"),
        ("*", "lone gw1 gw2 gw3 gw4 db1 wc1 fe80::1"),
        ("gateways", "gw1 gw2 gw3 gw4"),
        ("gateways:&production:!held", "gw2"),
        ("!held:&production:gateways", "gw2"),
        ("gateways,&production,!held", "gw2"),
        ("production:gateways", "gw2 gw3 db1 gw1 gw4"),
        ("gateways:production", "gw1 gw2 gw3 gw4 db1"),
        ("!gateways", "lone db1 wc1 fe80::1"),
        ("&gateways", "gw1 gw2 gw3 gw4"),
        ("gw*:!gw1", "gw2 gw3 gw4"),
        ("w*", "wc1"),
        ("gw?", "gw1 gw2 gw3 gw4"),
        ("*[13]*", "gw4 db1 gw1 gw3 wc1 fe80::1"),
        ("gw[!1]*", "gw2 gw3 gw4"),
        ("site_a", "gw4 db1"),
        ("ungrouped", "lone"),
        ("empty", ""),
        ("empty:&gateways", ""),
        ("gateways[0]", "gw1"),
        ("gateways[-1]", "gw4"),
        ("gateways[1:2]", "gw2 gw3"),
        ("gateways[2:]", "gw3 gw4"),
        ("gateways[2:99]", "gw3 gw4"),
        ("gateways:!gateways[0]", "gw2 gw3 gw4"),
        ("fe80::1", "fe80::1"),
        ("fe80::1,lone", "fe80::1 lone"),
        ("lone:lone", "lone"),
        (" gw1 , gw2 ", "gw1 gw2"),
    ],
)
def test_pattern_gives_hosts_in_its_own_order(fleet: Inventory, pattern: str, names: str) -> None:
    assert fleet.match(pattern) == tuple(names.split())


@pytest.mark.parametrize(
    ("pattern", "limit", "names"),
    [
        ("gateways", "production", "gw2 gw3"),
        ("gateways", "gw4,gw1", "gw1 gw4"),
        ("gateways", "!gw1", "gw2 gw3 gw4"),
        ("gateways", "lone", ""),
    ],
)
def test_limit_cuts_down_and_keeps_the_order_of_the_pattern(
    fleet: Inventory, pattern: str, limit: str, names: str
) -> None:
    assert fleet.match(pattern, limit=limit) == tuple(names.split())


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("", "I202"), ("  ", "I202"), ("gateways:", "I202"), ("gateways:!", "I202"), (":", "I202"),
        ("gateways,,held", "I202"), ("&", "I202"), ("x" * 70_000, "I202"),
        ("gatewais", "I201"), ("gateways:!hled", "I201"), ("gateways:&prod", "I201"),
        ("zz*", "I201"), ("gateways:!zz*", "I201"), ("pi-0[12]", "I201"), ("Gateways", "I201"),
        ("localhost", "I201"),
        ("gateways:&production,lone", "I203"),
        ("gateways[9]", "I204"), ("gateways[-5]", "I204"), ("gateways[7:9]", "I204"),
        ("gateways[2:1]", "I204"), ("gateways[0-1]", "I204"), ("!!held", "I204"),
        ("gateways[01:03]", "I204"), ("gateways[0:03]", "I204"), ("gateways[00]", "I204"),
        ("~(gw+)+", "I205"), ("gateways:!~(", "I205"),
        ("@retry.txt", "I206"),
    ],
)  # fmt: skip
def test_what_ansible_would_pass_over_is_refused(fleet: Inventory, pattern: str, code: str) -> None:
    with pytest.raises(PlanError) as caught:
        fleet.match(pattern)

    assert caught.value.code == code


def test_empty_limit_is_refused_and_names_the_way_out(fleet: Inventory) -> None:
    with pytest.raises(PlanError, match="the limit is empty") as caught:
        fleet.match("gateways", limit="")

    assert "`all`" in caught.value.hint


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("gatewais", "gateways"),
        ("gateways:!hled", "held"),
        ("lnoe", "lone"),  # a host
        ("lome*", "lone"),
    ],
)
def test_unknown_name_has_a_suggestion(fleet: Inventory, pattern: str, meant: str) -> None:
    with pytest.raises(PlanError, match=f"did you mean `{meant}`"):
        fleet.match(pattern)


@pytest.mark.parametrize("pattern", ["gw[1:3]", "gw[1]", "gateways[01:03]"])
def test_who_takes_a_subscript_for_a_range_of_names_is_told(fleet: Inventory, pattern: str) -> None:
    with pytest.raises(PlanError) as caught:
        fleet.match(pattern)

    name = pattern.partition("[")[0]
    hint = f"it picks elements and is no range of names, which are `{name}*`"
    assert (caught.value.hint, f"`{pattern}`" in caught.value.message) == (hint, True)


def test_suggestion_is_never_the_group_of_what_has_none(fleet: Inventory) -> None:
    with pytest.raises(PlanError, match=r"is called `nope`$"):
        fleet.match("nope")


def test_host_wins_over_a_group_of_its_name(load: Load) -> None:
    inventory = load("all:\n  children:\n    x: {hosts: {a: , x: }}\n")

    assert inventory.match("x") == ("x",)
    assert [warning.code for warning in inventory.findings()] == ["I122"]
