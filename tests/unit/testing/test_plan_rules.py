"""The checker of waves: tables from the text of R2 to R5, and plans that it must object to."""

import json
from dataclasses import replace

import pytest

from orchestrator.testing.drawn_controls import labels_of
from orchestrator.testing.drawn_plan import Known, resolve
from orchestrator.testing.plan_rules import check_waves, waves_of
from orchestrator.testing.plans import device_ids
from orchestrator.testing.seen import InvariantBroken

TEN = device_ids(10)
SITES = {name: {"site": "ab"[number > 6]} for number, name in enumerate(TEN)}  # 7 of a, 3 of b


def sizes(*waves, count=10, claims=None, **keys):
    """Sizes of waves, by name."""
    words = {"name": "gw", "order": "sorted", "waves": [*waves], **keys}
    found = waves_of(json.dumps(words), "new", device_ids(count), SITES, claims=claims or {})
    return {name: len(members) for name, members in found.items()}


@pytest.mark.parametrize(
    ("waves", "count", "expected"),
    [
        ((3, "rest"), 10, [3, 7]),
        ((12, "rest"), 10, [9, 1]),  # a canary is never the whole fleet
        (("100%",), 10, [10]),
        (("rest",), 1, [1]),
        (("1%", "rest"), 10, [1, 9]),  # at least one
        (("29%", "71%"), 10, [2, 8]),  # the wave that completes takes what is left
        (("33%", "33%", "34%"), 10, [3, 3, 4]),
        (("50%", "50%"), 1, [1, 0]),
        (({"percent": 10, "min": 3, "max": 5}, "rest"), 10, [3, 7]),
        (({"percent": 90, "min": 1, "max": 4}, "rest"), 10, [4, 6]),
    ],
)
def test_sizes_mean_so_many_devices(waves, count, expected):
    assert [*sizes(*waves, count=count).values()] == expected


def test_wave_with_hosts_of_its_own_chooses_first_and_shares_are_of_what_is_left():
    lab = {"name": "lab", "hosts": "lab", "size": "50%"}
    claims = {"lab": TEN[:4]}

    assert sizes("50%", lab, "rest", claims=claims) == {"lab": 2, "wave-1": 4, "wave-3": 4}
    whole = sizes(lab | {"size": "rest"}, "50%", "rest", claims=claims)
    assert whole == {"lab": 4, "wave-2": 3, "wave-3": 3}


def test_cover_adds_the_first_device_of_each_value():
    assert sizes(2, "rest", cover=["site"]) == {"wave-1": 3, "wave-2": 7}


DRAWN = {
    "schema": 1,
    "name": "gw",
    "hosts": "all",
    "artifact": "new.mender",
    "spread": ["site"],
    "waves": [2, {"name": "more", "size": "30%", "cover": ["hardware"]}, "rest"],
    "gates": [{"name": "s", "check": "service", "success_when": "result.exit == 0"}],
}


def resolved(**keys):
    text = json.dumps(DRAWN | keys)
    return text, resolve(text, TEN, "new", Known(TEN))


def check(text, plan):

    check_waves(text, plan, TEN, {one: labels_of(one) for one in TEN}, claims={})


@pytest.mark.parametrize("keys", [{}, {"sticky": True}, {"order": "reverse_inventory"}])
def test_planned_waves_are_those_of_the_text(keys):
    check(*resolved(**keys))


def first(plan, **changed):
    return replace(plan, waves=(replace(plan.waves[0], **changed), *plan.waves[1:]))


def test_waves_that_the_text_does_not_mean():
    text, plan = resolved()
    one, two = plan.waves[0].devices
    shrunk = first(plan, devices=(one,))
    turned = first(plan, devices=(two, one))
    wrong = first(plan, backfill_limit=1)
    more = replace(plan, waves=(*plan.waves, replace(plan.waves[0], name="extra")))

    for broken, match in (
        (shrunk, "R2 to R5: wave `wave-1`"),
        (turned, "R2 to R5: wave `wave-1`"),
        (wrong, "R7: 1 may take places"),
        (more, "R2: no text says anything of"),
    ):
        with pytest.raises(InvariantBroken, match=match):
            check(text, broken)


@pytest.mark.parametrize(
    "other", [{"sticky": True}, {"name": "other"}, {"order": "sorted"}, {"spread": []}]
)
def test_order_that_the_text_does_not_mean(other):
    text, _ = resolved(**other)
    _, plan = resolved()

    with pytest.raises(InvariantBroken, match="R2 to R5"):
        check(text, plan)
