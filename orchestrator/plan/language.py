"""The keys of the plan language: those of this version with their defaults, and those to come.

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
    """One mapping of the language.

    `keys` maps each key to its default as documents write it; `later` are keys of the full
    language that this version refuses by name.
    """

    name: str
    keys: Mapping[str, str]
    later: frozenset[str] = frozenset()

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
        "become": NONE,
        "waves": REQUIRED,
        "soak": "`0s`",
        "max_parallel": "`50`",
        "slow_start": "`true`",
        "max_failures": "`0`",
        "max_fail_percentage": "`0`",
        "offline": "`{policy: defer}`",
        "timeouts": "see below",
        "retries": "see below",
        "gates": "`[]`",
        "on_failure": "`halt`",
        "rollback": "`{scope: wave, max_parallel: 50}`",
    },
    frozenset(
        {
            "requires", "order", "sticky", "spread", "late_joiners", "start_at", "windows",
            "freezes", "stage_outside_window", "max_parallel_per", "rate", "priority",
            "on_conflict", "budget", "deadline", "hooks", "cover", "backfill", "approval",
        }
    ),
)  # fmt: skip
WAVE = Section(
    "wave",
    {
        "name": "`wave-N`",
        "size": REQUIRED,
        "soak": "the plan's",
        "max_parallel": "the plan's",
        "slow_start": "the plan's",
        "max_failures": "the plan's",
        "max_fail_percentage": "the plan's",
    },
    frozenset({"hosts", "cover", "backfill", "deadline", "approval"}),
)
SIZE = Section("size", {"percent": REQUIRED, "min": "`1`", "max": NONE})
GATE = Section(
    "gate",
    {
        "name": REQUIRED,
        "check": NONE,
        "http": NONE,
        "command": NONE,
        "stage": "`device` for `check`, otherwise `wave`",
        "waves": "all waves",
        "success_when": NONE,
        "fail_when": NONE,
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
    frozenset({"prometheus", "stats", "tcp", "compare"}),
)
HTTP = Section("http", {"url": REQUIRED, "value": NONE})
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
    {"policy": "`defer`", "max_unreachable_percentage": "`0` in the first wave, `20` later"},
    frozenset({"for"}),
)
ROLLBACK = Section(
    "rollback",
    {"scope": "`wave`", "max_parallel": "`50`"},
    frozenset({"order", "verify", "respect_windows", "respect_freezes"}),
)
SECTIONS = (PLAN, WAVE, SIZE, GATE, HTTP, TIMEOUTS, RETRIES, OFFLINE, ROLLBACK)

LATER_STAGES = frozenset({"preflight"})
LATER_OFFLINE_POLICIES = frozenset({"wait"})
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
    "any_errors_fatal": "max_failures",
    "failed_when": "fail_when",
    "failure_condition": "fail_when",
    "success_condition": "success_when",
    "url": "http",
}
