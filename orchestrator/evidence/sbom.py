"""A bill of materials, whatever its form: what it is about, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.evidence.digests import SHA256, digest
from orchestrator.evidence.purl import Purl
from orchestrator.evidence.rules import EvidenceRule, Problem
from orchestrator.evidence.strict_json import Document, Path

SBOM_BYTES_MAX = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Component:
    """A part; `ref` is its id in the document, `path` where it stands there.

    `purl` is None where it has none, or one that cannot be read; `digests` as `digests.digest` has them.
    """

    name: str
    version: str
    purl: Purl | None
    ref: str
    path: Path
    digests: tuple[str, ...] = ()

    @property
    def sha256s(self) -> tuple[str, ...]:
        """Those of its digests that are SHA-256, in hex."""
        start = f"{SHA256}:"
        return tuple(each.removeprefix(start) for each in self.digests if each.startswith(start))

    def __str__(self) -> str:
        version = f" {self.version}" if self.version else ""
        return str(self.purl) if self.purl else f"{self.name}{version}"


@dataclass(frozen=True, slots=True)
class Sbom:
    """The parts of `subject`. `serial` is how VEX files name the document; empty if it has none."""

    document: Document
    form: str
    subject: Component
    components: tuple[Component, ...]
    serial: str = ""
    by_ref: Mapping[str, Component] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """The artifact that everything must be about."""

    name: str
    sha256: str
    payload_sha256s: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The digest of the artifact's file."""
        return digest(SHA256, self.sha256)

    @property
    def digests(self) -> tuple[str, ...]:
        """That one and those of the files in its payload."""
        return (self.digest, *(digest(SHA256, each) for each in self.payload_sha256s))


def check_sbom(sbom: Sbom, subject: Subject) -> list[Problem]:
    """Whether it lists something, and is about the artifact.

    A digest that it says must be that of the artifact or of a file in its payload; where it says
    none, NAME or NAME-VERSION is the artifact's name.
    """
    about, path = sbom.subject, sbom.subject.path
    problems = []
    known = {subject.sha256, *subject.payload_sha256s}
    if about.sha256s and known.isdisjoint(about.sha256s):
        message = f"the SBOM is about `{about}` with another SHA-256 than `{subject.name}` has"
        problems.append(_problem(EvidenceRule.SBOM_SUBJECT, message, sbom, path))
    names = {about.name, f"{about.name}-{about.version}"}
    if not about.sha256s and subject.name not in names:
        message = f"the SBOM is about `{about}`, not about `{subject.name}`"
        hint = "its subject has the artifact's name (or name and version), or its SHA-256"
        problems.append(_problem(EvidenceRule.SBOM_SUBJECT, message, sbom, path, hint))
    if not sbom.components:
        message = "the SBOM lists no component, which says nothing about what is in the artifact"
        problems.append(_problem(EvidenceRule.SBOM_EMPTY, message, sbom, ()))
    return problems


def _problem(rule: EvidenceRule, message: str, sbom: Sbom, path: Path, hint: str = "") -> Problem:
    return Problem(rule, message, hint, sbom.document, path)
