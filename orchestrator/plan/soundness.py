"""What a resolved plan out of a file must keep before it is shown or run.

A saved plan is canonical JSON of the right types, but a file can be edited: whoever changes it by
hand must get a refusal, never a rollout of another shape than any YAML could have asked for.

Laws:
1. `flaw` finds nothing in what `resolve_plan` makes.
2. It looks at shape and limits only; whether inputs changed since is for the stale check.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from orchestrator.device.model import Address, Hop
from orchestrator.plan.expression import ANY_SCOPE
from orchestrator.plan.expression_model import ExpressionError
from orchestrator.plan.expression_parser import parse_expression
from orchestrator.plan.parse import BECOME
from orchestrator.plan.parse_check import check_name_problem
from orchestrator.plan.parse_probes import is_host, is_kind_name, url_problem
from orchestrator.plan.parse_schedule import WEEK_S, is_clock
from orchestrator.plan.reader import COUNT_MAX, NAME
from orchestrator.plan.releases import constraint_problem
from orchestrator.plan.resolved import (
    PRIORITY_MAX,
    Gate,
    Probe,
    ProbeKind,
    ResolvedPlan,
    ResolvedWave,
    StatName,
)
from orchestrator.plan.schedule import ZONE_OF_DEVICE, Day
from orchestrator.plan.zones import zone_names

_PORT_MAX = 65535
_END_OF_9999 = 253_402_300_800.0


def flaw(plan: ResolvedPlan) -> str:
    """The first thing that no resolved plan says, or "". Cost: linear in devices."""
    looks: tuple[Callable[[ResolvedPlan], Iterator[str]], ...] = (
        _heads,
        _members,
        _wave_limits,
        _gates,
        _times,
        _schedule,
        _counts,
        _controls,
        _addresses,
    )
    return next(chain.from_iterable(look(plan) for look in looks), "")


def _heads(plan: ResolvedPlan) -> Iterator[str]:
    if not NAME.fullmatch(plan.name):
        yield "its name is no name"
    if not plan.waves:
        yield "it has no waves"
    if plan.become not in (None, *BECOME):
        yield f"it becomes root by {plan.become!a}"
    if not is_instant(plan.made_at):
        yield "it was made at no time"


def _members(plan: ResolvedPlan) -> Iterator[str]:
    placed = Counter(device for wave in plan.waves for device in wave.devices)
    for device, count in placed.items():
        if count > 1:
            yield f"device {device!a} stands in {count} waves"
        if device not in plan.devices:
            yield f"device {device!a} of a wave is not described"
    for device in plan.devices:
        if device not in placed:
            yield f"device {device!a} stands in no wave"
    for skipped in plan.skipped:
        if skipped.device in plan.devices:
            yield f"device {skipped.device!a} takes part and is skipped"


def _wave_limits(plan: ResolvedPlan) -> Iterator[str]:
    names = Counter(wave.name for wave in plan.waves)
    for wave in plan.waves:
        if names[wave.name] > 1 or not NAME.fullmatch(wave.name):
            yield f"a wave is called {wave.name!a}"
        if not wave.devices:
            yield f"wave {wave.name!a} is empty"
        if not _has_limits(wave):
            yield f"a limit of wave {wave.name!a} is out of range"


def _has_limits(wave: ResolvedWave) -> bool:
    return (
        _is_time(wave.soak_s)
        and 1 <= wave.max_parallel <= COUNT_MAX
        and 0 <= (wave.max_failures or 0) <= COUNT_MAX
        and 0 <= wave.max_fail_share <= 1
        and 0 <= wave.max_unreachable_share <= 1
        and 0 <= wave.backfill_limit <= COUNT_MAX
    )


def _gates(plan: ResolvedPlan) -> Iterator[str]:
    names = Counter(gate.name for gate in plan.gates)
    for gate in plan.gates:
        if names[gate.name] > 1:
            yield f"{names[gate.name]} gates are called {gate.name!a}"
        conditions = [text for text in (gate.success_when, gate.fail_when) if text is not None]
        decides = bool(conditions) is (gate.compare is None)
        if not decides or not all(_is_condition(text) for text in conditions):
            yield f"gate {gate.name!a} has no condition that can be read"
        if not _has_samples(gate):
            yield f"a limit of gate {gate.name!a} is out of range"
        if not gate.probes.keys() <= plan.devices.keys():
            yield f"gate {gate.name!a} asks a device that takes no part"
        # With a probe per device the one for all is the text as written, templates and all.
        if not all(_can_ask(probe) for probe in gate.probes.values() or (gate.probe,)):
            yield f"gate {gate.name!a} asks nothing that can be asked"


def _has_samples(gate: Gate) -> bool:
    times = (gate.interval_s, gate.initial_delay_s, gate.timeout_s)
    limits = (gate.failure_limit, gate.inconclusive_limit, gate.consecutive_error_limit)
    reached = gate.consecutive_success_limit
    return (
        all(_is_time(seconds) for seconds in times)
        and all(0 <= limit <= COUNT_MAX for limit in limits)
        and 1 <= gate.count <= COUNT_MAX
        and (reached is None or 1 <= reached <= COUNT_MAX)
    )


def _can_ask(probe: Probe) -> bool:
    return _CAN_ASK[probe.kind](probe)


_CAN_ASK: Mapping[ProbeKind, Callable[[Probe], bool]] = {
    ProbeKind.CHECK: lambda probe: check_name_problem(probe.check) is None,
    ProbeKind.HTTP: lambda probe: url_problem(probe.url) is None,
    ProbeKind.COMMAND: lambda probe: bool(probe.argv),
    ProbeKind.TCP: lambda probe: is_host(probe.host) and 1 <= probe.port <= _PORT_MAX,
    ProbeKind.PROMETHEUS: lambda probe: (
        url_problem(probe.url) is None and bool(probe.query.strip())
    ),
    ProbeKind.STATS: lambda probe: probe.stat in set(StatName),
    ProbeKind.PLUGIN: lambda probe: is_kind_name(probe.plugin),
}


def _times(plan: ResolvedPlan) -> Iterator[str]:
    limits = plan.timeouts
    times = (
        limits.connect_s, limits.transfer_s, limits.install_s, limits.reboot_s,
        limits.lost_after_s, limits.drain_s, limits.confirm_s,
    )  # fmt: skip
    if not all(_is_time(seconds) and seconds for seconds in times):
        yield "a timeout is out of range"
    retries = plan.retries
    if not (0 <= retries.count <= COUNT_MAX and _is_time(retries.delay_s) and retries.backoff >= 1):
        yield "its retries are out of range"
    if not 1 <= plan.rollback.max_parallel <= COUNT_MAX:
        yield "its rollback takes no device at a time"


def _schedule(plan: ResolvedPlan) -> Iterator[str]:
    schedule = plan.schedule
    ends = (schedule.start_at, schedule.deadline_s, *(wave.deadline_s for wave in plan.waves))
    if not all(each is None or _is_time(each) for each in ends):
        yield "its start or a deadline is at no time"
    for window in schedule.windows:
        known = set(window.days) <= set(Day) and bool(window.days)
        if not (known and is_clock(window.start) and 0 < window.duration_s <= WEEK_S):
            yield "a window never opens"
    named = {window.timezone for window in schedule.windows}
    if ZONE_OF_DEVICE in named:
        named |= {device.timezone for device in plan.devices.values()}
    if not named - {ZONE_OF_DEVICE} <= zone_names():
        yield "a window or device is in an unknown time zone"
    for freeze in schedule.freezes:
        if not (_is_time(freeze.from_at) and freeze.from_at < freeze.to_at < math.inf):
            yield "a freeze has no span"


def _counts(plan: ResolvedPlan) -> Iterator[str]:
    rate, grows = plan.rate, None if plan.rate is None else plan.rate.increase
    if rate is not None and rate.per_minute < 1:
        yield "its rate starts no device"
    if grows is not None and not (grows.factor >= 1 and grows.after_successes >= 1):
        yield "its rate does not grow"
    if not all(limit >= 1 for limit in plan.max_parallel_per.values()):
        yield "a limit per label lets no device start"
    bursts = [each for each in (plan.budget.window, *(w.window for w in plan.waves)) if each]
    share = plan.budget.max_fail_share
    if (plan.budget.max_failures or 0) < 0 or not 0 <= (share or 0) <= 1:
        yield "its budget is out of range"
    if not all(burst.failures >= 0 and 0 < burst.in_s < math.inf for burst in bursts):
        yield "a burst of failures is out of range"


def _controls(plan: ResolvedPlan) -> Iterator[str]:
    approvals = [each for each in (plan.approval, *(w.approval for w in plan.waves)) if each]
    if not all(approval.required >= 1 for approval in approvals):
        yield "an approval needs nobody"
    if any(constraint_problem(each.release) for each in plan.requires if each.release):
        yield "it requires a release that cannot be compared"
    if not 0 <= plan.priority <= PRIORITY_MAX:
        yield "its priority is out of range"
    for hook in plan.hooks:
        if sum(map(bool, (hook.http, hook.command, hook.email))) != 1 or not hook.events:
            yield "a hook tells nobody"


def _addresses(plan: ResolvedPlan) -> Iterator[str]:
    for name, device in plan.devices.items():
        hops: tuple[Address | Hop, ...] = (device.address, *device.address.jumps)
        for hop in hops:
            if hop.host.startswith("-") or not hop.host or not 1 <= hop.port <= _PORT_MAX:
                yield f"device {name!a} has no address that can be used"


def is_instant(at: float) -> bool:
    """Whether UTC seconds are of a day that a calendar has."""
    return 0 <= at < _END_OF_9999


def _is_time(seconds: float) -> bool:
    return math.isfinite(seconds) and seconds >= 0


def _is_condition(text: str) -> bool:
    try:
        parse_expression(text, ANY_SCOPE)
    except ExpressionError:
        return False
    return True
