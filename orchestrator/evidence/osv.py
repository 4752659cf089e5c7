"""Records of known vulnerabilities in OSV's form, and whether they list a version.

Laws:
1. A version is affected when a record's `versions` has it or one of its ranges holds it. A record
   that was withdrawn lists nothing.
2. Where the order of versions is not known here, or a version or an event is none of its ecosystem,
   nobody can say; that is `DOUBT`, which counts as listed. Ranges of commits (GIT) say nothing about
   versions; a record that has nothing else is in doubt.
3. Names of ecosystems compare without their release; a package that says its release is compared
   with the records of that release where there are some, else with those of all.

Source: OSV schema 1.7, "affected" fields and "Evaluation".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum

from orchestrator.evidence.purl import Purl
from orchestrator.evidence.versions import Key, Order, order_of

_GIT, _SEMVER = "GIT", "SEMVER"


class Listed(IntEnum):
    """Whether a record lists a version."""

    NO = 0
    DOUBT = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class Range:
    """Events of one order of versions: (`introduced` | `fixed` | `last_affected` | `limit`, version)."""

    type: str
    events: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Affected:
    """A package of a record; `ecosystem` with its release, as `Debian:12`."""

    ecosystem: str
    name: str
    ranges: tuple[Range, ...]
    versions: frozenset[str]

    @property
    def base(self) -> str:
        """The ecosystem without a release."""
        return self.ecosystem.partition(":")[0]

    @property
    def releases(self) -> tuple[str, ...]:
        """The words after the ecosystem's name, without Alpine's `v`."""
        return tuple(word.removeprefix("v") for word in self.ecosystem.split(":")[1:])

    def lists(self, version: str) -> Listed:
        """Whether the version is among those affected."""
        if not version:
            return Listed.DOUBT
        if version in self.versions or version.removeprefix("v") in self.versions:
            return Listed.YES
        ranges = [each for each in self.ranges if each.type != _GIT]
        if not ranges:
            return Listed.NO if self.versions else Listed.DOUBT
        return max(_in_range(each, version, self.base) for each in ranges)


@dataclass(frozen=True, slots=True)
class Record:
    """A vulnerability; `upstream` are those that an advisory of a distribution is about."""

    id: str
    aliases: tuple[str, ...]
    upstream: tuple[str, ...]
    modified: str
    withdrawn: bool
    affected: tuple[Affected, ...]

    @property
    def ids(self) -> frozenset[str]:
        """Its names."""
        return frozenset((self.id, *self.aliases))


def read_record(value: object) -> Record | None:
    """The record that an object holds; None where it has another form."""
    if not isinstance(value, Mapping):
        return None
    try:
        return Record(
            id=_text(value["id"]),
            aliases=_texts(value.get("aliases")),
            upstream=_texts(value.get("upstream")),
            modified=_text(value["modified"]),
            withdrawn=value.get("withdrawn") is not None,
            affected=tuple(_affected(value.get("affected"))),
        )
    except (KeyError, TypeError):
        return None


def names_of(purl: Purl) -> tuple[str, str]:
    """Ecosystem without release, and name, under which records may be about a package."""
    return package_of(purl.ecosystem, purl.source[0])


def package_of(base: str, name: str) -> tuple[str, str]:
    """Ecosystem and name as they are compared: package URLs and databases differ in upper case.

    Packages that differ in nothing else count as one, which finds too much rather than too little.
    """
    plain = re.sub(r"[-_.]+", "-", name) if base == "PyPI" else name
    return base, plain.lower()


def _affected(items: object) -> Iterator[Affected]:
    for item in _list(items):
        each = _object(item)
        package = each.get("package")
        if package is None:  # commits of a repository alone
            continue
        found = _object(package)
        yield Affected(
            _text(found["ecosystem"]),
            _text(found["name"]),
            tuple(_range(one) for one in _list(each.get("ranges"))),
            frozenset(_texts(each.get("versions"))),
        )


def _range(item: object) -> Range:
    each = _object(item)
    events = tuple(
        (kind, _text(version))
        for event in _list(each.get("events"))
        for kind, version in _object(event).items()
    )
    return Range(_text(each["type"]), events)


def _in_range(one: Range, version: str, base: str) -> Listed:
    kinds = dict.fromkeys(kind for kind, _ in one.events)
    if list(kinds) == ["introduced"] and all(text == "0" for _, text in one.events):
        return Listed.YES  # all versions, in any order
    order = order_of(base, is_semver=one.type == _SEMVER)
    key = None if order is None else order(version)
    if order is None or key is None:
        return Listed.DOUBT
    events = [(kind, _event_key(text, order)) for kind, text in one.events]
    if any(known is None for _, known in events):
        return Listed.DOUBT
    return Listed.YES if _is_inside(key, [(kind, at or ()) for kind, at in events]) else Listed.NO


def _event_key(text: str, order: Order) -> Key | None:
    """The key of an event; `0` is before all versions, a `*` after them: an empty key, and (inf,)."""
    if text == "0":
        return (float("-inf"),)
    return (float("inf"),) if text == "*" else order(text)


def _is_inside(key: Key, events: list[tuple[str, Key]]) -> bool:
    limits = [at for kind, at in events if kind == "limit"]
    if limits and not any(key < at for at in limits):
        return False
    inside = False
    for kind, at in sorted(
        (event for event in events if event[0] != "limit"), key=lambda event: event[1]
    ):
        if kind == "introduced" and key >= at:
            inside = True
        elif (kind == "fixed" and key >= at) or (kind == "last_affected" and key > at):
            inside = False
    return inside


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        message = "a text belongs here"
        raise TypeError(message)
    return value


def _list(value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        message = "a list belongs here"
        raise TypeError(message)
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_text(item) for item in _list(value))


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        message = "an object belongs here"
        raise TypeError(message)
    return value
