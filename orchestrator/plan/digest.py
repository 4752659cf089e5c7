"""A resolved plan as canonical JSON and back, and its digest: what is approved, saved and run.

Laws:
1. `from_json(to_json(plan)) == plan`, and equal plans have equal bytes (RFC 8785).
2. Shares are written as exact fractions ("1/20"), never as floats.
3. Reading is strict: a plan of a newer or foreign format, with a field that this program does not
   know or with bytes that are not canonical is refused, for it would run something else than was
   approved.
4. A plan of an older minor version is read: what it does not have takes its default, which means
   what programs of that version did. The digest that a rollout was begun with stands in its row.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from fractions import Fraction

import rfc8785

from orchestrator.errors import PlanError
from orchestrator.plan.resolved import FORMAT_VERSION, ResolvedPlan

PLAN_BYTES_MAX = 512 * 1024 * 1024  # 100 000 devices take some 40 MB
FORMAT_KEY = "format_version"
_VERSION = re.compile(r"[0-9]{1,4}\.[0-9]{1,4}")

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
_Decode = Callable[[object], object]
_T = typing.TypeVar("_T")


def to_json(plan: ResolvedPlan) -> bytes:
    """Canonical JSON (RFC 8785) of a resolved plan. Cost: 100 000 devices in some seconds."""
    return rfc8785.dumps({FORMAT_KEY: FORMAT_VERSION, **to_document(plan)})


def digest(plan: ResolvedPlan) -> str:
    """What a plan is known and approved by: SHA-256 of all that it decides, lower-case hex.

    That is its canonical JSON but for `made_at`: who previews the same again gets the same.
    Cost: as `to_json`.
    """
    document = to_document(plan)
    del document["made_at"]
    return hashlib.sha256(rfc8785.dumps({FORMAT_KEY: FORMAT_VERSION, **document})).hexdigest()


def digest_of(plan_json: bytes) -> str:
    """Digest of these very bytes, `made_at` with them: finds edits, and the same plan twice."""
    return hashlib.sha256(plan_json).hexdigest()


def from_json(data: bytes, *, file: str = "saved plan") -> ResolvedPlan:
    """The plan that canonical JSON holds.

    Raises:
        PlanError: it is no saved plan, of another format, or was changed.
    """
    document = _document(data, file)
    version = document.pop(FORMAT_KEY, None)
    if not _is_readable(version):
        message = f"`{file}` is no saved plan of format {FORMAT_VERSION}"
        hint = f"it says {version!a}; make it again with `rollout preview --out`"
        raise PlanError(message, hint=hint, code="P301")
    try:
        plan = _decoder(ResolvedPlan)(document)
    except (ValueError, TypeError, KeyError, ZeroDivisionError) as error:
        message = f"`{file}` does not hold a plan of this version: {error}"
        hint = "make it again with `rollout preview --out`"
        raise PlanError(message, hint=hint, code="P302") from error
    assert isinstance(plan, ResolvedPlan), "the decoder of a class gives that class"
    written = encode(plan)
    if version != FORMAT_VERSION:
        written = _as_in(document, written)
    assert isinstance(written, dict), "a dataclass becomes an object"
    if rfc8785.dumps({FORMAT_KEY: str(version), **written}) != data:
        message = f"`{file}` was changed after it was saved"
        raise PlanError(message, hint="make it again with `rollout preview --out`", code="P303")
    return plan


def _is_readable(version: object) -> bool:
    """Whether plans of that version mean the same here: this major, and no later minor."""
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        return False
    major, minor = map(int, version.split("."))
    own_major, own_minor = map(int, FORMAT_VERSION.split("."))
    return major == own_major and minor <= own_minor


def _as_in(document: object, written: Json) -> Json:
    """What is written, without the fields that an older document does not have."""
    if isinstance(document, dict) and isinstance(written, dict):
        return {key: _as_in(item, written[key]) for key, item in document.items()}
    if isinstance(document, list) and isinstance(written, list):
        return [_as_in(*pair) for pair in zip(document, written, strict=True)]
    return written


def _document(data: bytes, file: str) -> dict[str, object]:
    if len(data) > PLAN_BYTES_MAX:
        raise PlanError(f"`{file}` is larger than any plan", code="P302")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        message = f"`{file}` is not JSON"
        raise PlanError(message, hint="a plan in YAML ends in `.yml`", code="P302") from error
    if not isinstance(document, dict):
        raise PlanError(f"`{file}` is JSON but no plan", code="P302")
    return document


def to_document(value: object) -> dict[str, Json]:
    """A frozen dataclass of a plan as a JSON object."""
    document = encode(value)
    assert isinstance(document, dict), "a dataclass becomes an object"
    return document


def from_document(kind: type[_T], document: object) -> _T:
    """The dataclass that such an object holds.

    Raises:
        ValueError, TypeError, KeyError: another version wrote it.
    """
    found = _decoder(kind)(document)  # type: ignore[arg-type]  # classes have a hash
    assert isinstance(found, kind), "the decoder of a class gives that class"
    return found


# -- values to JSON ---------------------------------------------------------------------------------


def encode(value: object) -> Json:
    """Any value of a plan as the digest takes it."""
    match value:
        case StrEnum():
            result: Json = value.value
        case None | str() | int() | float():
            result = value
        case Fraction():
            result = f"{value.numerator}/{value.denominator}"
        case tuple():
            result = [encode(item) for item in value]
        case Mapping():
            result = {str(key): encode(item) for key, item in value.items()}
        case _:
            result = {
                name: encode(getattr(value, name))
                for name in _field_names(type(value))  # type: ignore[arg-type]  # classes have a hash
            }
    return result


@functools.cache
def _field_names(cls: type[object]) -> tuple[str, ...]:
    assert dataclasses.is_dataclass(cls), f"{cls} has no JSON form"
    return tuple(field.name for field in dataclasses.fields(cls))


# -- JSON to values ---------------------------------------------------------------------------------


@functools.cache
def _decoder(kind: object) -> _Decode:
    """The function that checks and converts JSON to one annotated type."""
    if isinstance(kind, typing.NewType):
        kind = kind.__supertype__
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return _optional(_decoder(next(item for item in arguments if item is not type(None))))
    if origin in (tuple, Mapping):
        return _many(_decoder(arguments[0])) if origin is tuple else _named(_decoder(arguments[1]))
    assert isinstance(kind, type), f"{kind} has no JSON form"
    if dataclasses.is_dataclass(kind):
        return _instance(kind)
    return _word(kind) if issubclass(kind, StrEnum) else _PLAIN[kind]


def _word(kind: type[StrEnum]) -> _Decode:
    return lambda value: kind(_exactly(value, str))


def _optional(decode: _Decode) -> _Decode:
    return lambda value: None if value is None else decode(value)


def _many(decode: _Decode) -> _Decode:
    def decode_all(value: object) -> object:
        return tuple(decode(item) for item in _exactly(value, list))

    return decode_all


def _named(decode: _Decode) -> _Decode:
    def decode_all(value: object) -> object:
        return {key: decode(item) for key, item in _exactly(value, dict).items()}

    return decode_all


def _instance(cls: type) -> _Decode:
    hints = typing.get_type_hints(cls)
    decoders = {name: _decoder(hints[name]) for name in _field_names(cls)}
    needed = {one.name for one in dataclasses.fields(cls) if not _has_default(one)}

    def decode_all(value: object) -> object:
        fields = _exactly(value, dict)
        if odd := (fields.keys() - decoders.keys()) | (needed - fields.keys()):
            names = ", ".join(sorted(map(ascii, odd))[:5])
            message = f"fields of {cls.__name__} do not fit: {names}"
            raise ValueError(message)
        return cls(**{name: decoders[name](item) for name, item in fields.items()})

    return decode_all


def _has_default(field: dataclasses.Field[object]) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing


def _exactly(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        message = f"{type(value).__name__} where {kind.__name__} belongs"
        raise TypeError(message)
    return value


def _fraction(value: object) -> Fraction:
    above, _, below = _exactly(value, str).partition("/")
    return Fraction(int(above), int(below))


def _float(value: object) -> float:
    return float(value) if type(value) is int else _exactly(value, float)  # JSON writes 10.0 as 10


_PLAIN: dict[type, _Decode] = {
    str: lambda value: _exactly(value, str),
    int: lambda value: _exactly(value, int),
    bool: lambda value: _exactly(value, bool),
    float: _float,
    Fraction: _fraction,
}
