from dataclasses import replace
from fractions import Fraction

import pytest

from orchestrator.plan.preview import preview
from orchestrator.plan.resolved import OnFailure
from orchestrator.render.preview import text
from orchestrator.render.text import Look, cells

DIGEST = "e1" * 32


@pytest.mark.parametrize("width", [60, 80, 120])
def test_whole_preview(plan, width, golden) -> None:
    shown = text(preview(plan), DIGEST, Look(width))

    golden(f"preview-{width}.txt", shown)
    assert all(cells(line) <= width for line in shown.splitlines())


def test_in_colour(plan, golden) -> None:
    golden("preview-colour.txt", text(preview(plan), DIGEST, Look(80, colour=True)))


def test_in_ascii(plan) -> None:
    assert text(preview(plan), DIGEST, Look(80, unicode=False)).isascii()


def test_it_ends_by_saying_that_nothing_was_changed(plan) -> None:
    assert text(preview(plan), DIGEST, Look()).endswith("Nothing was changed.\n")


def test_all_names_are_shown_where_asked_for(plan) -> None:
    shown = text(preview(plan), DIGEST, Look(), all_names=True)

    assert all(f"gw-{i:03}" in shown for i in range(1, 25))


def test_an_offline_preview_says_that_nobody_was_asked(plan_with) -> None:
    assert "devices were not asked (offline)" in text(
        preview(plan_with(surveyed=False)), DIGEST, Look()
    )


def test_without_keys_the_signature_is_left_to_the_devices(plan, plan_with) -> None:
    unsigned = plan_with(artifact=replace(plan.artifact, signed_by=""))

    assert "checked by the devices, not here" in text(preview(unsigned), DIGEST, Look(200))


@pytest.mark.parametrize(
    ("on_failure", "words"),
    [
        (OnFailure.HALT, "stops and waits for a person"),
        (OnFailure.CONTINUE, "goes on"),
        (OnFailure.ROLLBACK, "rolls the wave back"),
    ],
)
def test_it_says_what_follows_a_failure(plan_with, on_failure, words) -> None:
    assert words in text(preview(plan_with(on_failure=on_failure)), DIGEST, Look(100))


def test_hostile_text_of_plan_and_devices_is_escaped(plan, plan_with) -> None:
    evil = "\x1b[2J\u202e"
    devices = {name: replace(device, current=evil) for name, device in plan.devices.items()}
    hostile = plan_with(name=evil, devices=devices, warnings=(evil,), plan_file=evil)

    shown = text(preview(hostile), DIGEST, Look())

    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_10_000_devices_fit_on_a_screen(plan_of) -> None:
    plan = plan_of([f"n-{(i * 7919) % 100_000:05}" for i in range(10_000)], (10, 990, 9000))

    shown = text(preview(plan), DIGEST, Look(100))

    assert len(shown.splitlines()) < 50
    assert max(map(cells, shown.splitlines())) <= 100


def test_where_nothing_changes_no_limits_are_promised(plan, plan_with) -> None:
    done = {
        name: replace(device, current_manifest=plan.artifact.manifest_sha256)
        for name, device in plan.devices.items()
    }

    shown = text(preview(plan_with(devices=done)), DIGEST, Look())

    assert "0 to update, 24 unchanged, 3 skipped." in shown
    assert "\n\n\n" not in shown
    assert "Halts when" not in shown
    assert "100 %  -" not in shown
    assert "< 100 %" not in shown


def test_all_names_come_with_what_they_run_now(plan) -> None:
    shown = " ".join(text(preview(plan), DIGEST, Look(), all_names=True).split())

    current = plan.devices[plan.waves[0].devices[-1]].current
    assert f"(now {current})" in shown


def test_it_says_how_many_may_stay_unreachable(plan) -> None:
    waves = tuple(
        replace(wave, name=f"w{at}", max_unreachable_share=Fraction(share))
        for at, (wave, share) in enumerate(zip(plan.waves, (0, 0, 1), strict=True), 1)
    )

    shown = text(preview(replace(plan, waves=waves)), DIGEST, Look(200))

    assert "more devices stay unreachable than may: 0 in w1 to w2, " in shown
    assert " in w3\n" in shown
