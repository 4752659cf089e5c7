"""A notifier that keeps what it is told, and hooks that do not take it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from orchestrator.outward.failure import OutwardError
from orchestrator.plan.resolved import Hook
from orchestrator.rollout.notices import Notice

SILENT = "http://silent.example/"  # never answers
BROKEN = "http://broken.example/"  # never takes it
FORBIDDEN = "http://forbidden.example/"  # is not told at all


class SimulatedNotifier:
    """Implements `Notifier`.

    Args:
        fails: asked before each telling; what it gives, if anything, is the trouble.
    """

    def __init__(self, fails: Callable[[Hook, Notice], str] = lambda _hook, _notice: "") -> None:
        self._fails = fails
        self.told: list[tuple[Hook, Notice]] = []
        self.tries: list[tuple[Hook, Notice]] = []

    def refused(self, hook: Hook) -> str | None:
        """Why the hook would never be told."""
        return "it is forbidden" if hook.http == FORBIDDEN else None

    async def tell(self, hook: Hook, notice: Notice, *, deadline_s: float) -> None:
        """Takes it, or does not.

        Raises:
            OutwardError: it did not.
        """
        self.tries.append((hook, notice))
        if hook.http == SILENT:
            await asyncio.sleep(deadline_s)
        trouble = self._fails(hook, notice)
        if hook.http in (SILENT, BROKEN, FORBIDDEN) or trouble:
            raise OutwardError(trouble or f"not taken by `{hook.http}`")
        self.told.append((hook, notice))
