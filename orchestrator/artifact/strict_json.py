"""JSON as strict as all its readers together: what one of them might read differently is refused.

Laws:
1. UTF-8 without a byte order mark, an object at the top, at most `DEPTH_MAX` deep.
2. No key twice, no NaN or Infinity, no NUL and no lone surrogates in texts.
3. Numbers have at most 64 characters and exponents of at most two digits: all readers hold them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from orchestrator.artifact.errors import ArtifactError, Rule
from orchestrator.strict_json import loads

DEPTH_MAX = 32  # a type-info has depth 3; more is an attack on recursive parsers
NUMBER_CHARACTERS_MAX = 64
_NUMBER = re.compile(r"[-0-9.]+(?:[eE][-+]?[0-9]{1,2})?")
# Matches to the end where a string is not closed: failing there would make the work quadratic.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


def parse_object(data: bytes, what: str) -> dict[str, object]:
    """The object that `data` is.

    Args:
        data: at most as long as the caller's limit; work is linear in it.
        what: the name of the file, for messages.

    Raises:
        ArtifactError: a law of this module is broken.
    """
    if _depth(data) > DEPTH_MAX:
        message = f"`{what}` is nested deeper than {DEPTH_MAX}"
        raise ArtifactError(Rule.HEADER_JSON, message)
    try:
        value = loads(data.decode("utf-8"), parse_float=_float, parse_int=_int)
        _check_texts(value)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        message = f"`{what}` is not strict JSON: {ascii(str(error))[1:-1]}"
        raise ArtifactError(Rule.HEADER_JSON, message) from error
    if not isinstance(value, dict):
        message = f"`{what}` is not a JSON object"
        raise ArtifactError(Rule.HEADER_JSON, message)
    return value


def format_object(value: Mapping[str, object], what: str) -> bytes:
    """Compact text, keys in the order given.

    Raises:
        ArtifactError: it holds something that is no JSON.
    """
    try:
        _check_texts(dict(value))
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        message = f"`{what}` cannot be written as JSON: {ascii(str(error))[1:-1]}"
        raise ArtifactError(Rule.HEADER_JSON, message) from error


def _depth(data: bytes) -> int:
    depth = deepest = 0
    for byte in _STRING.sub(b"", data):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _check_texts(value: object) -> None:
    if isinstance(value, str) and "\0" in value:
        message = "a text has a NUL"
        raise ValueError(message)
    if isinstance(value, dict):
        _check_texts([*value, *value.values()])
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)


def _float(text: str) -> float:
    return float(_number(text))


def _int(text: str) -> int:
    return int(_number(text))


def _number(text: str) -> str:
    if len(text) > NUMBER_CHARACTERS_MAX or not _NUMBER.fullmatch(text):
        message = f"a number has more than {NUMBER_CHARACTERS_MAX} characters, or a large exponent"
        raise ValueError(message)
    return text
