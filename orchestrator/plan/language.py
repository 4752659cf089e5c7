"""The keys of the plan language with their defaults, as documents write them.

The parser, `schemas/plan.v1.json` and docs/reference/plan.md are kept equal to these tables by
tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

REQUIRED = "required"
NONE = "none"


@dataclass(frozen=True, slots=True)
class Section:
    """One mapping of the language: each key with its default as documents write it."""

    name: str
    keys: Mapping[str, str]

    @property
    def required(self) -> tuple[str, ...]:
        """Keys that must be there."""
        return tuple(key for key, default in self.keys.items() if default == REQUIRED)


PLAN = Section(
    "plan",
    {
        "schema": REQUIRED,
        "name": REQUIRED,
        "release": "the artifact's name",
        "hosts": REQUIRED,
        "artifact": REQUIRED,
        "vars": "`{}`",
        "component": "`main`",
        "requires": "`[]`",
        "become": NONE,
        "order": "`hash`",
        "sticky": "`false`",
        "spread": "`[]`",
        "late_joiners": "`ignore`",
        "start_at": NONE,
        "windows": "always open",
        "freezes": "`[]`",
        "stage_outside_window": "`false`",
        "waves": REQUIRED,
        "soak": "`0s`",
        "max_parallel": "`50`",
        "max_parallel_per": "`{}`",
        "rate": NONE,
        "slow_start": "`true`",
        "max_failures": "`0`",
        "max_fail_percentage": "`0`",
        "budget": NONE,
        "cover": "`[]`",
        "backfill": "on",
        "approval": NONE,
        "deadline": NONE,
        "offline": "`{policy: defer}`",
        "timeouts": "see below",
        "retries": "see below",
        "priority": "`500`",
        "on_conflict": "`queue`",
        "gates": "`[]`",
        "on_failure": "`halt`",
        "rollback": "see below",
        "hooks": "`[]`",
    },
)
WAVE = Section(
    "wave",
    {
        "name": "`wave-N`",
        "hosts": "what the order gives",
        "size": REQUIRED,
        "cover": "the plan's",
        "backfill": "the plan's",
        "approval": NONE,
        "deadline": NONE,
        "window": NONE,
        "soak": "the plan's",
        "max_parallel": "the plan's",
        "slow_start": "the plan's",
        "max_failures": "the plan's",
        "max_fail_percentage": "the plan's",
    },
)
SIZE = Section("size", {"percent": REQUIRED, "min": "`1`", "max": NONE})
ORDER = Section("order", {"by": "`hash`", "seed": "plan and release"})
BACKFILL = Section("backfill", {"limit": "the size of the wave"})
APPROVAL = Section(
    "approval",
    {"required": "`1`", "from": "anybody", "not_author": "`false`", "expires": "never"},
)
DEADLINE = Section("deadline", {"after": REQUIRED, "action": "`halt`"})
BURST = Section("window", {"failures": REQUIRED, "in": REQUIRED})
BUDGET = Section("budget", {"max_failures": NONE, "max_fail_percentage": NONE, "window": NONE})
WINDOW = Section(
    "windows",
    {
        "days": "every day",
        "start": REQUIRED,
        "duration": REQUIRED,
        "timezone": REQUIRED,
        "must_finish": "`false`",
    },
)
FREEZE = Section("freezes", {"from": REQUIRED, "to": REQUIRED, "reason": NONE})
RATE = Section("rate", {"per_minute": REQUIRED, "increase": NONE})
INCREASE = Section(
    "increase", {"factor": "`2`", "after_successes": REQUIRED, "max_per_minute": REQUIRED}
)
REQUIREMENT = Section("requires", {"plan": REQUIRED, "release": "any", "per": "`device`"})
HOOK = Section("hooks", {"events": REQUIRED, "http": NONE, "command": NONE, "email": NONE})
GATE = Section(
    "gate",
    {
        "name": REQUIRED,
        "check": NONE,
        "http": NONE,
        "command": NONE,
        "tcp": NONE,
        "prometheus": NONE,
        "stats": NONE,
        "plugin": NONE,
        "stage": "`device` for `check`, otherwise `wave`",
        "waves": "all waves",
        "success_when": NONE,
        "fail_when": NONE,
        "compare": NONE,
        "count": "`1`",
        "interval": "`10s`",
        "initial_delay": "`0s`",
        "timeout": "`30s`",
        "failure_limit": "`0`",
        "inconclusive_limit": "`0`",
        "consecutive_error_limit": "`4`",
        "consecutive_success_limit": "off",
        "on_no_data": "`inconclusive`",
        "dry_run": "`false`",
    },
)
CHECK = Section(
    "check",
    {
        "service": NONE,
        "process": NONE,
        "port": NONE,
        "http": NONE,
        "file": NONE,
        "disk": NONE,
        "min": "required with `disk`",
        "load": NONE,
    },
)
HTTP = Section("http", {"url": REQUIRED, "value": NONE})
TCP = Section("tcp", {"host": REQUIRED, "port": REQUIRED})
PROMETHEUS = Section("prometheus", {"url": REQUIRED, "query": REQUIRED, "label": NONE})
PLUGIN = Section("plugin", {"kind": REQUIRED, "options": "`{}`"})
COMPARE = Section(
    "compare",
    {
        "to": REQUIRED,
        "test": "`mann_whitney`",
        "alpha": "`0.05`",
        "direction": "`increase`",
        "min_effect": REQUIRED,
        "min_samples": "`8`",
    },
)
TIMEOUTS = Section(
    "timeouts",
    {
        "connect": "`10s`",
        "transfer": "`30m`",
        "install": "`10m`",
        "reboot": "`5m`",
        "lost_after": "`15m`, or `confirm` where that is longer",
        "drain": "`15m`",
        "confirm": "computed",
    },
)
RETRIES = Section(
    "retries",
    {"count": "`2`", "delay": "`10s`", "backoff": "`2`", "classes": "`[connect, transfer]`"},
)
OFFLINE = Section(
    "offline",
    {
        "policy": "`defer`",
        "for": "`14d`",
        "max_unreachable_percentage": "`0` in the first wave, `20` later",
    },
)
ROLLBACK = Section(
    "rollback",
    {
        "scope": "`wave`",
        "order": "`reverse`",
        "verify": "`true`",
        "respect_windows": "`false`",
        "respect_freezes": "`false`",
        "max_parallel": "`50`",
    },
)
SECTIONS = (
    PLAN, WAVE, SIZE, ORDER, BACKFILL, APPROVAL, DEADLINE, BURST, BUDGET, WINDOW, FREEZE, RATE,
    INCREASE, REQUIREMENT, HOOK, GATE, CHECK, HTTP, TCP, PROMETHEUS, PLUGIN, COMPARE, TIMEOUTS, RETRIES, OFFLINE,
    ROLLBACK,
)  # fmt: skip

SCHEMA_VERSION = 1
DEFAULT_UNREACHABLE_PERCENT = (0, 20)  # first wave, later waves

# Words of other tools for what has a name here; checked before any spelling guess.
FOREIGN_KEYS: Mapping[str, str] = {
    "serial": "waves",
    "phases": "waves",
    "steps": "waves",
    "groups": "waves",
    "batches": "waves",
    "targets": "hosts",
    "devices": "hosts",
    "forks": "max_parallel",
    "pause": "soak",
    "bake": "soak",
    "analysis": "gates",
    "checks": "gates",
    "health": "gates",
    "weight": "size",
    "batch_size": "size",
    "percent": "size",
    "version": "release",
    "variables": "vars",
    "schedule": "windows",
    "maintenance_windows": "windows",
    "blackouts": "freezes",
    "depends_on": "requires",
    "notifications": "hooks",
    "any_errors_fatal": "max_failures",
    "failed_when": "fail_when",
    "failure_condition": "fail_when",
    "success_condition": "success_when",
    "url": "http",
}
