from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.plan.first_wave import narrow_canary
from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave
from orchestrator.testing.plans import device_ids, make_plan


def placed(*waves: str, done: str = "", spread: tuple[str, ...] = ()) -> ResolvedPlan:
    """Waves whose letters are sites; devices of the site `done` run the release already."""
    sites = [site for wave in waves for site in wave]
    names = iter(device_ids(len(sites)))
    plan = make_plan(
        [
            ResolvedWave(f"w{n}", "1", tuple(next(names) for _ in wave))
            for n, wave in enumerate(waves)
        ]
    )
    target = plan.artifact.manifest_sha256
    return replace(
        plan,
        spread=spread,
        devices={
            name: replace(
                one,
                labels={"site": site} if site != "-" else {},
                current_manifest=target if site in done else None,
            )
            for (name, one), site in zip(plan.devices.items(), sites, strict=True)
        },
    )


def told(plan: ResolvedPlan) -> list[str]:
    assert all(risk.code == "P933" for risk in narrow_canary(plan))
    return [risk.message for risk in narrow_canary(plan)]


def test_canaries_of_one_site_alone_are_a_risk() -> None:
    assert told(placed("aa", "abc")) == [
        (
            "wave `w0` tries one `site` alone: all 2 devices are of `a`, later waves have 2 others; "
            "`cover: [site]` takes one of each"
        )
    ]
    assert "are of `a`, later waves have another one" in told(placed("aa", "ab"))[0]


def test_a_wave_that_tries_nothing_is_no_canary() -> None:
    assert told(placed("d", "ab", "c", done="d")) == []
    assert "wave `w1`" in told(placed("d", "aa", "c", done="d"))[0]


@pytest.mark.parametrize(
    "waves", [("aa", "a"), ("ab", "c"), ("abc",), ("a", "bc"), ("-", "ab"), ("--", "--")]
)
def test_no_risk_where_there_are_no_other_sites_or_several_are_tried(waves: tuple[str]) -> None:
    assert told(placed(*waves)) == []


def test_a_wave_that_a_person_chose_is_no_canary_and_adds_its_places() -> None:
    plan = placed("a", "bb", "abc")
    lab = replace(plan.waves[0], hosts="lab")

    assert told(replace(plan, waves=(lab, *plan.waves[1:]))) == []
    assert told(replace(plan, waves=(lab, plan.waves[2]))) == []
    same = placed("a", "aa", "ab")
    assert "wave `w1`" in told(replace(same, waves=(lab, *same.waves[1:])))[0]


def test_labels_that_waves_are_spread_over_count_as_places() -> None:
    plan = placed("aa", "b", spread=("site", "rack"))
    racks = {
        name: replace(one, labels={"rack": one.labels["site"]})
        for name, one in plan.devices.items()
    }

    (only,) = told(replace(plan, devices=racks))

    assert "tries one `rack` alone" in only
