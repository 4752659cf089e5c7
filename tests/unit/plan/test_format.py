"""What a resolved plan consists of, by version; a change of its fields needs a new version.

The fields are recorded as golden text, so that a plan which one program saved is not silently
read as something else by another.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator
from enum import StrEnum

import pytest
import rfc8785

from orchestrator.device.reason import Reason
from orchestrator.errors import PlanError
from orchestrator.plan.digest import digest_of, from_json, to_json
from orchestrator.plan.resolved import FORMAT_VERSION, ResolvedPlan, ResolvedWave
from orchestrator.testing.plans import device_ids, make_plan

MAJOR, MINOR = map(int, FORMAT_VERSION.split("."))
ADDED_IN_1_1 = ("inventory", "choice_sha256", "risks")


def parts(kind: object) -> Iterator[type]:
    """The classes and words that a type is made of; reasons are listed in reasons.md."""
    if kind is Reason:
        return
    if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or issubclass(kind, StrEnum)):
        yield kind
    for argument in typing.get_args(kind):
        yield from parts(argument)


def described() -> str:
    """All classes that a resolved plan reaches, with the kind and the default of their fields."""
    lines, waiting, known = [], [ResolvedPlan], {ResolvedPlan}
    while waiting:
        cls = waiting.pop(0)
        if issubclass(cls, StrEnum):
            lines.append(f"{cls.__name__} = {' | '.join(cls)}\n")
            continue
        lines.append(f"{cls.__name__}")
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(cls):
            lines.append(f"  {field.name}: {field.type}{default_of(field)}")
            new = [part for part in parts(hints[field.name]) if part not in known]
            known.update(new)
            waiting.extend(new)
        lines.append("")
    return "\n".join(lines)


def default_of(field: dataclasses.Field[object]) -> str:
    if dataclasses.is_dataclass(field.default):
        return " = {...}"
    if field.default is not dataclasses.MISSING:
        return f" = {field.default if isinstance(field.default, StrEnum) else repr(field.default)}"
    return " = {}" if field.default_factory is not dataclasses.MISSING else ""


def test_fields_are_those_recorded_for_the_version(golden) -> None:
    """A failure means: raise FORMAT_VERSION if a release had it (docs/reference/state.md)."""
    golden(f"resolved-plan-{FORMAT_VERSION}.txt", described())


def plan() -> ResolvedPlan:
    return make_plan([ResolvedWave("all", "rest", device_ids(2))])


def as_version(version: str, *left_out: str) -> bytes:
    document = json.loads(to_json(plan())) | {"format_version": version}
    return rfc8785.dumps({key: item for key, item in document.items() if key not in left_out})


def test_older_minor_version_is_read_with_defaults_and_keeps_its_digest() -> None:
    data = as_version("1.0", *ADDED_IN_1_1)

    read = from_json(data)

    assert read == plan()
    assert digest_of(data) != digest_of(to_json(read))


@pytest.mark.parametrize(
    "version", [f"{MAJOR}.{MINOR + 1}", f"{MAJOR + 1}.0", f"{MAJOR - 1}.0", "1", "1.0.0", ""]
)
def test_newer_and_foreign_versions_are_refused(version: str) -> None:
    with pytest.raises(PlanError) as caught:
        from_json(as_version(version))

    assert caught.value.code == "P301"


def test_field_that_the_version_must_have_is_not_made_up() -> None:
    for name in ("waves", "seed"):
        with pytest.raises(PlanError) as caught:
            from_json(as_version("1.0", name))

        assert caught.value.code == "P302"


def test_this_version_with_a_field_left_out_was_changed() -> None:
    with pytest.raises(PlanError) as caught:
        from_json(as_version(FORMAT_VERSION, "choice_sha256"))

    assert caught.value.code == "P303"


def test_older_plan_that_was_edited_is_refused() -> None:
    data = as_version("1.0", *ADDED_IN_1_1)

    with pytest.raises(PlanError) as caught:
        from_json(data.replace(b'"max_fail_share":"0/1"', b'"max_fail_share":"0/2"'))

    assert caught.value.code == "P303"
