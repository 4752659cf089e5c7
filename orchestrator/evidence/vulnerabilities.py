"""Which parts of an SBOM have known vulnerabilities that no VEX statement excuses.

Laws:
1. Every part is looked up or named as one that could not be: a part without a package URL or
   version, of an ecosystem that the snapshots do not have, is a problem unless the policy says that
   it is the operator's own.
2. A record is excused by statements about one of its ids, or about each of the upstream
   vulnerabilities that an advisory gathers.
3. What a supplier says to be affected, or not to know yet, is a problem also where no snapshot
   lists it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.evidence.digests import algorithms
from orchestrator.evidence.osv import Affected, Listed, Record, names_of
from orchestrator.evidence.rules import EvidenceRule, Problem
from orchestrator.evidence.sbom import Component, Sbom, Subject
from orchestrator.evidence.snapshot import Package, Snapshot
from orchestrator.evidence.vex import Fit, Status, Vex, fit_of, newest

_AGAINST = frozenset({Status.AFFECTED, Status.UNDER_INVESTIGATION})


@dataclass(frozen=True, slots=True)
class Excused:
    """A listed vulnerability that a statement excuses."""

    id: str
    part: str
    status: str
    why: str


@dataclass(frozen=True, slots=True)
class Known:
    """All snapshots together: what they list, and what they have any record of."""

    coverage: Mapping[str, frozenset[str]]
    found: Mapping[Package, tuple[tuple[Record, Affected], ...]]
    exploited: frozenset[str]


def wanted_of(sbom: Sbom) -> frozenset[Package]:
    """The packages to look for in snapshots."""
    return frozenset(names_of(part.purl) for part in sbom.components if part.purl is not None)


def known_of(snapshots: Sequence[Snapshot]) -> Known:
    """What snapshots know together."""
    coverage: dict[str, frozenset[str]] = {}
    found: dict[Package, tuple[tuple[Record, Affected], ...]] = {}
    for each in snapshots:
        for base, releases in each.coverage.items():
            coverage[base] = coverage.get(base, frozenset()) | releases
        for package, pairs in each.found.items():
            found[package] = found.get(package, ()) + pairs
    exploited = frozenset[str]().union(*(each.exploited for each in snapshots))
    return Known(coverage, found, exploited)


class Lookup:
    """Judges the parts of an SBOM one by one; `problems` and `excused` are what came of it."""

    def __init__(
        self,
        sbom: Sbom,
        statements: Sequence[Vex],
        known: Known,
        subject: Subject,
        *,
        now: float,
    ) -> None:
        self._sbom = sbom
        self._statements = statements
        self._known = known
        self._subject = subject
        self._now = now
        self.problems: list[Problem] = []
        self.excused: list[Excused] = []

    def judge(self, own: Collection[str]) -> None:
        """Judges all parts, and what statements say against the artifact.

        Args:
            own: the policy's; parts that no snapshot could list.
        """
        for part in self._sbom.components:
            why = self._why_unknown(part)
            if why and not any(_is_own(part, each) for each in own):
                hint = "parts that are your own stand in `own` of the policy"
                self._report(EvidenceRule.UNMATCHED, f"`{part}` {why}", part, hint)
            for record, listed in self._listed(part):
                self._judge(part, record, listed)
        self.problems += self._against()

    def _why_unknown(self, part: Component) -> str:
        purl = part.purl
        if purl is None:
            return "has no package URL, so that nothing can be looked up for it"
        if not purl.version:
            return "has no version in its package URL, so that nothing can be looked up for it"
        if not purl.ecosystem:
            return f"is of type `{purl.type}`, for which there are no records"
        if purl.ecosystem not in self._known.coverage:
            return f"is of `{purl.ecosystem}`, of which no snapshot has a record"
        return ""

    def _listed(self, part: Component) -> Iterator[tuple[Record, Listed]]:
        """Records that list the part or could, each once."""
        if part.purl is None:
            return
        package = names_of(part.purl)
        release = part.purl.release
        releases = self._known.coverage.get(package[0], frozenset())
        release = _release_in(releases, release)
        found: dict[str, tuple[Record, Listed]] = {}
        for record, affected in self._known.found.get(package, ()):
            if release and affected.releases and release not in affected.releases:
                continue
            listed = affected.lists(part.purl.source[1])
            before = found.get(record.id, (record, Listed.NO))[1]
            found[record.id] = (record, max(listed, before))
        yield from (pair for pair in found.values() if pair[1] is not Listed.NO)

    def _judge(self, part: Component, record: Record, listed: Listed) -> None:
        mine = self._about(part)
        counted = self._counted(mine, record.ids)
        if not counted and record.upstream:
            each = [self._counted(mine, frozenset((name,))) for name in record.upstream]
            counted = [one for group in each for one in group] if all(each) else []
        void = next((one for one in counted if one.why_void), None)
        if counted and void is None:
            one = counted[0]
            why = one.justification or one.words
            self.excused.append(Excused(record.id, str(part), str(one.status), why))
            return
        if void is None and (doubtful := self._doubtful(part, record)):
            self._report_doubt(part, record, doubtful)
        else:
            self._refuse(part, record, listed, void)

    def _about(self, part: Component) -> list[Vex]:
        """The statements that count for a part: of those in doubt only what is against it."""
        return [
            each
            for each in self._statements
            if (fit := self._fit(each, part)) is Fit.YES
            or (fit is Fit.DOUBT and each.status in _AGAINST)
        ]

    def _doubtful(self, part: Component, record: Record) -> Vex | None:
        """A statement about the record that would count if its digests could be compared."""
        names = {*record.ids, *record.upstream}
        about = (each for each in self._statements if not names.isdisjoint(each.ids))
        return next((each for each in about if self._fit(each, part) is Fit.DOUBT), None)

    def _fit(self, statement: Vex, part: Component) -> Fit:
        return fit_of(statement, self._sbom, part, self._subject)

    def _counted(self, statements: Sequence[Vex], ids: frozenset[str]) -> list[Vex]:
        return newest([each for each in statements if each.ids & ids], self._now)

    def _report_doubt(self, part: Component, record: Record, one: Vex) -> None:
        said = algorithms([text for each in one.products for text in each.digests])
        message = (
            f"{record.id} in `{part}`: the statement may be about another build of it ({said})"
        )
        hint = "no digest of the artifact or in the SBOM compares with those of the statement"
        self.problems.append(Problem(EvidenceRule.VEX_VOID, message, hint, one.document, one.path))

    def _refuse(self, part: Component, record: Record, listed: Listed, void: Vex | None) -> None:
        named = ", ".join((record.id, *record.aliases[:3]))
        exploited = not self._known.exploited.isdisjoint({*record.ids, *record.upstream})
        known = " (known to be exploited)" if exploited else ""
        if void is not None:
            rule = EvidenceRule.AFFECTED if void.status in _AGAINST else EvidenceRule.VEX_VOID
            message = f"{named}{known} in `{part}`: {void.why_void}"
            self.problems.append(Problem(rule, message, "", void.document, void.path))
        elif listed is Listed.DOUBT:
            message = (
                f"{named}{known} may be in `{part}`: how its versions compare is not known here"
            )
            hint = "what is in doubt counts as listed; a VEX statement says that it is not affected"
            self._report(EvidenceRule.IN_DOUBT, message, part, hint)
        else:
            message = f"{named}{known} is listed for `{part}`, and no VEX statement excuses it"
            hint = "update the part, or say in a VEX file why the artifact is not affected"
            self._report(EvidenceRule.LISTED, message, part, hint)

    def _against(self) -> Iterator[Problem]:
        """Statements against parts that no record above was about."""
        seen = {(one.document.file, one.path) for one in self.problems if one.document is not None}
        for part in (self._sbom.subject, *self._sbom.components):
            mine = self._about(part)
            for name in sorted({name for each in mine for name in each.ids}):
                for each in self._counted(mine, frozenset((name,))):
                    place = (each.document.file, each.path)
                    if each.status in _AGAINST and place not in seen:
                        seen.add(place)
                        message = f"{name} in `{part}`: {each.why_void}"
                        yield Problem(EvidenceRule.AFFECTED, message, "", each.document, each.path)

    def _report(self, rule: EvidenceRule, message: str, part: Component, hint: str) -> None:
        is_url = part.purl is not None and self._sbom.form.startswith("CycloneDX")
        path = (*part.path, "purl" if is_url else "name")
        self.problems.append(Problem(rule, message, hint, self._sbom.document, path))


def _release_in(releases: Collection[str], release: str) -> str:
    """The release as records name it, also without what follows a point; empty for none of them."""
    while release:
        if release in releases:
            return release
        release = release.rpartition(".")[0]
    return ""


def _is_own(part: Component, named: str) -> bool:
    name = part.name if part.purl is None else str(replace(part.purl, version=""))
    return name.startswith(named) if named.endswith("/") else name == named
