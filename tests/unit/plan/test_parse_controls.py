from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from textwrap import dedent

from orchestrator.plan.controls import (
    Approval,
    Budget,
    Burst,
    Hook,
    HookEvent,
    LateJoiners,
    OfflinePolicy,
    OnConflict,
    Order,
    Rate,
    RateIncrease,
    Requirement,
    RequirePer,
    Rollback,
    RollbackOrder,
    RollbackScope,
)
from orchestrator.plan.model import Backfill, Deadline, Plan
from orchestrator.plan.schedule import DeadlineAction, Freeze, Schedule, Window

Parse = Callable[[str], Plan]
TAIL = "waves: [rest]\ngates: [{name: ok, check: svc, success_when: result.exit == 0}]\n"


def test_nothing_written_is_the_defaults(plan: Parse) -> None:
    read = plan(TAIL)

    controls = read.controls
    assert controls.schedule == Schedule()
    assert (controls.rate, controls.approval, controls.requires) == (None, None, ())
    assert (controls.budget, controls.hooks) == (Budget(), ())
    assert (controls.priority, controls.on_conflict) == (500, OnConflict.QUEUE)
    assert (read.order.by, read.order.sticky, read.order.spread) == (Order.HASH, False, ())
    assert read.order.late_joiners is LateJoiners.IGNORE
    assert (read.offline.policy, read.offline.for_s) == (OfflinePolicy.DEFER, 14 * 86400)


def test_limits_of_the_rollout(plan: Parse) -> None:
    controls = plan(
        "max_parallel_per: {site: 2, hardware: 5}\n"
        "rate: {per_minute: 20, increase: {factor: 1.5, after_successes: 100, max_per_minute: 200}}\n"
        "budget: {max_failures: 25, max_fail_percentage: 2.5, window: {failures: 5, in: 10m}}\n"
        + TAIL
    ).controls

    limits = [(each.label.text, each.limit) for each in controls.max_parallel_per]
    assert limits == [("site", 2), ("hardware", 5)]
    assert controls.rate == Rate(20, RateIncrease(1.5, 100, 200))
    assert controls.budget == Budget(25, Fraction(1, 40), Burst(5, 600.0))


def test_rate_grows_twofold_where_nothing_is_said(plan: Parse) -> None:
    text = "rate: {per_minute: 1, increase: {after_successes: 2, max_per_minute: 3}}\n"

    assert plan(text + TAIL).controls.rate == Rate(1, RateIncrease(2.0, 2, 3))


def test_others_are_required_and_told(plan: Parse) -> None:
    controls = plan(
        TAIL
        + dedent("""\
        requires:
          - {plan: modem-fw, release: ">=7.3", per: site}
          - {plan: base}
        approval: {required: 2, from: [ops, safety], not_author: true, expires: 24h}
        hooks:
          - {events: [halted, inconclusive, halted], http: "https://chat.example/hook"}
          - {events: [succeeded], command: [/usr/bin/notify, done]}
          - {events: [failed], email: ops@example.org}
        """)
    ).controls

    assert controls.requires == (
        Requirement("modem-fw", ">=7.3", RequirePer.SITE),
        Requirement("base"),
    )
    assert controls.approval == Approval(2, ("ops", "safety"), not_author=True, expires_s=86400.0)
    assert controls.hooks == (
        Hook((HookEvent.HALTED, HookEvent.INCONCLUSIVE), http="https://chat.example/hook"),
        Hook((HookEvent.SUCCEEDED,), command=("/usr/bin/notify", "done")),
        Hook((HookEvent.FAILED,), email="ops@example.org"),
    )


def test_time(plan: Parse) -> None:
    schedule = plan(
        TAIL
        + dedent("""\
        start_at: 2026-12-01T01:00:00Z
        windows:
          - {days: [thu, mon], start: "01:00", duration: 4h, timezone: device, must_finish: true}
          - {start: "23:30", duration: 1h, timezone: Europe/Berlin}
        freezes:
          - {from: 2026-12-18T00:00:00Z, to: 2027-01-04T00:00:00Z, reason: year end}
          - {from: 2026-12-01T00:00:00+01:00, to: 2026-12-01T00:00:00Z}
        stage_outside_window: true
        deadline: {after: 21d, action: pause}
        """)
    ).controls.schedule

    every_day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    assert schedule.start_at == 1_796_086_800.0
    assert schedule.windows == (
        Window(("mon", "thu"), "01:00", 14_400.0, "device", must_finish=True),
        Window(every_day, "23:30", 3600.0, "Europe/Berlin"),
    )
    assert schedule.freezes == (
        Freeze(1_797_552_000.0, 1_799_020_800.0, "year end"),
        Freeze(1_796_079_600.0, 1_796_083_200.0),
    )
    assert schedule.stage_outside_window
    assert (schedule.deadline_s, schedule.deadline_action) == (21 * 86400.0, DeadlineAction.PAUSE)


def test_order(plan: Parse) -> None:
    given = plan("order: {seed: winter}\nspread: [site, hardware]\n" + TAIL).order
    by_name = plan("order: reverse_sorted\nsticky: true\nlate_joiners: append\n" + TAIL).order

    assert (given.by, given.seed and given.seed.text) == (Order.HASH, "winter")
    assert [label.text for label in given.spread] == ["site", "hardware"]
    assert (by_name.by, by_name.seed, by_name.sticky) == (Order.REVERSE_SORTED, None, True)
    assert by_name.late_joiners is LateJoiners.APPEND


def test_keys_of_waves(plan: Parse) -> None:
    lab, canary, broad = plan(
        """\
        waves:
          - {name: lab, hosts: lab, size: 100%, backfill: false}
          - name: canary
            size: 2%
            cover: [hardware]
            backfill: {limit: 5}
            deadline: 2d
            window: {failures: 0, in: 5m}
            approval: {required: 2}
          - {name: broad, size: rest, backfill: true}
        gates: [{name: ok, check: svc, success_when: result.exit == 0}]
        """
    ).waves

    assert lab.hosts is not None
    assert (lab.hosts.text, lab.limits.backfill and lab.limits.backfill.enabled) == ("lab", False)
    assert [label.text for label in canary.limits.cover or ()] == ["hardware"]
    assert isinstance(canary.limits.backfill, Backfill)
    assert canary.limits.backfill.limit == 5
    assert canary.deadline == Deadline(2 * 86400.0)
    assert canary.window == Burst(0, 300.0)
    assert canary.approval == Approval(2)
    assert broad.limits.backfill is not None
    assert (broad.limits.backfill.enabled, broad.limits.backfill.limit) == (True, None)
    assert (broad.hosts, broad.approval, broad.deadline, broad.window) == (None,) * 4


def test_rollback_and_offline(plan: Parse) -> None:
    read = plan(
        "rollback: {scope: rollout, order: forward, verify: true, respect_windows: true,\n"
        "  respect_freezes: true, max_parallel: 200}\n"
        "offline: {policy: wait, for: 2d, max_unreachable_percentage: 10}\n" + TAIL
    )

    assert read.rollback == Rollback(
        RollbackScope.ROLLOUT,
        200,
        RollbackOrder.FORWARD,
        respect_windows=True,
        respect_freezes=True,
    )
    assert (read.offline.policy, read.offline.for_s) == (OfflinePolicy.WAIT, 2 * 86400.0)
    assert read.offline.max_unreachable_share == Fraction(1, 10)
