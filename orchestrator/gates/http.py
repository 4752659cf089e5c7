"""Samples of `http` gates: the status of a page, and one value in it.

At most 1 MiB of the body is read, and none where no value is asked for; whom may be asked and how
stands in `outward.http`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestrator.device.check import Scalar, finite, single
from orchestrator.gates import pointer
from orchestrator.gates.failure import ProbeError
from orchestrator.outward import http

if TYPE_CHECKING:
    import httpx

BODY_BYTES_MAX = 1024 * 1024


async def ask(url: str, value: str | None, *, deadline_s: float) -> dict[str, Scalar]:
    """Fields of one answer: `status`, and `value` where a pointer is given and finds something.

    Raises:
        OutwardError: there was no sample.
    """
    return await http.get(url, lambda response: _read(response, value), deadline_s=deadline_s)


async def _read(response: httpx.Response, value: str | None) -> dict[str, Scalar]:
    status = response.status_code
    fields: dict[str, Scalar] = {"status": status}
    if value is None:
        return fields
    body = await http.body_of(response, BODY_BYTES_MAX)
    try:
        found = single(pointer.find(json.loads(body), value), name="value")
    except pointer.Absent:
        return fields
    except (ValueError, RecursionError) as error:
        if status not in http.SUCCESS:  # an error page is no JSON: the status tells
            return fields
        message = f"the answer cannot be used: {error}"
        raise ProbeError(message) from error
    return fields | ({"value": found} if finite(found) else {})
