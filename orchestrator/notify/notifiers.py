"""The notifier of an engine: hands each hook to the one for its way."""

from __future__ import annotations

from urllib.parse import urlsplit

from orchestrator.engine.ports import Notifier
from orchestrator.notify.command import CommandNotifier
from orchestrator.notify.mail import MailNotifier
from orchestrator.notify.webhook import WebhookNotifier
from orchestrator.plan.resolved import Hook
from orchestrator.rollout.notices import Notice


class Notifiers:
    """Implements `Notifier` for all hooks."""

    def __init__(
        self, webhook: WebhookNotifier, command: CommandNotifier, mail: MailNotifier
    ) -> None:
        self._webhook, self._command, self._mail = webhook, command, mail

    def refused(self, hook: Hook) -> str | None:
        """Why the hook would never be told, for previews; None when it may."""
        return self._of(hook).refused(hook)

    async def tell(self, hook: Hook, notice: Notice, *, deadline_s: float) -> None:
        """Tells once.

        Raises:
            OutwardError: it was not told, or whether it was is not known.
        """
        await self._of(hook).tell(hook, notice, deadline_s=deadline_s)

    def _of(self, hook: Hook) -> Notifier:
        if hook.http:
            return self._webhook
        return self._command if hook.command else self._mail


def shown(hook: Hook) -> str:
    """Whom a hook tells, without what may be secret: chat services put a password in the path."""
    if hook.http:
        parts = urlsplit(hook.http)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return hook.command[0] if hook.command else hook.email
