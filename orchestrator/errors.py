"""Error families and diagnostics: what went wrong, where, and what to do now.

Families tell whose turn it is: `PlanError` (author), `TrustError` (security: never retried,
never downgraded), `DeviceError` (one device; becomes an `Outcome` at the edge of the engine),
`StoreError` (operator). Anything else that escapes is a bug.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """Exit codes of every command; a stable interface (docs/reference/exit-codes.md)."""

    DONE = 0
    REFUSED = 1  # findings, or refused before anything was changed on any device
    USAGE = 2  # usage, configuration or internal error
    PARTIAL = 3  # finished; some devices failed or were unreachable, within tolerance
    HALTED = 4  # halted or aborted; some device may still run the new version
    ROLLED_BACK = 5  # halted, and no device of the rollout runs the new version any more
    NEEDS_HUMAN = 6  # a rollback failed or a device's state is unknown
    WAITING = 7  # only approvals, windows or deferred devices are left
    LOCKED = 8  # another engine holds the lease
    STALE = 9  # the saved plan no longer matches the world
    INTERRUPTED = 130
    TERMINATED = 143


class Severity(StrEnum):
    """How much a diagnostic weighs."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a file; line and column count from 1, 0 where there is none."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        if not self.line:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about one place of one file.

    `code` is a family letter and three digits (`Y101` YAML, `P203` plan, `I107` inventory,
    `A` artifact, `T` trust, `G` gate, `D` device, `S` state). `excerpt` is the text of the line.
    """

    where: Where
    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR
    excerpt: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.where} {self.code} {self.message}{hint}"


class OrchestratorError(Exception):
    """Base of our errors.

    Args:
        message: what is wrong, lower-case start, values in backticks.
        hint: what to do now.
        where: the place of the cause, if it has one.
        code: diagnostic code, empty where no single rule was broken.
    """

    exit_code: ExitCode = ExitCode.USAGE

    def __init__(
        self, message: str, *, hint: str = "", where: Where | None = None, code: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        self.code = code


class PlanError(OrchestratorError):
    """The author's files are wrong; carries every finding, not only the first."""

    exit_code = ExitCode.REFUSED

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        where: Where | None = None,
        code: str = "",
        diagnostics: Sequence[Diagnostic] = (),
    ) -> None:
        super().__init__(message, hint=hint, where=where, code=code)
        if not diagnostics and where is not None:
            diagnostics = (Diagnostic(where, code or "P000", message, hint),)
        self.diagnostics = tuple(diagnostics)


class StalePlanError(PlanError):
    """A saved plan no longer describes the world it was made for."""

    exit_code = ExitCode.STALE


class TrustError(OrchestratorError):
    """A signature, digest, key or identity is not what it must be; never retried."""

    exit_code = ExitCode.REFUSED


class DeviceError(OrchestratorError):
    """Trouble with one device; `reason` is a value of `orchestrator.device.reason.Reason`."""

    exit_code = ExitCode.PARTIAL

    def __init__(self, message: str, *, reason: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class StoreError(OrchestratorError):
    """The state store cannot be read or written, or belongs to another engine."""


class UnreadableError(StoreError):
    """A rollout is stored in a form that this version does not read."""


class ClaimedError(StoreError):
    """Another rollout works on some of the devices; nothing was written."""

    exit_code = ExitCode.LOCKED


class LeaseError(StoreError):
    """Another engine holds (or has taken) the lease of this rollout."""

    exit_code = ExitCode.LOCKED


class DrivenError(LeaseError):
    """Another engine drives the rollout; here nothing was begun."""

    def __init__(self, rollout_id: str, owner: str, *, left_s: float) -> None:
        super().__init__(
            f"rollout `{rollout_id}` is being driven by `{owner}`",
            hint=f"`rollout watch {rollout_id}` follows it; its lease ends in {left_s:.0f} s unless renewed",
        )
        self.rollout_id = rollout_id
        self.owner = owner


_SYSTEM_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
}


def is_full(error: OSError) -> bool:
    """Whether there is no room left on the disk, for anybody or for this user."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def system_reason(error: OSError) -> str:
    """Why the system refused, in the same few words everywhere."""
    if error.errno in _SYSTEM_REASONS:
        return _SYSTEM_REASONS[error.errno]
    return (error.strerror or str(error)).lower()
