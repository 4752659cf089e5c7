"""The prober of the engine: one sample of an `http` or `command` gate.

Laws:
1. Trouble with the probed thing is an error in the sample, never an exception and never a field.
2. Only what the operator's own configuration allows is run; a plan cannot widen that.
3. What is not there is left out: an absent field is no data (rollout-rules R9).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import assert_never

from orchestrator.engine.ports import Sample
from orchestrator.gates import command, http, pointer
from orchestrator.gates.failure import ProbeError
from orchestrator.plan.resolved import Probe, ProbeKind

_CONTEXT_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")


class Probes:
    """Takes samples; implements `engine.ports.Prober`.

    Args:
        allowed: commands that `command` gates may start, from the operator's configuration:
            absolute paths, or names that are looked up in a fixed search path.
        context: told to commands, as `ROLLOUT_` and the key in capitals (`plan`, `release`, ...).
    """

    def __init__(
        self, allowed: Sequence[str] = (), context: Mapping[str, str] | None = None
    ) -> None:
        context = context or {}
        assert all(_CONTEXT_KEY.fullmatch(key) for key in context), "keys become variable names"
        told = {f"ROLLOUT_{key.upper()}": value for key, value in context.items()}
        self._commands = command.Commands(tuple(allowed), told)

    def refused(self, probe: Probe) -> str | None:
        """Why the probe would never be taken, for previews; None when it may."""
        try:
            match probe.kind:
                case ProbeKind.HTTP:
                    http.checked_url(probe.url)
                    pointer.tokens(probe.value or "")
                case ProbeKind.COMMAND:
                    self._commands.program(probe.argv)
                case ProbeKind.CHECK:
                    pass  # the device decides
                case ProbeKind.TCP | ProbeKind.PROMETHEUS | ProbeKind.STATS:
                    pass  # checked when the plan was read
                case _:
                    assert_never(probe.kind)
        except (ProbeError, ValueError) as error:
            return str(error)
        return None

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """One sample; never raises for trouble with the probed thing."""
        assert probe.kind is not ProbeKind.CHECK, "checks run on the device"
        try:
            if probe.kind is ProbeKind.HTTP:
                fields = await http.ask(probe.url, probe.value, deadline_s=deadline_s)
            else:
                fields = await self._commands.run(probe.argv, deadline_s=deadline_s)
        except ProbeError as error:
            return Sample(error=str(error))
        return Sample(fields)
