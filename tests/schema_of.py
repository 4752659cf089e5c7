"""JSON schemas of what is written straight from dataclasses: saved plans and proposals.

The files in `schemas/` are made from the classes by this, so that they say what is written, and
compared with them by a test; `--update-golden` writes them anew.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

Schema = dict[str, object]
SCHEMAS = Path(__file__).parents[1] / "schemas"
FORMAT = {
    "type": "string",
    "pattern": "^1\\.[0-9]+$",
    "description": "Refuse another major version; ignore fields you do not know.",
}
SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_PLAIN: Mapping[object, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    Fraction: {"type": "string", "pattern": "^-?[0-9]+/[1-9][0-9]*$"},
}


def head(name: str, title: str, description: str) -> Schema:
    """What every schema begins with."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:rollout-orchestrator:schema:{name}:v1",
        "title": title,
        "description": description,
    }


def object_of(cls: type, defs: dict[str, object], more: Schema | None = None) -> Schema:
    """The object that a dataclass is written as; classes inside it go to `defs`.

    What has no default is required: older versions wrote the rest not always.
    """
    hints = typing.get_type_hints(cls)
    fields = dataclasses.fields(cls)
    missing = dataclasses.MISSING
    needed = [
        one.name for one in fields if one.default is missing and one.default_factory is missing
    ]
    summary = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return {
        "description": summary,
        "type": "object",
        "required": [*(more or {}), *needed],
        "properties": {**(more or {}), **{f.name: schema_of(hints[f.name], defs) for f in fields}},
    }


def schema_of(kind: object, defs: dict[str, object]) -> Schema:
    """The schema of one annotated type."""
    if isinstance(kind, typing.NewType):
        kind = kind.__supertype__
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        (inner,) = (item for item in arguments if item is not type(None))
        return {"anyOf": [schema_of(inner, defs), {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": schema_of(arguments[0], defs)}
    if origin is Mapping:
        return {"type": "object", "additionalProperties": schema_of(arguments[1], defs)}
    assert isinstance(kind, type), f"{kind} has no schema"
    if issubclass(kind, StrEnum):
        return {"enum": [item.value for item in kind]}
    if not dataclasses.is_dataclass(kind):
        return _PLAIN[kind]
    if kind.__name__ not in defs:
        defs[kind.__name__] = {}  # it may be inside itself
        defs[kind.__name__] = object_of(kind, defs)
    return {"$ref": f"#/$defs/{kind.__name__}"}
