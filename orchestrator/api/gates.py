"""The prober of an operator: what their configuration lets gates do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orchestrator.api.values import Settings
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.gates.probes import Probes


def probes_of(settings: Settings, context: Mapping[str, str] | None = None) -> Probes:
    """The prober; `context` is told to commands.

    Raises:
        OrchestratorError: `gate_tokens` has an entry that cannot be read.
    """
    from orchestrator.gates.probes import Allowed, Probes
    from orchestrator.outward.failure import OutwardError

    allowed = Allowed(
        settings.allow_commands, settings.allow_gate_kinds, settings.gate_tokens, os.environ
    )
    try:
        return Probes(allowed, context)
    except OutwardError as error:
        message = f"`gate_tokens`: {error}"
        raise OrchestratorError(message, code="C105") from error
