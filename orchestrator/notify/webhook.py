"""Hooks over HTTP: one POST of a CloudEvent, signed where the operator has named a secret.

Laws:
1. Only an answer of 2xx means that it was taken. A redirect is followed nowhere; what the answer
   says beyond its status is not read.
2. The secret belongs to an origin and is named in the operator's configuration; it stands in no
   plan, journal, event or message.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.notify.event import CONTENT_TYPE, cloud_event
from orchestrator.notify.signature import headers
from orchestrator.outward import http
from orchestrator.outward.failure import OutwardError
from orchestrator.outward.tokens import Tokens
from orchestrator.plan.resolved import Hook
from orchestrator.rollout.notices import Notice


class WebhookNotifier:
    """Implements `Notifier` for hooks with `http`.

    Args:
        source: which controller tells.
        secrets: by origin.
        now: UTC seconds, for the signature.
    """

    def __init__(self, source: str, secrets: Tokens, now: Callable[[], float]) -> None:
        self._source, self._secrets, self._now = source, secrets, now

    def refused(self, hook: Hook) -> str | None:
        """Why the address would never be told."""
        try:
            headers("", 0.0, b"", self._secret(hook.http))
        except OutwardError as error:
            return str(error)
        return None

    async def tell(self, hook: Hook, notice: Notice, *, deadline_s: float) -> None:
        """Sends it once.

        Raises:
            OutwardError: it was not taken, or there was no answer.
        """
        body = cloud_event(notice, self._source)
        signed = headers(notice.id, self._now(), body, self._secret(hook.http))
        about = {"content-type": CONTENT_TYPE, "accept": "*/*"}
        status = await http.post(hook.http, body, {**about, **signed}, deadline_s=deadline_s)
        if status not in http.SUCCESS:
            message = f"`{http.checked_url(hook.http).host}` answered {status}"
            raise OutwardError(message)

    def _secret(self, url: str) -> str | None:
        token = self._secrets.for_url(url)
        return None if token is None else token.secret
