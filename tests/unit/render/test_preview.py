import re
from dataclasses import replace
from fractions import Fraction

import pytest

from orchestrator.device.model import Address, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.plan.preview import preview
from orchestrator.plan.resolved import (
    Approval,
    Budget,
    Burst,
    Compare,
    CompareTest,
    CompareTo,
    DeadlineAction,
    Direction,
    Freeze,
    Hook,
    HookEvent,
    OfflinePolicy,
    OnConflict,
    OnFailure,
    Order,
    PlannedDevice,
    PlannedOpening,
    PlannedTicket,
    PlannedTrust,
    Probe,
    ProbeKind,
    Rate,
    Requirement,
    RequirePer,
    Risk,
    Rollback,
    RollbackOrder,
    Schedule,
    Skipped,
    Window,
)
from orchestrator.plan.statistics import upper_bound
from orchestrator.render.limit_lines import percent, percent_at_most
from orchestrator.render.preview import text
from orchestrator.render.preview_markdown import markdown
from orchestrator.render.text import Look, cells
from orchestrator.render.words import instants
from tests.unit.render.production import production

DIGEST = "e1" * 32
PAINT = re.compile(r"\x1b\[[0-9;]*m")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


LOOKS = {
    "": Look(),
    "-colour": Look(colour=True),
    "-ascii": Look(unicode=False),
    "-colour-ascii": Look(colour=True, unicode=False),
}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("kind", LOOKS)
def test_whole_preview(width: int, kind: str, golden) -> None:
    look = replace(LOOKS[kind], width=width)

    shown = text(preview(production()), DIGEST, look)

    golden(f"preview-{width}{kind}.txt", shown)
    assert all(cells(PAINT.sub("", line)) <= width for line in shown.splitlines())
    assert shown.isascii() or look.unicode


def test_preview_fits_40_columns() -> None:
    shown = text(preview(production()), DIGEST, Look(40))

    assert [line for line in shown.splitlines() if cells(line) > 40] == []
    assert "devices  may fail  at risk" in shown


def test_colour_only_adds_to_the_text() -> None:
    facts = preview(production())

    assert PAINT.sub("", text(facts, DIGEST, Look(80, colour=True))) == text(
        facts, DIGEST, Look(80)
    )


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


def test_what_is_sent_at_most_stands_beside_what_differences_would_make_of_it(plan_with) -> None:
    running = PlannedDevice(
        Address("192.0.2.1"), current="gateway-1.4.1", current_manifest="2" * 64
    )
    plan = plan_with()
    plan = replace(plan, devices=dict.fromkeys(plan.devices, running))

    facts = preview(plan, saves={"2" * 64: 60_000_000})

    words = (
        "Transfer   1.4 GiB to 24 devices, at most 17 at once; 96.1 MiB where 24 of them take the"
    )
    assert words in text(facts, DIGEST, Look(200))
    assert "1.4 GiB to send; 96.1 MiB where 24 of them take the difference" in markdown(
        facts, DIGEST, ()
    )


def test_a_ticket_is_shown_with_its_end(plan, plan_with) -> None:
    ticket = PlannedTicket("0" * 64, "1" * 64, "acme-prod", 42, 1_764_417_600.0, 7, ("pi4",))
    released = plan_with(artifact=replace(plan.artifact, ticket=ticket))

    assert "serial 42 of fleet acme-prod, good until 2025-11-29 12:00 UTC" in text(
        preview(released), DIGEST, Look(200)
    )
    assert "Ticket     none: devices take the artifact by its signature alone" in text(
        preview(plan), DIGEST, Look(200)
    )


def test_it_says_which_line_of_the_ticket_stops_which_wave(plan, plan_with) -> None:
    lines = (PlannedOpening(20, plan.made_at + 3600), PlannedOpening(60, plan.made_at + 86_400))
    ticket = PlannedTicket("0" * 64, "1" * 64, "acme", 1, plan.made_at + 1e6, 7, ("pi4",), lines)
    unasked = {name: replace(device, current=None) for name, device in plan.devices.items()}
    window = Window(DAYS, "02:00", 86_400.0, "Asia/Tokyo")
    released = plan_with(
        artifact=replace(plan.artifact, ticket=ticket),
        devices=unasked,
        schedule=Schedule(windows=(window,)),
    )

    shown = text(preview(released), DIGEST, Look(300))

    first, second = instants((plan.made_at + 3600, plan.made_at + 86_400), "Asia/Tokyo")
    assert f"judge it, and let begin 20 % from {first}, 60 % from {second}" in shown
    assert "Order      by the ticket's buckets, then by hash of" in shown
    assert "the ticket (`open 60`) lets its one device begin at" in shown
    assert "Asia/Tokyo, not before" in shown
    assert "no line of the ticket ever lets" in shown
    assert "of soak, gates, windows and the ticket's lines; ends at" in shown


def test_it_says_what_devices_hold_a_release_against_and_who_will_refuse(plan, plan_with) -> None:
    first, second, *_ = plan.devices
    trust = PlannedTrust(2, "acme", 7, 41, ("ecdsa-p256", "rsa"))
    devices = {
        **plan.devices,
        first: replace(plan.devices[first], trust=trust),
        second: replace(plan.devices[second], trust=PlannedTrust(None, None, None, None)),
    }
    skipped = (Skipped(DeviceId("gw-x"), Reason.TICKET_SECURITY, "its security floor is 9"),)

    shown = text(preview(plan_with(devices=devices, skipped=skipped)), DIGEST, Look(300))

    assert "Trust      no trust root: any signed artifact (" in shown
    assert "root 2 of acme, floor 7, serial 41, ecdsa-p256, rsa keys (1)" in shown
    assert "root unknown, floor unknown, serial unknown, no keys (1)" in shown
    assert "1 below the security floor: gw-x\n    gw-x: its security floor is 9" in shown
    assert "Trust" not in text(preview(plan), DIGEST, Look(300))


def test_it_says_which_artifacts_devices_must_run(plan, plan_with) -> None:
    names = tuple(f"gateway-1.{minor}" for minor in range(7))
    bound = plan_with(artifact=replace(plan.artifact, follows=names))

    shown = text(preview(bound), DIGEST, Look(300))

    assert "for rpi4, rpi5; follows gateway-1.0 or gateway-1.1 or " in shown
    assert "or gateway-1.4 or 2 more" in shown


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
    hostile = plan_with(
        name=evil, devices=devices, warnings=(evil,), risks=(Risk(evil, evil),), plan_file=evil
    )

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


def test_limits_of_one_wave_stand_beside_it(plan) -> None:
    wave = replace(
        plan.waves[0],
        approval=Approval(2, ("ops",), not_author=True, expires_s=86400.0),
        window=Burst(1, 600.0),
        deadline_s=172800.0,
        backfill_limit=0,
        notes=("claimed by its hosts `lab`",),
    )

    shown = text(preview(replace(plan, waves=(wave, *plan.waves[1:]))), DIGEST, Look(120))

    assert "· claimed by its hosts `lab`\n" in shown
    assert "· starts after 2 approvals from ops, not of the author, within 1d\n" in shown
    assert "· stops at more than 1 failure within 10m\n" in shown
    assert "· halts if it is not over 2d after its start\n" in shown
    assert "· unreachable devices are not replaced by devices of later waves\n" in shown


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"order": Order.INVENTORY}, "Order      as in the inventory\n"),
        ({"order": Order.REVERSE_SORTED}, "Order      by name, from the end\n"),
        ({"sticky": True}, "by hash of gateway-fw:1.4.2, the same in every release\n"),
        ({"spread": ("a", "b")}, "by hash of gateway-fw:1.4.2, spread over a and b\n"),
        ({"approval": Approval()}, "Approval   starts after 1 approval\n"),
        (
            {"requires": (Requirement("modem", "", RequirePer.SITE),)},
            "Requires   modem, any release, on all devices of its site before a device starts\n",
        ),
        (
            {"schedule": Schedule(windows=(Window(DAYS, "01:00", 60.0, "UTC"),))},
            "Window     every day from 01:00 for 1m (UTC)\n",
        ),
        (
            {"schedule": Schedule(freezes=(Freeze(0.0, 60.0),) * 7)},
            "Frozen     2 times more\n",
        ),
        (
            {"schedule": Schedule(deadline_s=3600.0, deadline_action=DeadlineAction.PAUSE)},
            "Deadline   pauses if it is not over 1h after its start\n",
        ),
        (
            {"hooks": (Hook((HookEvent.ROLLED_BACK,), command=("notify", "x")),)},
            "Tells      notify x when rolled back\n",
        ),
        (
            {"budget": Budget(5, Fraction(1, 12), Burst(3, 60.0))},
            "Budget     2 failures in all waves together and 3 failures within 1m\n",
        ),
        ({"rate": Rate(1)}, "Rate       1 device a minute\n"),
        (
            {"max_parallel_per": {"site": 2, "rack": 1}},
            "At once    at most 2 per site, 1 per rack\n",
        ),
        (
            {"offline": OfflinePolicy.WAIT},
            "do not answer are waited for by their wave, each for at most 14d\n",
        ),
        (
            {"on_conflict": OnConflict.FAIL},
            "Conflicts  priority 500; refuses to start beside another rollout of its devices\n",
        ),
        (
            {"rollback": Rollback(order=RollbackOrder.FORWARD)},
            "rolls the wave back, oldest first",
        ),
    ],
)
def test_every_part_of_a_plan_is_shown(plan_with, changes, words) -> None:
    assert words in text(preview(plan_with(**changes)), DIGEST, Look(120))


def test_it_says_until_when_each_wave_can_go_back(plan) -> None:
    canary, *_ = plan.waves[0].devices
    early = plan.waves[1].devices
    devices = {
        name: replace(device, keeps_previous=name not in (canary, early[0]))
        for name, device in plan.devices.items()
    }

    shown = text(preview(replace(plan, devices=devices)), DIGEST, Look(200))

    assert (
        "Way back   canary: until the wave has passed, 5s at the earliest; "
        "early: 1 of 6 devices only until the wave has passed, 10s at the earliest; rest: any time\n"
    ) in shown


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (Probe(ProbeKind.TCP, host="h", port=22), "tcp h:22"),
        (Probe(ProbeKind.STATS, stat="duration"), "stats duration"),
        (Probe(ProbeKind.PROMETHEUS, query="up", label="device"), "prometheus up per device"),
    ],
)
def test_gates_say_what_they_ask(plan, gate, words) -> None:
    gates = (replace(plan.gates[0], probe=gate),)

    assert words in text(preview(replace(plan, gates=gates)), DIGEST, Look(200))


def test_comparison_is_told_in_words(plan) -> None:
    compare = Compare(CompareTo.BEFORE, CompareTest.RATIO, 0.05, Direction.DECREASE, 0.9, 1)
    gates = (replace(plan.gates[0], compare=compare, success_when=None),)

    assert (
        "fails below 0.9 times the same devices before (ratio, alpha 0.05, 1 value a side at least)"
    ) in text(preview(replace(plan, gates=gates)), DIGEST, Look(200))


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0 %"), (0.00001, "0.001 %"), (0.0001, "0.01 %"), (0.0416, "4.2 %"), (0.05, "5 %"),
        (0.25, "25 %"), (0.9996, "99.9 %"), (1.0, "100 %"),
    ],
)  # fmt: skip
def test_little_is_not_nothing_and_nearly_all_is_not_all(share, shown) -> None:
    assert percent(share) == shown


@pytest.mark.parametrize("count", [1, 2, 3, 6, 17, 59, 299, 2500, 7499, 100_000])
def test_never_more_is_said_than_is_proven(count) -> None:
    shown = float(percent_at_most(upper_bound(count)).split()[0])

    assert upper_bound(count) * 100 <= shown + 1e-9
    assert shown <= max(upper_bound(count) * 100 * 2, upper_bound(count) * 100 + 1)
