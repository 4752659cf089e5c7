"""Snapshots of what is known: OSV records (in a zip, or a list), and CISA's catalogue of exploits.

Laws:
1. A snapshot is dated by its own words: a catalogue by `dateReleased`, records by the newest
   `modified` among them, which no snapshot is younger than. One from the future, one without a date
   and one older than the policy allows say nothing.
2. A record that cannot be read refuses the whole snapshot: it could be the one that matters.
3. Records about packages that nobody asked for are counted for their ecosystems and forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from orchestrator.evidence.osv import Affected, Record, package_of, read_record
from orchestrator.evidence.times import moment_of
from orchestrator.strict_json import loads
from orchestrator.units import format_duration

Package = tuple[str, str]  # ecosystem without release, and name

RECORD_BYTES_MAX = 8 * 1024 * 1024
RECORDS_MAX = 2_000_000
SNAPSHOT_BYTES_MAX = 8 * 1024**3  # of records, unpacked
LIST_BYTES_MAX = 256 * 1024 * 1024
CLOCKS_APART_S = 3600.0


class SnapshotError(ValueError):
    """A snapshot that cannot be used, and why."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one file knows of the packages that were asked for.

    Attributes:
        made_at: UTC seconds, or None where it says no date.
        coverage: releases by ecosystem that it has any record of.
        found: each record with the part of it about a package.
        exploited: ids that the catalogue has.
    """

    file: str
    sha256: str
    made_at: float | None
    coverage: Mapping[str, frozenset[str]] = field(default_factory=dict)
    found: Mapping[Package, tuple[tuple[Record, Affected], ...]] = field(default_factory=dict)
    exploited: frozenset[str] = frozenset()

    def why_not(self, *, now: float, max_age_s: float) -> str:
        """Why its date is not good enough; empty where it is."""
        if self.made_at is None:
            return f"snapshot `{self.file}` says no date"
        age_s = now - self.made_at
        if age_s < -CLOCKS_APART_S:
            return f"snapshot `{self.file}` is from the future by {format_duration(-age_s)}"
        if age_s > max_age_s:
            old, limit = format_duration(age_s // 60 * 60), format_duration(max_age_s)
            return f"snapshot `{self.file}` is {old} old, and may be {limit}"
        return ""


def gather(
    file: str, sha256: str, records: Iterable[object], wanted: Collection[Package]
) -> Snapshot:
    """What a file of OSV records knows.

    Args:
        file: its name.
        sha256: its digest.
        records: each as JSON gave it.
        wanted: the packages to look for.

    Raises:
        SnapshotError: a record has another form than OSV's.
    """
    newest: float | None = None
    coverage: dict[str, set[str]] = {}
    found: dict[Package, list[tuple[Record, Affected]]] = {}
    for number, value in enumerate(records, 1):
        record = read_record(value)
        at = None if record is None else moment_of(record.modified)
        if record is None or at is None:
            message = f"record {number} of snapshot `{file}` has not the form of OSV"
            raise SnapshotError(message)
        newest = at if newest is None else max(at, newest)
        for one in record.affected:
            coverage.setdefault(one.base, set()).update(one.releases)
            package = package_of(one.base, one.name)
            if package in wanted and not record.withdrawn:
                found.setdefault(package, []).append((record, one))
    return Snapshot(
        file,
        sha256,
        newest,
        {base: frozenset(releases) for base, releases in coverage.items()},
        {package: tuple(pairs) for package, pairs in found.items()},
    )


def read_list(file: str, sha256: str, data: bytes, wanted: Collection[Package]) -> Snapshot:
    """What a file of JSON knows: `{"vulns": [...]}` of OSV, or the catalogue of exploits.

    Raises:
        SnapshotError: it is neither.
    """
    value = load(file, data)
    if isinstance(value, dict) and isinstance(value.get("vulns"), list):
        return gather(file, sha256, value["vulns"], wanted)
    if isinstance(value, dict) and "catalogVersion" in value:
        return _catalogue(file, sha256, value)
    message = f"snapshot `{file}` is neither a list of OSV records nor a catalogue of exploits"
    raise SnapshotError(message)


def load(file: str, data: bytes) -> object:
    """The JSON of a snapshot, or of one record of it.

    Raises:
        SnapshotError: it is not JSON, or a key stands in an object twice.
    """
    try:
        return loads(data.decode("utf-8"))
    except ValueError as error:
        message = f"snapshot `{file}` is not JSON: {error}"
        raise SnapshotError(message) from error


def _catalogue(file: str, sha256: str, value: Mapping[str, object]) -> Snapshot:
    entries, date = value.get("vulnerabilities"), value.get("dateReleased")
    ids = (
        [each.get("cveID") for each in entries if isinstance(each, dict)]
        if isinstance(entries, list)
        else []
    )
    texts = frozenset(one for one in ids if isinstance(one, str))
    if not texts or not isinstance(entries, list) or len(texts) != len(entries):
        message = f"snapshot `{file}` is no catalogue of exploits: an entry has no `cveID`"
        raise SnapshotError(message)
    return Snapshot(file, sha256, moment_of(str(date)), exploited=texts)
