from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.device.reason import Reason
from orchestrator.errors import PlanError
from orchestrator.plan.model import Plan
from orchestrator.plan.order import in_order
from orchestrator.plan.resolved import ResolvedPlan, Risk
from orchestrator.plan.survey import Surveyed
from tests.cost import spending

Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
GATES = "gates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"
FINE = Surveyed(reachable=True, device_type="pi4", artifact="gw-1.0", manifest="2" * 64)


def test_every_device_stands_in_one_wave_by_the_order(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan("waves: [1, 25%, rest]\n" + GATES), 24)

    placed = [device for wave in resolved.waves for device in wave.devices]
    assert [len(wave.devices) for wave in resolved.waves] == [1, 6, 17]
    assert resolved.seed == "gw:gw-1.4.2"
    assert tuple(placed) == in_order(resolved.devices, resolved.seed)
    assert set(placed) == set(resolved.devices)


def test_same_inputs_give_the_same_plan(plan: Parse, resolve: Resolve) -> None:
    text = "waves: [1, 25%, rest]\n" + GATES

    assert resolve(plan(text), 24) == resolve(plan(text), 24)


def test_release_is_the_artifact_unless_written(plan: Parse, resolve: Resolve) -> None:
    default = resolve(plan("waves: [rest]\n" + GATES))
    written = resolve(plan('waves: [rest]\nrelease: "{{ v }}-b"\nvars: {v: "1.10"}\n' + GATES))

    assert default.release == "gw-1.4.2"
    assert (written.release, written.seed) == ("1.10-b", "gw:1.10-b")


def test_release_has_an_upper_limit(plan: Parse, resolve: Resolve) -> None:
    with pytest.raises(PlanError) as caught:
        resolve(plan(f"waves: [rest]\nrelease: {'x' * 201}\n" + GATES))

    assert caught.value.diagnostics[0].message == "`release` is longer than 200 characters"


def test_inputs_are_recorded(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan("waves: [rest]\nbecome: sudo\n" + GATES))

    assert (resolved.plan_file, resolved.tool_version) == ("p.yml", "0.1.0")
    assert (resolved.plan_sha256, resolved.inventory_sha256) == ("a" * 64, "b" * 64)
    assert resolved.made_at == 1_700_000_000.25
    assert resolved.become == "sudo"
    assert resolved.surveyed is False


def test_survey_leaves_out_who_cannot_take_part(plan: Parse, resolve: Resolve) -> None:
    survey = {
        DeviceId("gw-0"): FINE,
        DeviceId("gw-1"): Surveyed(reachable=True, enrolled=False, detail="no helper"),
        DeviceId("gw-2"): Surveyed(reachable=True, device_type="pi3"),
        DeviceId("gw-3"): Surveyed(reachable=False, reason=Reason.HOST_KEY, detail="changed"),
        DeviceId("gw-4"): Surveyed(reachable=False, reason=Reason.AUTHENTICATION),
        DeviceId("gw-5"): Surveyed(reachable=False, reason=Reason.UNREACHABLE),
        DeviceId("gw-6"): Surveyed(reachable=False, reason=Reason.TIMEOUT),
    }

    resolved = resolve(plan("waves: [rest]\n" + GATES), 8, survey=survey)

    assert [(each.device, each.reason) for each in resolved.skipped] == [
        ("gw-1", Reason.NOT_ENROLLED),
        ("gw-2", Reason.INCOMPATIBLE),
        ("gw-3", Reason.HOST_KEY),
        ("gw-4", Reason.AUTHENTICATION),
    ]
    assert resolved.skipped[1].detail == "device type `pi3`, the artifact is for `pi4`"
    assert set(resolved.devices) == {"gw-0", "gw-5", "gw-6", "gw-7"}
    assert set(resolved.waves[0].devices) == set(resolved.devices)
    assert resolved.surveyed is True


def test_device_that_breaks_the_protocol_keeps_its_place(plan: Parse, resolve: Resolve) -> None:
    answer = Surveyed(reachable=True, reason=Reason.PROTOCOL, detail="no end line")

    resolved = resolve(plan("waves: [rest]\n" + GATES), 1, survey={DeviceId("gw-0"): answer})

    assert resolved.skipped == ()
    assert resolved.devices[DeviceId("gw-0")].current is None


def test_device_without_a_type_is_incompatible(plan: Parse, resolve: Resolve) -> None:
    survey = {DeviceId("gw-0"): Surveyed(reachable=True)}

    resolved = resolve(plan("waves: [rest]\n" + GATES), 2, survey=survey)

    assert resolved.skipped[0].reason is Reason.INCOMPATIBLE
    assert resolved.skipped[0].detail == "no device type, the artifact is for `pi4`"


def test_device_without_the_update_module_is_incompatible(plan: Parse, resolve: Resolve) -> None:
    survey = {
        DeviceId("gw-0"): Surveyed(reachable=True, device_type="pi4", has_module=False),
        DeviceId("gw-1"): FINE,
    }

    resolved = resolve(plan("waves: [rest]\n" + GATES), 2, survey=survey)

    (skipped,) = resolved.skipped
    assert (skipped.device, skipped.reason) == ("gw-0", Reason.INCOMPATIBLE)
    assert skipped.detail == "it has no update module `directory`, which the artifact is for"


def test_device_keeps_what_it_answered(plan: Parse, resolve: Resolve) -> None:
    answer = Surveyed(
        reachable=True, device_type="pi4", artifact="x", manifest="3" * 64, keeps_previous=False
    )
    survey = {DeviceId("gw-0"): answer, DeviceId("gw-1"): Surveyed(reachable=False)}

    devices = resolve(plan("waves: [rest]\n" + GATES), 2, survey=survey).devices

    asked, dark = devices[DeviceId("gw-0")], devices[DeviceId("gw-1")]
    assert (asked.current, asked.current_manifest, asked.keeps_previous) == ("x", "3" * 64, False)
    assert (dark.current, dark.current_manifest, dark.keeps_previous) == (None, None, True)
    assert asked.address == Address("192.0.2.0")
    assert asked.labels == {"site": "ber"}


def test_unchanged_device_stays_in_its_wave(plan: Parse, resolve: Resolve) -> None:
    current = Surveyed(reachable=True, device_type="pi4", artifact="gw-1.4.2", manifest="1" * 64)

    resolved = resolve(plan("waves: [rest]\n" + GATES), 1, survey={DeviceId("gw-0"): current})

    assert resolved.waves[0].devices == ("gw-0",)


def test_shares_are_of_the_eligible_devices(plan: Parse, resolve: Resolve) -> None:
    survey = {
        DeviceId(f"gw-{number}"): Surveyed(reachable=True, enrolled=False) for number in range(5)
    }

    resolved = resolve(plan("waves: [20%, rest]\n" + GATES), 10, survey=survey)

    assert [len(wave.devices) for wave in resolved.waves] == [1, 4]


def test_plan_without_devices_is_refused(plan: Parse, resolve: Resolve) -> None:
    with pytest.raises(PlanError, match="`all` selects no device") as caught:
        resolve(plan("waves: [rest]\n" + GATES), 0)

    assert caught.value.code == "P209"
    assert str(caught.value.where) == "p.yml:3:8"


def test_plan_of_which_nobody_is_left_says_why(plan: Parse, resolve: Resolve) -> None:
    away = Surveyed(reachable=True, enrolled=False)
    survey = {DeviceId("gw-0"): away, DeviceId("gw-1"): away}

    with pytest.raises(PlanError, match="no device of `all` can take part") as caught:
        resolve(plan("waves: [rest]\n" + GATES), 2, survey=survey)

    assert caught.value.hint == "left out: 2 not_enrolled"


def test_empty_wave_is_left_out_with_a_warning(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan("waves: [1, 10%, rest]\n" + GATES), 2)

    assert [wave.name for wave in resolved.waves] == ["wave-1", "wave-2"]
    assert resolved.risks == (Risk("P921", "wave `wave-3` has no device left and is skipped"),)


def test_gate_of_an_empty_wave_is_warned_about(plan: Parse, resolve: Resolve) -> None:
    gate = "gates: [{name: g, waves: [wave-3], check: a, success_when: result.exit == 0}]\n"

    resolved = resolve(plan("waves: [1, 10%, rest]\n" + gate), 2)

    assert resolved.risks[1] == Risk("P923", "gate `g` never speaks: its waves have no devices", 6)


def test_single_device_is_warned_about(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan("waves: [rest]\n" + GATES), 1)

    assert [(risk.code, risk.message) for risk in resolved.risks] == [
        ("P922", "one device only: nothing is tried before it, and it proves little"),
    ]


def test_capped_first_wave_says_so(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan("waves: [5, rest]\n" + GATES), 5)

    assert [len(wave.devices) for wave in resolved.waves] == [4, 1]
    assert "never the whole fleet" in resolved.waves[0].notes[0]
    assert resolved.waves[1].notes == ()


def test_warnings_of_the_plan_come_along(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan("waves: [rest]\n"))

    (risk,) = resolved.risks
    assert (risk.code, risk.line) == ("P901", 1)
    assert risk.message.startswith("the plan has no gates")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", (None, Fraction(0))),
        ("max_failures: 3", (3, Fraction(1))),
        ("max_fail_percentage: 29", (None, Fraction(29, 100))),
        ("max_failures: 3\nmax_fail_percentage: 29", (3, Fraction(29, 100))),
        ("max_failures: 3\nmax_fail_percentage: 0", (0, Fraction(0))),
    ],
)
def test_budget_is_what_is_written(
    plan: Parse, resolve: Resolve, written: str, expected: tuple[int | None, Fraction]
) -> None:
    wave = resolve(plan(f"waves: [rest]\n{written}\n" + GATES)).waves[0]

    assert (wave.max_failures, wave.max_fail_share) == expected


def test_wave_overrides_the_plan_key_by_key(plan: Parse, resolve: Resolve) -> None:
    first, second = resolve(
        plan(
            "soak: 1h\nmax_parallel: 7\nmax_fail_percentage: 2\n"
            "waves: [{size: 1, soak: 0s, max_failures: 0, slow_start: false}, rest]\n" + GATES
        )
    ).waves

    assert (first.soak_s, first.max_parallel, first.slow_start) == (0, 7, False)
    assert (first.max_failures, first.max_fail_share) == (0, Fraction(1, 50))
    assert (second.soak_s, second.max_parallel, second.slow_start) == (3600, 7, True)
    assert (second.max_failures, second.max_fail_share) == (None, Fraction(1, 50))


def test_unreachable_share_is_0_first_and_20_later(plan: Parse, resolve: Resolve) -> None:
    default = resolve(plan("waves: [1, 1, rest]\n" + GATES))
    written = resolve(plan("waves: [1, rest]\noffline: {max_unreachable_percentage: 10}\n" + GATES))

    shares = [wave.max_unreachable_share for wave in default.waves]
    assert shares == [Fraction(0), Fraction(1, 5), Fraction(1, 5)]
    assert [wave.max_unreachable_share for wave in written.waves] == [Fraction(1, 10)] * 2


def test_waves_are_backfilled_up_to_their_size(plan: Parse, resolve: Resolve) -> None:
    resolved = resolve(plan("waves: [1, 20%, rest]\n" + GATES))

    assert [wave.backfill_limit for wave in resolved.waves] == [1, 2, 7]


def test_timeouts_are_complete(plan: Parse, resolve: Resolve) -> None:
    timeouts = resolve(plan("waves: [rest]\ntimeouts: {reboot: 20m}\n" + GATES)).timeouts

    assert timeouts.confirm_s == 1200 + 200 + 10 + 60
    assert timeouts.lost_after_s == timeouts.confirm_s


def test_all_problems_with_variables_are_named_at_once(plan: Parse, resolve: Resolve) -> None:
    read = plan(
        """\
        waves: [rest]
        release: "{{ nope }}"
        gates:
          - {name: a, check: "{{ neither }}", success_when: result.exit == 0}
          - {name: b, command: ["{{ nor }}"], success_when: result.exit == 0}
        """
    )

    with pytest.raises(PlanError) as caught:
        resolve(read, 2)

    places = [str(each.where) for each in caught.value.diagnostics]
    assert places == ["p.yml:6:11", "p.yml:8:23", "p.yml:9:25"]
    assert "`p.yml` has 3 problems with these devices and variables" in caught.value.message


def test_hundred_thousand_devices_take_under_two_seconds(plan: Parse, resolve: Resolve) -> None:
    address = Address("192.0.2.1")
    devices = [Device(DeviceId(f"gw-{number:06}"), address) for number in range(100_000)]
    read = plan("waves: [1, 1%, 10%, rest]\n" + GATES)

    with spending() as cost:
        resolved = resolve(read, devices=devices)

    assert [len(wave.devices) for wave in resolved.waves] == [1, 1000, 10_000, 88_999]
    assert cost.cpu_s < 2
