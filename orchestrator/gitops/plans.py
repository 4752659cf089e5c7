"""Which plans of a commit are to be applied, by what they were applied with last.

Laws:
1. A plan is applied when its inputs are others than the last time: its file, the inventory, or
   the artifact. Whatever came of it then, the same inputs are not applied again by themselves: a
   bad commit is not retried for ever.
2. Trouble before anything was started counts as not applied, and is tried again later, or at once
   with the next commit.
3. A plan that the branch has no more is left to its rollout, and forgotten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

PAUSE_MAX_S = 900.0


@dataclass(frozen=True, slots=True)
class Applied:
    """How a plan was applied last: of which inputs, from which commit, and as which rollout.

    `rollout_id` is empty where there was nothing to do.
    """

    inputs: str
    commit: str
    rollout_id: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something failed, how often in turn, and when it is tried again (UTC seconds)."""

    error: str
    exit_code: int
    failures: int
    retry_at: float
    commit: str = ""


def inputs_digest(plan_sha256: str, inventory_sha256: str, artifact_sha256: str) -> str:
    """One digest of all that a plan is resolved from, besides what devices answer."""
    text = f"{plan_sha256} {inventory_sha256} {artifact_sha256}"
    return hashlib.sha256(text.encode()).hexdigest()


def is_due(trouble: Trouble | None, *, commit: str, now: float) -> bool:
    """Whether a plan may be looked at again: a new commit is looked at at once."""
    return trouble is None or trouble.commit != commit or now >= trouble.retry_at


def to_apply(found: Mapping[str, str], applied: Mapping[str, Applied]) -> tuple[str, ...]:
    """The plans whose inputs (by file) are not those of the last time, in order of their names."""
    return tuple(
        file
        for file, inputs in sorted(found.items())
        if file not in applied or applied[file].inputs != inputs
    )


def again(
    before: Trouble | None, error: str, exit_code: int, *, commit: str, interval_s: float, at: float
) -> Trouble:
    """The trouble after one more failure: twice the pause of the time before, within a limit.

    Trouble with another commit counts from one.
    """
    same = before is not None and before.commit == commit
    failures = before.failures + 1 if before is not None and same else 1
    pause_s: float = interval_s * 2.0 ** min(failures - 1, 30)
    return Trouble(
        error, exit_code, failures, at + min(pause_s, max(PAUSE_MAX_S, interval_s)), commit
    )
