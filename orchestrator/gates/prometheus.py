"""Samples of `prometheus` gates: instant queries, and range queries for the past.

Laws:
1. What is not a finite number is left out: no data, never a value. So is an empty result.
2. Without `label` an answer must be one value; with it, one value per device. More, a series
   without the label, or two for one device are errors: nobody may guess which one was meant.
3. A warning of the server (a partial answer, as of a store that is down) makes it an error.
4. Body, series and points are limited before anything is made of them.

Source: the server's HTTP API, version 1: `/api/v1/query`, `/api/v1/query_range`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from orchestrator.gates.failure import ProbeError
from orchestrator.outward import http
from orchestrator.outward.failure import OutwardError

if TYPE_CHECKING:
    import httpx

BODY_BYTES_MAX = 16 * 1024 * 1024  # a hundred thousand devices with one label each
SERIES_MAX = 100_000
POINTS_MAX = 11_000  # of one series: what the server itself gives at most
QUERY_CHARS_MAX = 16 * 1024
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?Inf|NaN")


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and of whom; `label` names the label that tells devices apart, or is ""."""

    url: str
    query: str
    label: str = ""
    token: http.Token | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One answer: `value` where one was asked for, else values by device; absent is no data."""

    value: float | None = None
    series: Mapping[str, float] | None = None


async def instant(query: Query, *, deadline_s: float) -> Found:
    """The query's result now.

    Raises:
        OutwardError: there was no answer that can be used.
    """
    address = _address(query, "query", {"query": query.query, "timeout": f"{deadline_s:g}s"})
    kind, result = await http.get(address, _read, deadline_s=deadline_s, token=query.token)
    if kind == "scalar":
        if query.label:
            message = f"the query gives one value for all, not one per `{query.label}`"
            raise ProbeError(message)
        return Found(_point(result)[1])
    if kind != "vector":
        message = f"the query gives a {kind}, not a value or an instant vector"
        raise ProbeError(message)
    found = {name: _point(entry.get("value"))[1] for name, entry in _series(query, result)}
    return _found(query, found)


async def past(
    query: Query, *, start_at: float, end_at: float, step_s: float, deadline_s: float
) -> tuple[tuple[float, Found], ...]:
    """What the query gave at `start_at` and every step after it, up to `end_at`.

    A time at which nothing was known has an answer without values.

    Raises:
        OutwardError: there was no answer that can be used, or it would have too many points.
    """
    count = math.floor((end_at - start_at) / step_s) + 1
    if not 0 < count <= POINTS_MAX:
        message = f"a range of {count} points cannot be asked; 1 to {POINTS_MAX} can"
        raise ProbeError(message)
    span = {"start": f"{start_at:.3f}", "end": f"{end_at:.3f}", "step": f"{step_s:.3f}"}
    wanted = {"query": query.query, "timeout": f"{deadline_s:g}s", **span}
    address = _address(query, "query_range", wanted)
    kind, result = await http.get(address, _read, deadline_s=deadline_s, token=query.token)
    if kind != "matrix":
        message = f"the range query gives a {kind}, not a matrix"
        raise ProbeError(message)
    rows: list[dict[str, float | None]] = [{} for _ in range(count)]
    for name, entry in _series(query, result):
        for at, value in map(_point, _list(entry.get("values"))):
            place = round((at - start_at) / step_s)
            if 0 <= place < count:
                rows[place][name] = value
    return tuple((start_at + place * step_s, _found(query, row)) for place, row in enumerate(rows))


def problem(url: str, query: str) -> str | None:
    """Why such a gate could never be sampled; None when it may."""
    try:
        _address(Query(url, query), "query", {})
    except OutwardError as error:
        return str(error)
    return None


def _address(query: Query, what: str, parameters: Mapping[str, str]) -> str:
    http.checked_url(query.url)
    parts = urlsplit(query.url)
    if parts.query or parts.fragment:
        message = "`url` is the server's base address, without `?` and `#`"
        raise ProbeError(message)
    if not query.query.strip() or len(query.query) > QUERY_CHARS_MAX:
        message = f"a query has 1 to {QUERY_CHARS_MAX} characters"
        raise ProbeError(message)
    return f"{query.url.rstrip('/')}/api/v1/{what}?{urlencode(parameters)}"


async def _read(response: httpx.Response) -> tuple[str, object]:
    """Kind and content of a result."""
    body = await http.body_of(response, BODY_BYTES_MAX)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"status {response.status_code} and no JSON: is this a Prometheus server?"
        raise ProbeError(message) from error
    status = answer.get("status") if isinstance(answer, dict) else None
    if status == "error":
        message = f"the server refuses: {answer.get('errorType')}: {answer.get('error')}"
        raise ProbeError(message)
    if status != "success" or response.status_code not in http.SUCCESS:
        message = f"status {response.status_code}: not an answer of a Prometheus server"
        raise ProbeError(message)
    if warnings := answer.get("warnings"):
        first = warnings[0] if isinstance(warnings, list) else warnings
        message = f"the server warns, so its answer may be partial: {first}"
        raise ProbeError(message)
    data = answer.get("data")
    if not isinstance(data, dict):
        raise _malformed()
    return str(data.get("resultType")), data.get("result")


def _series(query: Query, result: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Each series with the name of its device ("" without a label), each name once."""
    entries = _list(result)
    if len(entries) > SERIES_MAX:
        message = f"the query gives {len(entries)} series; at most {SERIES_MAX} are read"
        raise ProbeError(message)
    if not query.label and len(entries) > 1:
        hint = "aggregate them, or name the `label` that tells devices apart"
        message = f"the query gives {len(entries)} series, not one: {hint}"
        raise ProbeError(message)
    seen: set[str] = set()
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("metric"), dict):
            raise _malformed()
        metric = entry["metric"]
        name = metric.get(query.label) if query.label else ""
        if not isinstance(name, str) or (query.label and not name):
            message = f"a series has no label `{query.label}`"
            raise ProbeError(message)
        if name in seen:
            message = f"two series have `{query.label}` = `{name}`"
            raise ProbeError(message)
        seen.add(name)
        yield name, entry


def _found(query: Query, values: Mapping[str, float | None]) -> Found:
    if not query.label:
        return Found(values.get(""))
    return Found(series={name: value for name, value in values.items() if value is not None})


def _point(pair: object) -> tuple[float, float | None]:
    """Time and value; None for what is not finite."""
    match pair:
        case [int() | float() as at, str() as text] if _NUMBER.fullmatch(text):
            value = float(text)
            return at, value if math.isfinite(value) else None
        case [int() | float() as at, str() as text] if _NOT_FINITE.fullmatch(text):
            return at, None
    raise _malformed()


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise _malformed()
    return value


def _malformed() -> ProbeError:
    return ProbeError("the answer is not of the form that Prometheus gives")
