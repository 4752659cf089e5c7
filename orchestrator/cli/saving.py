"""Where plans, retries and rollbacks are saved, and what must never be lost by it.

Law: `--out` replaces what it wrote itself, and nothing else: one letter beside `-o`, a plan or an
inventory that is not committed yet would be gone.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import PlanError, Where, system_reason
from orchestrator.plan.envelope import HEAD_BYTES, begins_saved


def refuse_other(out: Path | None) -> None:
    """Refuses to save over a file that holds something else; pipes and empty files do not.

    Raises:
        PlanError: the file holds something else, or cannot be read.
    """
    if out is None or not out.is_file():
        return
    try:
        with out.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        message = f"`{out}` cannot be read: {system_reason(error)}"
        raise PlanError(message, where=Where(str(out)), code="P307") from error
    if head and not begins_saved(head):
        message = f"`{out}` is no saved plan, and would be lost"
        hint = "name another file behind `--out`, or remove this one first"
        raise PlanError(message, hint=hint, where=Where(str(out)), code="P307")


def refuse_itself(plan: Path, output: Path | None) -> None:
    """Refuses a result of `-o` that would take the place of the plan that it is about.

    Raises:
        PlanError: they are one file.
    """
    if output is None or not (plan.is_file() and output.is_file() and plan.samefile(output)):
        return
    message = f"`-o` names the plan itself, `{output}`, which would be lost"
    raise PlanError(message, hint="name another file", where=Where(str(output)), code="P307")
