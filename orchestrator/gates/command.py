"""Samples of `command` gates: the exit code of a program, and the fields of its JSON line."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.device.check import EXIT_FIELD, Scalar, json_fields
from orchestrator.gates.failure import ProbeError
from orchestrator.outward.command import Commands


async def ask(commands: Commands, argv: Sequence[str], *, deadline_s: float) -> dict[str, Scalar]:
    """Fields of one run: `exit`, and those of its JSON line.

    Raises:
        OutwardError: there was no sample.
    """
    code, output = await commands.run(argv, deadline_s=deadline_s)
    lines = output.decode("utf-8", errors="replace").splitlines()
    candidates = [line for line in lines if line.lstrip().startswith("{")]
    if len(candidates) > 1:
        message = f"command `{argv[0]}` wrote {len(candidates)} JSON lines, not one"
        raise ProbeError(message)
    try:
        return {EXIT_FIELD: code} | json_fields(candidates[0] if candidates else "")
    except ValueError as error:
        message = f"command `{argv[0]}`: {error}"
        raise ProbeError(message) from error
