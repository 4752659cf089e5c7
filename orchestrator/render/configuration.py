"""The configuration in force: TOML for people, a document for programs (schemas/config.v1.json)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.errors import Where
from orchestrator.render.text import Look, cells, escape, fold

FORMAT_VERSION = "1.0"
SHOWN_CELLS_MAX = 4096  # a path or a list of them is never cut
Value = str | int | Sequence[str]


@dataclass(frozen=True, slots=True)
class Said:
    """A value without secrets, and who gave it; `where` is empty for defaults."""

    value: Value
    source: str
    where: Where


@dataclass(frozen=True, slots=True)
class Setting:
    """A key, and all that was said of it: the first counts."""

    key: str
    said: Sequence[Said]


@dataclass(frozen=True, slots=True)
class ConfigurationFacts:
    """What is in force; files are None where there are none."""

    project: str
    project_file: str | None
    user_file: str | None
    settings: Sequence[Setting]


def configuration_text(facts: ConfigurationFacts, look: Look, *, origin: bool) -> str:
    """Lines that a configuration file may hold; with `origin`, from where in comments."""
    return "".join(f"{part}\n" for line in _lines(facts, look, origin) for part in line)


def _lines(facts: ConfigurationFacts, look: Look, origin: bool) -> Iterator[Sequence[str]]:
    for line in _head(facts) if origin else ():
        yield fold(line, look.width, indent="#   ")
    for setting in facts.settings:
        first, *others = setting.said
        if origin:
            yield ["", *fold(f"# {_origin(first)}", look.width, indent="#   ")]
        yield _assigned(setting.key, first.value, look)
        for one in others if origin else ():
            line = f"# not counted, {_origin(one)}: {_toml(one.value)}"
            yield fold(line, look.width, indent="#   ")


def _head(facts: ConfigurationFacts) -> Iterator[str]:
    yield f"# project: {escape(facts.project, limit=SHOWN_CELLS_MAX)}"
    yield f"# its file: {_file(facts.project_file)}"
    yield f"# your file: {_file(facts.user_file)}"


def _assigned(key: str, value: Value, look: Look) -> Sequence[str]:
    """A list that is wider than the lines has one for each of its items, as TOML allows."""
    line = f"{key} = {_toml(value)}"
    if isinstance(value, str | int) or cells(line) <= look.width:
        return [line]
    return [f"{key} = [", *(f"    {_toml(item)}," for item in value), "]"]


def _file(path: str | None) -> str:
    return "none" if path is None else escape(path, limit=SHOWN_CELLS_MAX)


def _origin(said: Said) -> str:
    return escape(str(said.where), limit=SHOWN_CELLS_MAX) if said.where.file else said.source


def _toml(value: Value) -> str:
    plain = value if isinstance(value, str | int) else list(value)
    return escape(json.dumps(plain, ensure_ascii=False), limit=SHOWN_CELLS_MAX)


def configuration_document(facts: ConfigurationFacts) -> dict[str, object]:
    """The configuration as data."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "config",
        "project": facts.project,
        "project_file": facts.project_file,
        "user_file": facts.user_file,
        "settings": [
            {
                "key": setting.key,
                **_said(setting.said[0]),
                "not_counted": [_said(one) for one in setting.said[1:]],
            }
            for setting in facts.settings
        ],
    }


def _said(said: Said) -> dict[str, object]:
    value = said.value if isinstance(said.value, str | int) else list(said.value)
    where = said.where
    return {
        "value": value,
        "source": said.source,
        "file": where.file or None,
        "line": where.line or None,
    }
