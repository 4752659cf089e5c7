"""Hooks that start a program: the CloudEvent on its stdin, within the limits of `outward.command`.

Exit code 0 means that it was taken. What the program prints is thrown away.
"""

from __future__ import annotations

from orchestrator.notify.event import cloud_event
from orchestrator.outward.command import Commands
from orchestrator.outward.failure import OutwardError
from orchestrator.plan.resolved import Hook
from orchestrator.rollout.notices import Notice


class CommandNotifier:
    """Implements `Notifier` for hooks with `command`.

    Args:
        source: which controller tells.
        commands: what the operator allows.
    """

    def __init__(self, source: str, commands: Commands) -> None:
        self._source, self._commands = source, commands

    def refused(self, hook: Hook) -> str | None:
        """Why the program would never be started."""
        try:
            self._commands.program(hook.command)
        except OutwardError as error:
            return str(error)
        return None

    async def tell(self, hook: Hook, notice: Notice, *, deadline_s: float) -> None:
        """Runs it once.

        Raises:
            OutwardError: it did not start, did not end in time, or did not end with 0.
        """
        given = cloud_event(notice, self._source)
        code, _ = await self._commands.run(hook.command, deadline_s=deadline_s, given=given)
        if code != 0:
            message = f"command `{hook.command[0]}` ended with exit code {code}"
            raise OutwardError(message)
