"""What a condition may use of a health check: its exit code and one optional JSON line.

Laws:
1. A check that did not run is an error, never a sample: no such check, or none that can tell (127),
   out of time (124).
2. The JSON line is one flat object. Text that does not start with `{` is for people and brings no
   fields; a line that starts with `{` must parse, with single values and without repeated keys.
3. A number that is not finite is left out: an absent field is no data, and no data is never
   success (rollout-rules R9).

Source: design "plan-language", "What a gate's sample is".
"""

from __future__ import annotations

import json
import math

from orchestrator.device.protocol import CheckResult

Scalar = str | int | float | bool | None

EXIT_FIELD = "exit"  # always the exit code: a JSON line may not claim it
EXIT_NO_SUCH_CHECK = 127
EXIT_TIMED_OUT = 124


def check_fields(result: CheckResult) -> dict[str, Scalar]:
    """Fields of `result.` for conditions: `exit`, and the keys of the JSON line.

    Raises:
        ValueError: the check did not run, or its JSON line breaks law 2; the text is for people
            and holds no control characters of the device.
    """
    if result.exit == EXIT_NO_SUCH_CHECK:
        why = f", or it cannot tell: {result.output!a}" if result.output else ""
        message = f"no check `{result.name}` on the device{why}"
        raise ValueError(message)
    if result.exit == EXIT_TIMED_OUT:
        message = f"check `{result.name}` ran out of time on the device"
        raise ValueError(message)
    return {EXIT_FIELD: result.exit} | json_fields(result.output)


def json_fields(line: str) -> dict[str, Scalar]:
    """Fields of one line of output; empty when the line is no JSON object.

    Raises:
        ValueError: the line breaks law 2.
    """
    if not line.lstrip().startswith("{"):
        return {}
    try:
        pairs = json.loads(line, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        message = "the JSON line of the output does not parse"
        raise ValueError(message) from error
    fields: dict[str, Scalar] = {}
    for key, value in pairs:
        if key == EXIT_FIELD or key in fields:
            message = f"field {key!a} stands twice in the JSON line of the output"
            raise ValueError(message)
        fields[key] = single(value, name=key)
    return {key: value for key, value in fields.items() if finite(value)}


def single(value: object, *, name: str) -> Scalar:
    """The value, when it is one a condition can compare.

    Raises:
        ValueError: it is a list or an object.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    message = f"field {name!a} is a list or an object, not a single value"
    raise ValueError(message)


def finite(value: Scalar) -> bool:
    """False for NaN and the infinities (also from `1e999`), which count as no data."""
    return not isinstance(value, float) or math.isfinite(value)


class _Pairs(list[tuple[str, object]]):
    """A JSON object as parsed, with repeated keys still visible."""
