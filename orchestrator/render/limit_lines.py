"""Limits of a preview, for people: what stops the rollout, and what is lost then."""

from __future__ import annotations

import math

from orchestrator.plan.controls import PRIORITY_DEFAULT, LateJoiners
from orchestrator.plan.preview import Preview, WavePreview
from orchestrator.plan.resolved import (
    OfflinePolicy,
    OnConflict,
    OnFailure,
    Rate,
    RollbackOrder,
    RollbackScope,
)
from orchestrator.plan.times_fit import roughly
from orchestrator.render.text import Look, Style, escape, number, pad, plural, wrap
from orchestrator.render.words import instant
from orchestrator.units import format_duration

LABEL_CELLS = 11
_NEARLY = 99.0
_EPSILON = 1e-9  # by which a product of binary fractions may be above the decimal it stands for
RUNS_MAX = 6  # limits of more waves than this are in the JSON form


def limit_lines(preview: Preview, look: Look) -> list[str]:
    """What stops the rollout, what that costs at worst, and until when devices can go back."""
    plan = preview.plan
    lines = labelled("Halts when", "more devices of a wave fail than may, or a gate fails", look)
    lines += labelled("Then", _then(preview), look)
    lines += labelled("Pauses if", _pauses(preview), look)
    lines += _whole(preview, look)
    first = next((wave for wave in preview.waves if wave.upper_bound < 1), None)
    if first is not None:
        worst = plural(first.worst_case_count, "device")
        words = f"a release that breaks every device breaks {worst} before it is stopped"
        if not first.slow_start:
            words += " (slow_start is off)"
        proves = percent_at_most(first.upper_bound)
        lines += labelled("At worst", words, look)
        lines += labelled(
            "Canary",
            f"0 failures of {plural(_base(first), 'device')} in {escape(first.name)} prove "
            f"a failure rate below {proves} (95 % confidence)",
            look,
        )
    lines += labelled("Way back", _way_back(preview), look)
    dead_man = format_duration(plan.timeouts.confirm_s)
    lines += labelled(
        "Dead-man", f"a device not confirmed within {dead_man} goes back by itself", look
    )
    if preview.earliest_end_s:
        lines += labelled("Takes", _takes(preview), look)
    return lines


def _takes(preview: Preview) -> str:
    plan, schedule = preview.plan, preview.plan.schedule
    ticket = any(wave.openings for wave in preview.waves)
    parts = ["soak", "gates"]
    parts += ["rate"] * bool(plan.rate) + ["windows"] * bool(schedule.windows)
    parts += ["freezes"] * bool(schedule.freezes) + ["the ticket's lines"] * ticket
    took = roughly(preview.earliest_end_s)
    words = f"at least {took} of {', '.join(parts[:-1])} and {parts[-1]}"
    if not (schedule.windows or schedule.freezes or ticket or schedule.start_at is not None):
        return words
    return f"{words}; ends at {instant(preview.earliest_end_at, preview.zone)} or later"


def _pauses(preview: Preview) -> str:
    """The limits of unreachable devices, runs of waves with the same one together."""
    runs: list[tuple[int, str, str]] = []
    for wave in preview.waves:
        count, name = wave.allowed_unreachable_count, escape(wave.name, limit=40)
        if runs and runs[-1][0] == count:
            runs[-1] = (count, runs[-1][1], name)
        else:
            runs.append((count, name, name))
    parts = [
        f"{number(count)} in {first if first == last else f'{first} to {last}'}"
        for count, first, last in runs[:RUNS_MAX]
    ]
    more = f", and so on in {len(runs) - RUNS_MAX} more" if len(runs) > RUNS_MAX else ""
    return f"more devices stay unreachable than may: {', '.join(parts)}{more}"


def _base(wave: WavePreview) -> int:
    return wave.devices_count - wave.unchanged_count


def _then(preview: Preview) -> str:
    plan = preview.plan
    match plan.on_failure:
        case OnFailure.HALT:
            return "stops and waits for a person"
        case OnFailure.CONTINUE:
            return "records the failed wave and goes on"
        case OnFailure.ROLLBACK:
            whole = plan.rollback.scope is RollbackScope.ROLLOUT
            scope = "every device of the rollout" if whole else "the wave"
            first = "oldest" if plan.rollback.order is RollbackOrder.FORWARD else "newest"
            return f"rolls {scope} back, {first} first, and reads every device back"


def _whole(preview: Preview, look: Look) -> list[str]:
    """Limits of the rollout as a whole, where there are any."""
    plan = preview.plan
    lines: list[str] = []
    if preview.budget_count is not None or plan.budget.window is not None:
        lines += labelled("Budget", _budget(preview), look)
    if plan.rate is not None:
        lines += labelled("Rate", _rate(plan.rate), look)
    if plan.max_parallel_per:
        parts = [f"{limit} per {escape(key)}" for key, limit in plan.max_parallel_per.items()]
        lines += labelled("At once", f"at most {', '.join(parts)}", look)
    for_words = format_duration(plan.offline_for_s)
    offline = {
        OfflinePolicy.DEFER: f"may still follow for {for_words}",
        OfflinePolicy.WAIT: f"are waited for by their wave, each for at most {for_words}",
        OfflinePolicy.FAIL: "count as failed",
    }[plan.offline]
    lines += labelled("Offline", f"devices that do not answer {offline}", look)
    if plan.late_joiners is LateJoiners.APPEND:
        last = escape(plan.waves[-1].name, limit=40)
        words = f"devices that join the fleet before wave `{last}` has passed are added to it"
        lines += labelled("Joining", words, look)
    if (plan.priority, plan.on_conflict) != (PRIORITY_DEFAULT, OnConflict.QUEUE):
        conflict = {
            OnConflict.QUEUE: "waits behind another rollout of its devices",
            OnConflict.SUPERSEDE: "ends another rollout of its devices",
            OnConflict.FAIL: "refuses to start beside another rollout of its devices",
        }[plan.on_conflict]
        lines += labelled("Conflicts", f"priority {plan.priority}; {conflict}", look)
    return lines


def _budget(preview: Preview) -> str:
    parts = []
    if preview.budget_count is not None:
        parts.append(f"{plural(preview.budget_count, 'failure')} in all waves together")
    burst = preview.plan.budget.window
    if burst is not None:
        within = format_duration(burst.in_s)
        parts.append(f"{plural(burst.failures, 'failure')} within {within}")
    return " and ".join(parts)


def _rate(rate: Rate) -> str:
    words = f"{plural(rate.per_minute, 'device')} a minute"
    if rate.increase is not None:
        grows = rate.increase
        after = plural(grows.after_successes, "success", "successes")
        words += f", times {grows.factor:g} after each {after}, up to {grows.max_per_minute}"
    return words


def _way_back(preview: Preview) -> str:
    """Until when the devices of each wave can go back (R17), runs of waves together."""
    if not any(wave.final_count for wave in preview.waves):
        return "devices keep what they run now and can go back"
    runs: list[tuple[str, str, str]] = []
    for wave in preview.waves:
        words, name = _back_words(wave), escape(wave.name, limit=40)
        if runs and runs[-1][0] == words:
            runs[-1] = (words, runs[-1][1], name)
        else:
            runs.append((words, name, name))
    parts = [
        f"{first if first == last else f'{first} to {last}'}: {words}"
        for words, first, last in runs[:RUNS_MAX]
    ]
    more = f"; and so on in {len(runs) - RUNS_MAX} more" if len(runs) > RUNS_MAX else ""
    return "; ".join(parts) + more


def _back_words(wave: WavePreview) -> str:
    if not wave.final_count:
        return "any time"
    until = f"until the wave has passed, {roughly(wave.earliest_end_s)} at the earliest"
    if wave.final_count == wave.devices_count:
        return until
    return f"{number(wave.final_count)} of {plural(wave.devices_count, 'device')} only {until}"


def percent(share: float) -> str:
    """A share for people: what is there is never `0 %`, and what is not all never `100 %`."""
    value = share * 100
    if _NEARLY < value < 100:  # noqa: PLR2004  all
        return f"{min(value, 99.9):.1f} %"
    return f"{value:.{_digits(value)}f} %"


def percent_at_most(share: float) -> str:
    """A bound for people, rounded up: less would be more than was proven."""
    value = share * 100
    scale = 10 ** _digits(value)
    return f"{math.ceil(value * scale - _EPSILON) / scale:.{_digits(value)}f} %"


def _digits(value: float) -> int:
    if not 0 < value < 10 or value == int(value):  # noqa: PLR2004  one digit before the point
        return 0
    return max(1, -math.floor(math.log10(value)))


def labelled(label: str, words: str, look: Look) -> list[str]:
    """A line with its label in the first column, wrapped."""
    indent = " " * LABEL_CELLS
    lines = wrap(words, look.width, first=pad(label, LABEL_CELLS), indent=indent)
    lines[0] = look.paint(pad(label, LABEL_CELLS), Style.BOLD) + lines[0][LABEL_CELLS:]
    return lines
