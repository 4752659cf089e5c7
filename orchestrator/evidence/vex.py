"""What a supplier says about a vulnerability in a product, whatever the form of the file.

Laws:
1. Only `not_affected` and `fixed` excuse, and only with a reason: a justification from the format's
   list, for `fixed` words that say how. `affected` and `under_investigation` never do.
2. Of several statements about one thing the newest counts; of equally new ones, and of those
   without a time, all must excuse. One that says to be made in the future excuses nothing.
3. A product that says digests is the build that has them. Where they cannot be compared, because
   nothing here has a digest of such an algorithm, the statement excuses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from orchestrator.evidence.digests import is_same
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


class Fit(IntEnum):
    """Is a statement about something; in doubt where it says digests that nobody here can compare."""

    NO = 0
    DOUBT = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class Product:
    """What a statement is about; where `parts` are given, only about them within it."""

    purl: Purl | None = None
    name: str = ""
    version: str = ""
    digests: tuple[str, ...] = ()
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


def fit_of(statement: Vex, sbom: Sbom, part: Component, subject: Subject) -> Fit:
    """Whether a statement is about a part of the artifact."""
    fits = (_fit(product, sbom, part, subject) for product in statement.products)
    return max(fits, default=Fit.NO)


def newest(statements: Sequence[Vex], now: float) -> list[Vex]:
    """Those that count: the newest, and those without a time."""
    dated = [each.made_at for each in statements if each.made_at is not None]
    past = [at for at in dated if at <= now + CLOCKS_APART_S]
    last = max(past, default=None)
    return [each for each in statements if each.made_at is None or each.made_at == last]


def _fit(product: Product, sbom: Sbom, part: Component, subject: Subject) -> Fit:
    is_part = not product.parts and part is not sbom.subject
    own = _names(product, part) if is_part else Fit.NO
    whole = max(_whole(product, sbom, subject), _artifact(product, subject))
    if product.parts and whole:
        whole = min(whole, max(_names(each, part) for each in product.parts))
    return max(own, whole)


def _names(product: Product, part: Component) -> Fit:
    same = is_same(product.digests, part.digests)
    if same is False:
        return Fit.NO
    if product.purl is not None and part.purl is not None:
        named = product.purl.names(part.purl)
    elif same:
        return Fit.YES
    elif product.purl is not None or part.purl is not None:
        return Fit.NO
    else:
        ours = (part.name, part.version)
        named = bool(product.name) and (product.name, product.version) == ours
    return _as_named(product, same) if named else Fit.NO


def _whole(product: Product, sbom: Sbom, subject: Subject) -> Fit:
    """Whether it is what the SBOM is about; its digests may be those of the artifact as well."""
    if _names(product, sbom.subject) is Fit.NO:
        return Fit.NO
    return _as_named(product, is_same(product.digests, (*subject.digests, *sbom.subject.digests)))


def _artifact(product: Product, subject: Subject) -> Fit:
    same = is_same(product.digests, (subject.digest,))
    if same is not None:
        return Fit.YES if same else Fit.NO
    is_named = product.purl is None and not product.version and product.name == subject.name
    return _as_named(product, same) if is_named else Fit.NO


def _as_named(product: Product, same: bool | None) -> Fit:
    """What a name or package URL that fits is worth, with what its digests say."""
    if same is None and product.digests:
        return Fit.DOUBT
    return Fit.NO if same is False else Fit.YES
