"""A saved plan: the canonical JSON of a resolved plan, with the digest of these bytes beside it.

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

_HEAD = b'{"plan":'
_TAIL = re.compile(rb',"sha256":"([0-9a-f]{64})"\}')
_TAIL_BYTES = len(b',"sha256":""}') + 64
_HINT = "make it again with `rollout preview --out`"


def is_saved(data: bytes) -> bool:
    """Whether a file means to be a saved plan, and no plan in YAML."""
    return data.lstrip()[:1] == b"{" and f'"{FORMAT_KEY}"'.encode() in data


def to_saved(plan_json: bytes) -> bytes:
    """The file of a plan that is canonical JSON already; canonical JSON itself."""
    return b'%b%b,"sha256":"%b"}' % (_HEAD, plan_json, digest_of(plan_json).encode())


def from_saved(data: bytes, *, file: str) -> ResolvedPlan:
    """The plan of a saved file.

    Raises:
        PlanError: it is no saved plan, was changed, is of another format, or no plan can be so.
    """
    tail = _TAIL.fullmatch(data, len(data) - _TAIL_BYTES)
    if not data.startswith(_HEAD) or tail is None:
        raise _no_envelope(data, file)
    plan_json = data[len(_HEAD) : -_TAIL_BYTES]
    if digest_of(plan_json).encode() != tail[1]:
        raise _changed(file)
    plan = from_json(plan_json, file=file)
    if found := flaw(plan):
        message = f"`{file}` is no plan that this program makes: {found}"
        raise PlanError(message, hint=_HINT, where=Where(file), code="P305")
    return plan


def _changed(file: str) -> PlanError:
    return PlanError(f"`{file}` was changed after it was saved", hint=_HINT, code="P303")


def _no_envelope(data: bytes, file: str) -> PlanError:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return PlanError(f"`{file}` is not JSON", hint="a plan in YAML ends in `.yml`", code="P302")
    if isinstance(document, dict) and document.keys() == {"plan", "sha256"}:
        return _changed(file)
    message = f"`{file}` is no saved plan with its digest"
    return PlanError(message, hint=_HINT, code="P301")
