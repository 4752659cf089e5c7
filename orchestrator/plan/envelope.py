"""A saved plan: the canonical JSON of a resolved plan, with the digest of these bytes beside it.

What is asked of a rollout is saved in the same form, under another key (`rollout.proposal`).

Laws:
1. What is run is what was previewed: a file that was edited is refused, canonical or not.
2. The plan inside has the bytes that are stored and run.
3. The digest of these bytes is of when the plan was made too, so a plan that is too old cannot be
   made younger. It finds edits and damage. It is no signature: who means to deceive can make it anew.
"""

from __future__ import annotations

import json
import re

from orchestrator.errors import PlanError, Where
from orchestrator.plan.digest import FORMAT_KEY, digest_of, from_json
from orchestrator.plan.resolved import ResolvedPlan
from orchestrator.plan.soundness import flaw

PLAN_KEY = "plan"
PROPOSAL_KEY = "proposal"
_KEYS = (PLAN_KEY, PROPOSAL_KEY)
_TAIL = re.compile(rb',"sha256":"([0-9a-f]{64})"\}')
_TAIL_BYTES = len(b',"sha256":""}') + 64
HEAD_BYTES = 16  # as many as tell what a file holds
_HINT = "make it again with `--out`"


def is_saved(data: bytes) -> bool:
    """Whether a file means to be a saved plan, and no plan in YAML."""
    means = data.lstrip()[:1] == b"{" and f'"{FORMAT_KEY}"'.encode() in data
    return means or begins_saved(data)


def to_saved(plan_json: bytes) -> bytes:
    """The file of a plan that is canonical JSON already; canonical JSON itself."""
    return enveloped(PLAN_KEY, plan_json)


def from_saved(data: bytes, *, file: str) -> ResolvedPlan:
    """The plan of a saved file.

    Raises:
        PlanError: it is no saved plan, was changed, is of another format, or no plan can be so.
    """
    plan = from_json(opened(PLAN_KEY, data, file=file), file=file)
    if found := flaw(plan):
        message = f"`{file}` is no plan that this program makes: {found}"
        raise PlanError(message, hint=_HINT, where=Where(file), code="P305")
    return plan


def begins_saved(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a saved plan, retry or rollback."""
    return head.startswith(tuple(map(_head, _KEYS)))


def is_proposal(data: bytes) -> bool:
    """Whether a saved file is a retry or a rollback of a rollout, and no plan."""
    return data.startswith(_head(PROPOSAL_KEY))


def enveloped(key: str, body: bytes) -> bytes:
    """The file of what is canonical JSON already."""
    return b'%b%b,"sha256":"%b"}' % (_head(key), body, digest_of(body).encode())


def opened(key: str, data: bytes, *, file: str) -> bytes:
    """What stands in a saved file under that key, with its digest.

    Raises:
        PlanError: something else does, or it was changed.
    """
    head = _head(key)
    tail = _TAIL.fullmatch(data, len(data) - _TAIL_BYTES)
    if not data.startswith(head) or tail is None:
        raise _no_envelope(key, data, file)
    body = data[len(head) : -_TAIL_BYTES]
    if digest_of(body).encode() != tail[1]:
        raise _changed(file)
    return body


def _head(key: str) -> bytes:
    return b'{"%b":' % key.encode()


def _changed(file: str) -> PlanError:
    return PlanError(f"`{file}` was changed after it was saved", hint=_HINT, code="P303")


def _no_envelope(key: str, data: bytes, file: str) -> PlanError:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        if begins_saved(data):
            return PlanError(f"`{file}` is cut off, or was changed", hint=_HINT, code="P303")
        return PlanError(f"`{file}` is not JSON", hint="a plan in YAML ends in `.yml`", code="P302")
    if key == PLAN_KEY and is_proposal(data):
        message = f"`{file}` is a retry or a rollback of a rollout, and no plan"
        return PlanError(message, hint=f"`rollout apply {file}` carries it out", code="P302")
    if isinstance(document, dict) and any(document.keys() == {one, "sha256"} for one in _KEYS):
        return _changed(file)
    message = f"`{file}` is no saved {key} with its digest"
    return PlanError(message, hint=_HINT, code="P301")
