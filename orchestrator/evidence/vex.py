"""What a supplier says about a vulnerability in a product, whatever the form of the file.

Laws:
1. Only `not_affected` and `fixed` excuse, and only with a reason: a justification from the format's
   list, for `fixed` words that say how. `affected` and `under_investigation` never do.
2. Of several statements about one thing the newest counts; of equally new ones, and of those
   without a time, all must excuse. One that says to be made in the future excuses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.evidence.purl import Purl
from orchestrator.evidence.sbom import Component, Sbom, Subject
from orchestrator.evidence.strict_json import Document, Path

VEX_BYTES_MAX = 16 * 1024 * 1024
CLOCKS_APART_S = 300.0


class Status(StrEnum):
    """What is said; `none`: nothing that could be understood."""

    NOT_AFFECTED = "not_affected"
    FIXED = "fixed"
    AFFECTED = "affected"
    UNDER_INVESTIGATION = "under_investigation"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Product:
    """What a statement is about; where `parts` are given, only about them within it."""

    purl: Purl | None = None
    name: str = ""
    version: str = ""
    sha256s: tuple[str, ...] = ()
    parts: tuple[Product, ...] = ()


@dataclass(frozen=True, slots=True)
class Vex:
    """A statement; `made_at` is UTC seconds, None where no time is said."""

    ids: frozenset[str]
    status: Status
    justification: str
    words: str
    products: tuple[Product, ...]
    made_at: float | None
    document: Document
    path: Path

    @property
    def why_void(self) -> str:
        """Why it excuses nothing; empty where it does."""
        match self.status:
            case Status.NOT_AFFECTED if self.justification:
                return ""
            case Status.FIXED if self.words.strip():
                return ""
            case Status.NOT_AFFECTED:
                return "it says `not_affected` without a justification"
            case Status.FIXED:
                return "it says `fixed` without words that say how"
            case Status.NONE:
                return "it says no status"
            case _:
                return f"it says `{self.status}`"


def about(statements: Iterable[Vex], sbom: Sbom, part: Component, subject: Subject) -> list[Vex]:
    """Those of the statements that are about a part of the artifact."""
    return [
        each
        for each in statements
        if any(_is_about(product, sbom, part, subject) for product in each.products)
    ]


def newest(statements: Sequence[Vex], now: float) -> list[Vex]:
    """Those that count: the newest, and those without a time."""
    dated = [each.made_at for each in statements if each.made_at is not None]
    past = [at for at in dated if at <= now + CLOCKS_APART_S]
    last = max(past, default=None)
    return [each for each in statements if each.made_at is None or each.made_at == last]


def _is_about(product: Product, sbom: Sbom, part: Component, subject: Subject) -> bool:
    if not product.parts and _is(product, part) and part is not sbom.subject:
        return True
    whole = _is(product, sbom.subject) and not _is_other_build(product, sbom, subject)
    if not (whole or _is_artifact(product, subject)):
        return False
    return not product.parts or any(_is(each, part) for each in product.parts)


def _is_other_build(product: Product, sbom: Sbom, subject: Subject) -> bool:
    """Whether its digests are of something else, whatever it calls that."""
    known = {subject.sha256, *subject.payload_sha256s, *sbom.subject.sha256s}
    return bool(product.sha256s) and known.isdisjoint(product.sha256s)


def _is(product: Product, part: Component) -> bool:
    if product.sha256s and part.sha256s and set(product.sha256s).isdisjoint(part.sha256s):
        return False
    if product.purl is not None and part.purl is not None:
        return product.purl.names(part.purl)
    if product.sha256s and part.sha256s:
        return not set(product.sha256s).isdisjoint(part.sha256s)
    if product.purl is not None or part.purl is not None:
        return False
    return bool(product.name) and (product.name, product.version) == (part.name, part.version)


def _is_artifact(product: Product, subject: Subject) -> bool:
    if product.sha256s:
        return subject.sha256 in product.sha256s
    return product.purl is None and not product.version and product.name == subject.name
