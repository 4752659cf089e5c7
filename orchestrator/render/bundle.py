"""A bundle of evidence, made or verified: on a terminal and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.render.text import Look, Style, Symbol, escape, plural, wrap

FORMAT_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class BundleCheck:
    """One thing that was looked at: `what` in a word, whether it holds, and how that is known.

    `code` is that of what is wrong.
    """

    what: str
    holds: bool
    words: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """A bundle. `missing` are parts that an auditor would want; `masked_count` secrets taken out."""

    path: str
    sha256: str
    about: str
    file_count: int
    checks: Sequence[BundleCheck] = ()
    missing: Sequence[str] = ()
    masked_count: int = 0

    @property
    def holds(self) -> bool:
        """Whether all that was looked at holds."""
        return all(each.holds for each in self.checks)


def bundle_document(facts: BundleFacts) -> dict[str, object]:
    """It as data (schemas/bundle.v1.json)."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "bundle",
        "path": facts.path,
        "sha256": facts.sha256,
        "about": facts.about,
        "file_count": facts.file_count,
        "holds": facts.holds,
        "checks": [
            {"what": each.what, "holds": each.holds, "words": each.words, "code": each.code}
            for each in facts.checks
        ],
        "missing": list(facts.missing),
        "masked_count": facts.masked_count,
    }


def bundle_text(facts: BundleFacts, look: Look) -> str:
    """It for people."""
    files = plural(facts.file_count, "file")
    lines = [f"{look.paint(escape(facts.path), Style.BOLD)}: {escape(facts.about)}, {files}"]
    lines.append(f"sha256:{escape(facts.sha256)}")
    for each in facts.checks:
        sign = look.sign(Symbol.DONE if each.holds else Symbol.FAILED)
        style = Style.GOOD if each.holds else Style.BAD
        code = f"[{each.code}]" if each.code else ""
        first = f"{sign} {each.what}{code}: "
        first, *more = wrap(escape(each.words, limit=400), look.width, first=first, indent="  ")
        lines += [look.paint(first, style), *more]
    if facts.masked_count:
        lines.append(f"{plural(facts.masked_count, 'secret')} masked")
    lines += [look.paint(f"missing: {escape(each)}", Style.WARN) for each in facts.missing]
    return "\n".join(lines) + "\n"
