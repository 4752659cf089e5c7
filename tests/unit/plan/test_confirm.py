from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.plan.confirm import MARGIN_S, confirm_s, lost_after_s, worst_case_s
from orchestrator.plan.model import Plan

Parse = Callable[[str], Plan]


def gate(plan: Parse, limits: str) -> Plan:
    return plan(
        "waves: [rest]\n"
        f"gates: [{{name: ok, check: svc, success_when: result.exit == 0, {limits}}}]\n"
    )


@pytest.mark.parametrize(
    ("limits", "expected_s"),
    [
        ("consecutive_error_limit: 0", 40),
        ("consecutive_error_limit: 4", 200),
        ("consecutive_error_limit: 0, initial_delay: 1m", 100),
        ("consecutive_error_limit: 0, count: 3", 120),
        ("consecutive_error_limit: 0, count: 3, failure_limit: 1", 120),
        ("consecutive_error_limit: 0, count: 3, inconclusive_limit: 1", 160),
        ("consecutive_error_limit: 0, consecutive_success_limit: 6", 240),
        ("consecutive_error_limit: 0, consecutive_success_limit: 6, failure_limit: 3", 960),
        ("consecutive_error_limit: 0, interval: 5s, timeout: 1s", 6),
    ],
)
def test_worst_case_counts_every_allowed_sample(
    plan: Parse, limits: str, expected_s: float
) -> None:
    (only,) = gate(plan, limits).gates

    assert worst_case_s(only) == expected_s


def test_confirm_is_reboot_gates_reconnect_and_margin(plan: Parse) -> None:
    read = gate(plan, "consecutive_error_limit: 0")

    assert confirm_s(read.timeouts, read.gates) == 300 + 40 + 10 + MARGIN_S


def test_gates_of_other_stages_do_not_hold_a_device_up(plan: Parse) -> None:
    read = gate(plan, "stage: wave")

    assert confirm_s(read.timeouts, read.gates) == 300 + 10 + MARGIN_S


def test_longer_confirm_may_be_written(plan: Parse) -> None:
    read = plan("waves: [rest]\ntimeouts: {confirm: 2h, lost_after: 3h}\n")

    assert confirm_s(read.timeouts, read.gates) == 7200
    assert lost_after_s(read.timeouts, read.gates) == 10_800


def test_device_is_not_lost_before_it_must_have_gone_back(plan: Parse) -> None:
    short = plan("waves: [rest]\n")
    long = plan("waves: [rest]\ntimeouts: {reboot: 1h}\n")

    assert lost_after_s(short.timeouts, short.gates) == 900
    assert lost_after_s(long.timeouts, long.gates) == confirm_s(long.timeouts, long.gates)
