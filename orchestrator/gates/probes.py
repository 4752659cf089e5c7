"""The prober of the engine: one sample of a gate that the controller asks.

Laws:
1. Trouble with the probed thing is an error in the sample, never an exception and never a field.
2. Only what the operator's own configuration allows is run; a plan cannot widen that.
3. What is not there is left out: an absent field is no data (rollout-rules R9).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.engine.ports import History, Sample
from orchestrator.gates.kinds import Kind, PrometheusKind, built_in
from orchestrator.gates.plugins import Plugins
from orchestrator.outward.command import Commands
from orchestrator.outward.failure import OutwardError
from orchestrator.outward.tokens import Tokens
from orchestrator.plan.resolved import Probe, ProbeKind

_CONTEXT_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_ELSEWHERE = frozenset({ProbeKind.CHECK, ProbeKind.STATS})  # the device, the rollout itself


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator's configuration lets gates do.

    `commands` are absolute paths, or names that are looked up in a fixed search path; `kinds` are
    kinds of gates that other packages bring; `tokens` say where bearer tokens lie
    (`outward.tokens`), and `environment` is where those of `env:` stand.
    """

    commands: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Probes:
    """Takes samples; implements `engine.ports.Prober`.

    Args:
        allowed: what the operator's configuration allows, or the commands alone.
        context: told to commands, as `ROLLOUT_` and the key in capitals (`plan`, `release`, ...).

    Raises:
        OutwardError: an entry of the configuration cannot be read.
    """

    def __init__(
        self,
        allowed: Allowed | Sequence[str] = (),
        context: Mapping[str, str] | None = None,
    ) -> None:
        if not isinstance(allowed, Allowed):
            allowed = Allowed(commands=tuple(allowed))
        context = context or {}
        assert all(_CONTEXT_KEY.fullmatch(key) for key in context), "keys become variable names"
        told = {f"ROLLOUT_{key.upper()}": value for key, value in context.items()}
        tokens = Tokens(allowed.tokens, allowed.environment)
        self._kinds = dict(built_in(Commands(allowed.commands, told), tokens))
        self._plugins = Plugins(allowed.kinds)

    def refused(self, probe: Probe) -> str | None:
        """Why the probe would never be taken, for previews; None when it may."""
        if probe.kind in _ELSEWHERE:
            return None
        try:
            self._kind(probe).check(probe)
        except OutwardError as error:
            return str(error)
        return None

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """One sample; never raises for trouble with the probed thing."""
        assert probe.kind not in _ELSEWHERE, "it is asked on the device, or of the rollout itself"
        try:
            return await self._kind(probe).sample(probe, deadline_s=deadline_s)
        except OutwardError as error:
            return Sample(error=str(error))

    async def history(
        self, probe: Probe, *, start_at: float, end_at: float, step_s: float, deadline_s: float
    ) -> History:
        """Samples of the past; never raises for trouble with what is asked."""
        kind = self._kinds[probe.kind]
        assert isinstance(kind, PrometheusKind), "no other kind remembers"
        try:
            samples = await kind.history(
                probe, start_at=start_at, end_at=end_at, step_s=step_s, deadline_s=deadline_s
            )
        except OutwardError as error:
            return History(error=str(error))
        return History(samples)

    def _kind(self, probe: Probe) -> Kind:
        if probe.kind is ProbeKind.PLUGIN:
            return self._plugins.kind(probe.plugin)
        return self._kinds[probe.kind]
