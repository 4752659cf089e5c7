"""What an operator wants to see before an artifact is rolled out: a closed form in TOML.

    require = ["sbom", "vulnerabilities", "provenance"]
    release_keys = ["ann.pub"]

    [vulnerabilities]
    snapshots = ["osv-debian.zip", "known-exploited.json"]
    max_age = "7d"
    own = ["pkg:generic/acme/", "settings"]

    [provenance]
    sources = ["git+https://git.example.org/acme/app@refs/heads/main"]

    [provenance.builders]
    "https://builder.example.org/v1" = ["builder.pub"]

Law: what is required comes with what it is judged by; an unknown key, an empty list and a table that
nothing requires are refused, so that no typing error makes a policy weaker.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.errors import Where
from orchestrator.evidence.rules import EvidenceRule, Problem
from orchestrator.units import parse_duration

POLICY_BYTES_MAX = 256 * 1024
MAX_AGE_S_DEFAULT = 7 * 86400.0
_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_KEYS = {
    "": ("require", "release_keys", "vulnerabilities", "provenance"),
    "vulnerabilities": ("snapshots", "max_age", "own"),
    "provenance": ("sources", "builders"),
}


class Require(StrEnum):
    """What must be there, and hold."""

    SBOM = "sbom"
    VULNERABILITIES = "vulnerabilities"
    PROVENANCE = "provenance"


@dataclass(frozen=True, slots=True)
class Policy:
    """Paths are as written, seen from the policy's own directory.

    Attributes:
        release_keys: who signs for a release where the operator names no trust root.
        own: parts that no snapshot could list: package URLs without version or names, or what
            they begin with where a `/` ends it.
        builders: key files by the builder's id.
        sources: URIs that a release may be built from.
    """

    require: frozenset[Require]
    release_keys: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()
    max_age_s: float = MAX_AGE_S_DEFAULT
    own: tuple[str, ...] = ()
    builders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


def read_policy(data: bytes, file: str) -> tuple[Policy | None, list[Problem]]:
    """The policy of a file; None, and all that is wrong with it, where it is none."""
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        return None, [_problem("the policy is not UTF-8", Where(file))]
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        where = Where(file, int(place[1]), int(place[2])) if place else Where(file)
        return None, [_problem(f"not TOML: {_PLACE.sub('', str(error)).lower()}", where)]
    found = list(_problems(table))
    if found:
        text = data.decode("utf-8")
        return None, [_problem(message, _place(text, file, key)) for key, message in found]
    vulnerabilities, provenance = _table(table, "vulnerabilities"), _table(table, "provenance")
    builders, max_age = _table(provenance, "builders"), vulnerabilities.get("max_age")
    policy = Policy(
        frozenset(map(Require, _texts(table, "require"))),
        _texts(table, "release_keys"),
        _texts(vulnerabilities, "snapshots"),
        MAX_AGE_S_DEFAULT if max_age is None else parse_duration(str(max_age)),
        _texts(vulnerabilities, "own"),
        {name: _texts(builders, name) for name in builders},
        _texts(provenance, "sources"),
    )
    return policy, []


def _problems(table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, keys in _KEYS.items():
        part = _table(table, name) if name else table
        for key in part:
            if key not in keys:
                yield key, f"unknown key `{key}`; known are {', '.join(keys)}"
        lists = (key for key in ("require", "release_keys", "snapshots", "own", "sources"))
        for key in lists:
            if key in part and not _is_texts(part[key]):
                yield key, f"`{key}` is a list of texts, and not an empty one"
    for key in ("vulnerabilities", "provenance"):
        if key in table and not isinstance(table[key], dict):
            yield key, f"`{key}` is a table"
    yield from _required(table)
    max_age = _table(table, "vulnerabilities").get("max_age")
    if max_age is not None and not _is_duration(max_age):
        yield "max_age", "`max_age` is a duration above zero, such as `7d`"
    builders = _table(table, "provenance").get("builders", {})
    if not isinstance(builders, dict) or not all(map(_is_texts, builders.values())):
        yield "builders", "`builders` is a table: under each builder's id a list of its key files"


def _required(table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    require = table.get("require")
    known = [str(one) for one in Require]
    if not _is_texts(require):
        if require is None:
            yield "require", f"`require` is missing: a list of {', '.join(known)}"
        return
    wanted = set(_texts(table, "require"))
    for odd in sorted(wanted - set(known)):
        yield "require", f"`{odd}` cannot be required; {', '.join(known)} can"
    if Require.VULNERABILITIES in wanted and Require.SBOM not in wanted:
        yield "require", "`vulnerabilities` wants `sbom` too: they are looked up for what is in it"
    needs = (
        (Require.VULNERABILITIES, "vulnerabilities", "snapshots"),
        (Require.PROVENANCE, "provenance", "builders"),
    )
    for what, name, key in needs:
        if what in wanted and not _table(table, name).get(key):
            yield name, f"`{what}` is required without `{name}.{key}` to judge it by"
        if what not in wanted and name in table:
            yield name, f"`{name}` is there, and `require` has no `{what}`"


def _table(table: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = table.get(name, {})
    return found if isinstance(found, dict) else {}


def _texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    found = table.get(key, ())
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _is_texts(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, str) and item for item in value)
    )


def _is_duration(value: object) -> bool:
    try:
        return isinstance(value, str) and parse_duration(value) > 0
    except ValueError:
        return False


def _place(text: str, file: str, key: str) -> Where:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*\[?(?:\w+\.)?[\"']?{re.escape(key)}[\"']?\s*[.=\]]", line):
            return Where(file, number, 1)
    return Where(file)


def _problem(message: str, where: Where) -> Problem:
    hint = "docs/reference/evidence.md has its form"
    return Problem(EvidenceRule.POLICY, message, hint, where=where)
