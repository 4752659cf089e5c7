"""The words, signs and colours for states and reasons: the same in every output for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from orchestrator.device.reason import Reason
from orchestrator.render.text import Style, Symbol, escape, in_full, number, plural
from orchestrator.rollout.states import AT_WORK, PROVEN, DeviceState, RolloutState, WaveState
from orchestrator.units import format_duration, format_size

if TYPE_CHECKING:  # many commands say a reason or a time, and know of no plan
    from orchestrator.plan.resolved import PlannedCommit
    from orchestrator.rollout.around import FleetFreeze
    from orchestrator.rollout.record import Glass

COMMIT_CHARS = 12
_BYTES = re.compile(r"\b([0-9]{1,15}) bytes\b")
_D, _W, _R = DeviceState, WaveState, RolloutState

DEVICE_WORDS: Mapping[DeviceState, str] = {
    _D.PENDING: "pending",
    _D.QUEUED: "queued",
    _D.RETRY_WAIT: "will retry",
    _D.PREFLIGHT: "preflight",
    _D.TRANSFERRING: "transferring",
    _D.STAGED: "staged",
    _D.ACTIVATING: "activating",
    _D.REBOOTING: "rebooting",
    _D.VERIFYING: "verifying",
    _D.CONFIRMED: "confirmed",
    _D.COMMITTING: "committing",
    _D.ROLLING_BACK: "rolling back",
    _D.UNCERTAIN: "no answer",
    _D.SUCCEEDED: "updated",
    _D.UNCHANGED: "unchanged",
    _D.FAILED: "failed",
    _D.ROLLED_BACK: "rolled back",
    _D.ROLLBACK_FAILED: "rollback failed",
    _D.LOST: "lost",
    _D.SKIPPED: "skipped",
    _D.CANCELLED: "cancelled",
    _D.DEFERRED: "deferred",
    _D.BLOCKED: "staged ahead",
}
DEVICE_STYLES: Mapping[DeviceState, Style] = {
    _D.SUCCEEDED: Style.GOOD,
    _D.CONFIRMED: Style.GOOD,
    _D.FAILED: Style.BAD,
    _D.ROLLBACK_FAILED: Style.BAD,
    _D.LOST: Style.BAD,
    _D.ROLLED_BACK: Style.WARN,
    _D.ROLLING_BACK: Style.WARN,
    _D.UNCERTAIN: Style.WARN,
    _D.DEFERRED: Style.WARN,
}
WAVE_SIGNS: Mapping[WaveState, tuple[Symbol, Style]] = {
    _W.PENDING: (Symbol.WAITING, Style.DIM),
    _W.AWAITING_APPROVAL: (Symbol.WAITING, Style.WARN),
    _W.WAITING: (Symbol.WAITING, Style.ACCENT),
    _W.RUNNING: (Symbol.RUNNING, Style.ACCENT),
    _W.SOAKING: (Symbol.RUNNING, Style.ACCENT),
    _W.JUDGING: (Symbol.RUNNING, Style.ACCENT),
    _W.COMMITTING: (Symbol.RUNNING, Style.ACCENT),
    _W.PASSED: (Symbol.DONE, Style.GOOD),
    _W.INCONCLUSIVE: (Symbol.WARNING, Style.WARN),
    _W.TRIPPED: (Symbol.FAILED, Style.BAD),
    _W.SKIPPED_EMPTY: (Symbol.WAITING, Style.DIM),
    _W.CANCELLED: (Symbol.WAITING, Style.DIM),
    _W.ROLLED_BACK: (Symbol.WARNING, Style.WARN),
    _W.ROLLBACK_FAILED: (Symbol.FAILED, Style.BAD),
}
ROLLOUT_STYLES: Mapping[RolloutState, Style] = {
    _R.AWAITING_APPROVAL: Style.WARN,
    _R.SCHEDULED: Style.ACCENT,
    _R.CATCHING_UP: Style.ACCENT,
    _R.SUPERSEDED: Style.WARN,
    _R.REJECTED: Style.WARN,
    _R.EXPIRED: Style.WARN,
    _R.RUNNING: Style.ACCENT,
    _R.PAUSED: Style.WARN,
    _R.HALTED: Style.BAD,
    _R.ABORTING: Style.WARN,
    _R.ROLLING_BACK: Style.WARN,
    _R.SUCCEEDED: Style.GOOD,
    _R.SUCCEEDED_WITH_EXCEPTIONS: Style.WARN,
    _R.ABORTED: Style.WARN,
    _R.ROLLED_BACK: Style.WARN,
    _R.FAILED: Style.BAD,
}
_REASONS: Mapping[str, str] = {
    Reason.UNREACHABLE: "not reachable",
    Reason.CONNECTION_LOST: "connection lost",
    Reason.TIMEOUT: "took too long",
    Reason.HOST_KEY: "host key not proven",
    Reason.AUTHENTICATION: "login refused",
    Reason.PROTOCOL: "broke the protocol",
    Reason.NOT_ENROLLED: "not enrolled",
    Reason.OLD_HELPER: "helper too old",
    Reason.DENIED: "refused: signature, digest or key",
    Reason.NO_TICKET: "has a trust root, and the release no ticket",
    Reason.TICKET_SYNTAX: "ticket is malformed",
    Reason.TICKET_FLEET: "ticket is for another fleet",
    Reason.TICKET_SIGNATURES: "too few release keys signed the ticket",
    Reason.TICKET_DEVICE_TYPE: "ticket is for other device types",
    Reason.TICKET_EXPIRED: "ticket has expired",
    Reason.TICKET_SECURITY: "below the security floor",
    Reason.TICKET_SERIAL: "a newer ticket was there",
    Reason.TICKET_MANIFEST: "ticket is for another manifest",
    Reason.TICKET_ARTIFACT: "ticket is for another artifact",
    Reason.NOT_OPEN_YET: "not its turn yet by the ticket",
    Reason.NEVER_OPEN: "never let in by the ticket",
    Reason.NO_ROOT: "has no trust root",
    Reason.ROOT_SYNTAX: "trust root is malformed",
    Reason.ROOT_FLEET: "trust root is of another fleet",
    Reason.ROOT_VERSION: "trust root does not follow the device's own",
    Reason.ROOT_SIGNATURES: "too few keys of the root before signed the trust root",
    Reason.ROOT_OWN_SIGNATURES: "too few of its own keys signed the trust root",
    Reason.REPORT: "its host's key did not sign its report",
    Reason.INCOMPATIBLE: "not compatible",
    Reason.FENCED: "served by another controller or a newer engine",
    Reason.LOW_SPACE: "too little space",
    Reason.NOTHING_TO_ROLL_BACK: "nothing to roll back to",
    Reason.INSTALL: "install failed",
    Reason.ACTIVATE: "activation failed",
    Reason.REBOOT: "did not reboot",
    Reason.CHECK: "health check failed",
    Reason.NO_DATA: "no data",
    Reason.READ_BACK: "does not run the wanted artifact",
    Reason.COMMIT: "commit failed",
    Reason.ROLLBACK: "rollback failed",
    Reason.UNPROVEN: "went back, but is not proven well there",
    Reason.REVERTED: "went back by itself",
    Reason.REGRESSED: "regressed in the soak",
    Reason.LOST: "did not come back",
    Reason.HELD: "held",
    Reason.UNCHANGED: "already runs this artifact",
    Reason.ROLLOUT_HALTED: "rollout halted",
    Reason.TAKEN_BACK: "taken back on request",
}


def reason_words(reason: str, detail: str = "") -> str:
    """A reason for people, with the device's own words behind it, escaped."""
    words = _REASONS.get(reason) or escape(reason.replace("_", " "), limit=40)
    if reason == Reason.LOW_SPACE:  # of which the helper can count bytes only
        detail = _BYTES.sub(lambda found: format_size(int(found[1])), detail)
    return f"{words}: {escape(detail)}" if detail else words


def state_words(state: str) -> str:
    """A state's name for people: `rolling_back` gives `rolling back`."""
    return escape(state.replace("_", " "), limit=40)


def instant(at: float, zone: str = "UTC") -> str:
    """UTC seconds to the minute, at the wall of an installed zone (`Europe/Berlin`)."""
    where: tzinfo = UTC
    if zone != "UTC":
        from orchestrator.plan.zones import load_zone

        where = load_zone(zone)
    return f"{datetime.fromtimestamp(at, where):%Y-%m-%d %H:%M} {zone}"


def instants(ats: Iterable[float], zone: str = "UTC") -> list[str]:
    """Several of them, the zone behind the last one only."""
    *others, last = (instant(at, zone) for at in ats)
    return [*(other.removesuffix(f" {zone}") for other in others), last]


def frozen_words(freeze: FleetFreeze) -> str:
    """That all rollouts are frozen: until when, by whom and why."""
    until = "" if freeze.until_at is None else f" until {instant(freeze.until_at)}"
    by = escape(freeze.who, limit=60)
    return f"all rollouts are frozen{until} by {by}: {in_full(freeze.reason)}"


def glass_words(glass: Glass) -> str:
    """That the glass was broken: by whom, until when, and why."""
    by, until = escape(glass.who, limit=60), instant(glass.until_at)
    return f"glass broken by {by}, good without approvals until {until}: {in_full(glass.why)}"


def clock(seconds: float) -> str:
    """A time span as `1:02:03` or `02:03`."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute:02}:{second:02}"


def span(seconds: float) -> str:
    """A time span as people say it: `6.2 s`, `02:03`, `1:02:03`."""
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)  # noqa: PLR2004  a minute


def soak_words(until_at: float | None, now: float) -> str:
    """`soaking, 4m30s left`; without a time where it is over, and what soaked is read back."""
    left_s = 0 if until_at is None else round(until_at - now)
    return f"soaking, {format_duration(left_s)} left" if left_s > 0 else "soaking"


def wave_words(name: str) -> str:
    """A wave by name; `wave-2`, the name of a wave without one, needs no word before it."""
    shown = escape(name, limit=40)
    return shown if shown.startswith("wave") else f"wave {shown}"


def progress_words(counts: Mapping[DeviceState, int], total: int) -> str:
    """`13/64 updated, 4 at work, 2 failed, 1 deferred`: counts first, zeros left out."""
    updated = sum(counts.get(state, 0) for state in PROVEN)
    return ", ".join([f"{number(updated)}/{number(total)} updated", *progress_parts(counts)])


def progress_parts(counts: Mapping[DeviceState, int]) -> list[str]:
    """`4 at work`, `2 failed`: what is neither waiting nor updated, zeros left out."""
    found = ((sum(counts.get(state, 0) for state in states), word) for states, word in _PROGRESS)
    return [f"{number(count)} {word}" for count, word in found if count]


_PROGRESS = (
    ({_D.UNCHANGED}, "unchanged"),
    (AT_WORK - PROVEN, "at work"),
    ({_D.FAILED}, "failed"),
    ({_D.ROLLED_BACK}, "rolled back"),
    ({_D.ROLLBACK_FAILED}, "rollback failed"),
    ({_D.LOST}, "lost"),
    ({_D.DEFERRED}, "deferred"),
    ({_D.CANCELLED}, "cancelled"),
    ({_D.SKIPPED}, "skipped"),
)


def budget_words(budget: tuple[int, int] | None) -> str:
    """`budget 1/6`: failures so far, of those that may be; empty where there are none."""
    return "" if budget is None else f"budget {number(budget[0])}/{number(budget[1])}"


def commit_words(commit: PlannedCommit) -> str:
    """A signed commit: `3f9c1e2ab410, signed by ann@corp`."""
    return f"{escape(commit.id[:COMMIT_CHARS])}, signed by {escape(commit.signer)}"


def made_words(what: str, at: float, tool_version: str, joined_count: int) -> str:
    """What a plan is, when it was made and by which version; and who came after it was."""
    words = f"{escape(what)}, made {instant(at)} by rollout {escape(tool_version, limit=40)}"
    return f"{words}; {plural(joined_count, 'device')} joined since" if joined_count else words
