"""Saved plans that were edited by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest
import rfc8785

from orchestrator.plan.digest import from_json, to_json
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.plan.soundness import flaw

Edit = Callable[[dict], object]

EDITS: dict[str, Edit] = {
    "its name": lambda plan: plan.update(name="\x1b[2J"),
    "no waves": lambda plan: plan.update(waves=[], devices={}),
    "becomes root": lambda plan: plan.update(become="; id"),
    "stands in 2 waves": lambda plan: plan["waves"][1].update(devices=plan["waves"][0]["devices"]),
    "is not described": lambda plan: plan["waves"][1]["devices"].append("stranger"),
    "stands in no wave": lambda plan: plan["waves"][1].update(devices=[]),
    "takes part and is skipped": lambda plan: plan.update(
        skipped=[{"device": "gw-1", "reason": "held", "detail": ""}]
    ),
    "is empty": lambda plan: plan["waves"].append({**plan["waves"][0], "name": "x", "devices": []}),
    "a wave is called": lambda plan: plan["waves"][1].update(name=plan["waves"][0]["name"]),
    "limit of wave": lambda plan: plan["waves"][0].update(max_parallel=0),
    "limit of wave 'wave-2'": lambda plan: plan["waves"][1].update(max_fail_share="3/2"),
    "no condition": lambda plan: plan["gates"][0].update(success_when='__import__("os")'),
    "has no condition": lambda plan: plan["gates"][0].update(success_when=None),
    "limit of gate": lambda plan: plan["gates"][0].update(count=0),
    "takes no part": lambda plan: plan["gates"][0].update(
        probes={"stranger": plan["gates"][0]["probe"]}
    ),
    "asks nothing": lambda plan: plan["gates"][0]["probe"].update(check="../../bin/sh"),
    "made at no time": lambda plan: plan.update(made_at=1e300),
    "a timeout": lambda plan: plan["timeouts"].update(connect_s=0),
    "its retries": lambda plan: plan["retries"].update(count=-1),
    "its rollback": lambda plan: plan["rollback"].update(max_parallel=0),
    "its start or a deadline": lambda plan: plan["schedule"].update(start_at=-1),
    "start or a deadline is at no time": lambda plan: plan["waves"][0].update(deadline_s=-5),
    "a window never opens": lambda plan: plan["schedule"].update(
        windows=[
            {
                "days": ["mon"],
                "start": "25:00",
                "duration_s": 60,
                "timezone": "UTC",
                "must_finish": False,
            }
        ]
    ),
    "window never opens": lambda plan: plan["schedule"].update(
        windows=[
            {
                "days": ["day"],
                "start": "01:00",
                "duration_s": 60,
                "timezone": "UTC",
                "must_finish": False,
            }
        ]
    ),
    "unknown time zone": lambda plan: plan["schedule"].update(
        windows=[
            {
                "days": ["mon"],
                "start": "01:00",
                "duration_s": 60,
                "timezone": "device",
                "must_finish": False,
            }
        ]
    ),
    "a freeze has no span": lambda plan: plan["schedule"].update(
        freezes=[{"from_at": 5, "to_at": 5, "reason": ""}]
    ),
    "rate starts no device": lambda plan: plan.update(rate={"per_minute": 0, "increase": None}),
    "rate does not grow": lambda plan: plan.update(
        rate={
            "per_minute": 1,
            "increase": {"factor": 0, "after_successes": 1, "max_per_minute": 2},
        }
    ),
    "limit per label": lambda plan: plan.update(max_parallel_per={"site": 0}),
    "its budget": lambda plan: plan["budget"].update(max_failures=-1),
    "its budget is out of range": lambda plan: plan["budget"].update(max_fail_share="3/2"),
    "a burst": lambda plan: plan["waves"][0].update(window={"failures": 1, "in_s": 0}),
    "an approval": lambda plan: plan.update(
        approval={"required": 0, "roles": [], "not_author": False, "expires_s": None}
    ),
    "requires a release": lambda plan: plan.update(
        requires=[{"plan": "x", "release": "~7", "per": "device"}]
    ),
    "its priority": lambda plan: plan.update(priority=1001),
    "a hook": lambda plan: plan.update(
        hooks=[{"events": ["halted"], "http": "", "command": [], "email": ""}]
    ),
    "no address": lambda plan: plan["devices"]["gw-1"]["address"].update(host="-oProxyCommand=id"),
}


@pytest.fixture
def resolved(plan, resolve) -> ResolvedPlan:
    return resolve(plan(), 4)


def test_what_resolving_makes_is_sound(resolved: ResolvedPlan) -> None:
    assert flaw(resolved) == ""


@pytest.mark.parametrize("named", EDITS)
def test_an_edit_by_hand_is_found(resolved: ResolvedPlan, named: str) -> None:
    document = json.loads(to_json(resolved))
    EDITS[named](document)

    assert named in flaw(from_json(rfc8785.dumps(document)))


def test_share_below_nothing_is_found(resolved: ResolvedPlan) -> None:
    first = replace(resolved.waves[0], max_unreachable_share=Fraction(-1))

    assert "limit of wave" in flaw(replace(resolved, waves=(first, *resolved.waves[1:])))
