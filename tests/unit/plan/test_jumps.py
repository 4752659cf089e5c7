from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.plan.jumps import version_jumps
from orchestrator.plan.resolved import ResolvedPlan, ResolvedWave
from orchestrator.testing.plans import device_ids, make_plan


def running(target: str, *names: str | None) -> ResolvedPlan:
    """A plan of `target` for devices that run these; the first of all others is at the target."""
    devices = device_ids(len(names))
    plan = make_plan([ResolvedWave("all", "rest", devices)])
    found = dict(zip(devices, names, strict=True))
    return replace(
        plan,
        artifact=replace(plan.artifact, name=target),
        devices={
            name: replace(
                one,
                current=found[name],
                current_manifest=plan.artifact.manifest_sha256
                if found[name] == target
                else "0" * 64,
            )
            for name, one in plan.devices.items()
        },
    )


def told(target: str, *names: str | None) -> list[tuple[str, str]]:
    return [(risk.code, risk.message) for risk in version_jumps(running(target, *names))]


def test_devices_that_pass_over_what_others_run_are_a_jump() -> None:
    assert told("gw-2.4.1", "gw-2.3.7", "gw-2.3.7", "gw-2.3.5", "gw-2.3.5", "gw-2.3.5") == [
        (
            "P931",
            "3 devices go from `gw-2.3.5` to `gw-2.4.1`, past `gw-2.3.7` that other devices run",
        )
    ]


def test_many_releases_in_between_are_counted() -> None:
    names = [f"gw-1.{minor}" for minor in range(2, 12)]

    (first, *_) = told("gw-1.20", "gw-1.0", "gw-1.0", *names)

    assert first[1].endswith(
        "past `gw-1.10`, `gw-1.11`, `gw-1.2` and 7 more that other devices run"
    )


def test_a_new_major_version_is_a_jump() -> None:
    assert told("gw-2.0", "gw-1.9") == [
        ("P931", "1 device goes from `gw-1.9` to `gw-2.0`: the first number of the version rises")
    ]


def test_going_back_is_told() -> None:
    assert told("gw-2.4", "gw-2.5", "gw-2.5", "gw-2.3") == [
        ("P932", "2 devices run `gw-2.5`, which is newer, and go back to `gw-2.4`")
    ]


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("gw-2.4", ("gw-2.3", "gw-2.3")),
        ("gw-2.4", ("gw-2.4", "gw-2.3")),
        ("gw-2.4", (None, "", "modem-1.0")),
        ("gw-2.4", ("gw-stable",)),
        ("stable", ("gw-1.0", "stable-2")),
        ("gw-v2.4", ("gw-2.3",)),
        ("gw-2.4.0", ("gw-2.4",)),
    ],
)
def test_one_step_or_what_cannot_be_compared_is_no_jump(
    target: str, names: tuple[str | None, ...]
) -> None:
    assert told(target, *names) == []
