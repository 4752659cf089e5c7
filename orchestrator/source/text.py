"""The text of a file: lines for excerpts, and a list of findings with an upper limit."""

from __future__ import annotations

from orchestrator.errors import Diagnostic, Severity, Where

DIAGNOSTICS_MAX = 200  # per file; whoever has more reads the first ones first
EXCERPT_CHARS_MAX = 200


class SourceText:
    """One file's name and text; makes findings that carry the line they are about."""

    __slots__ = ("_lines", "file", "text")

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._lines: list[str] | None = None

    def line(self, number: int) -> str:
        """Line `number` (from 1) for display: clipped, without control characters; "" if none."""
        if self._lines is None:
            self._lines = self.text.split("\n")
        if not 0 < number <= len(self._lines):
            return ""
        return displayable(self._lines[number - 1].rstrip("\r"))

    def where(self, offset: int) -> Where:
        """Place of the character at an offset of the text."""
        start = self.text.rfind("\n", 0, offset) + 1
        return Where(self.file, self.text.count("\n", 0, offset) + 1, offset - start + 1)

    def diagnostic(
        self,
        where: Where,
        code: str,
        message: str,
        hint: str = "",
        severity: Severity = Severity.ERROR,
    ) -> Diagnostic:
        """A finding with the text of its line."""
        excerpt = self.line(where.line) if where.file == self.file else ""
        return Diagnostic(where, code, message, hint, severity, excerpt)


class Findings:
    """Collects the findings about one file, at most `DIAGNOSTICS_MAX` of each weight."""

    __slots__ = ("_dropped", "_found", "source")

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self._found: dict[Severity, list[Diagnostic]] = {weight: [] for weight in Severity}
        self._dropped = dict.fromkeys(Severity, 0)

    def add(
        self,
        where: Where,
        code: str,
        message: str,
        hint: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Notes one finding; one warning of a code is enough per line, none beside an error."""
        if len(self._found[severity]) >= DIAGNOSTICS_MAX:
            self._dropped[severity] += 1
            return
        self._found[severity].append(self.source.diagnostic(where, code, message, hint, severity))

    def has_errors(self) -> bool:
        """Whether anything found so far refuses the file."""
        return bool(self._found[Severity.ERROR])

    def result(self) -> tuple[Diagnostic, ...]:
        """The findings in the order of the file."""
        errors = self._found[Severity.ERROR]
        known = {(found.code, found.where.line) for found in errors}
        warnings = {
            (found.code, found.where.line): found
            for found in reversed(self._found[Severity.WARNING])
            if (found.code, found.where.line) not in known
        }
        kept = sorted(
            [*errors, *warnings.values()], key=lambda found: (found.where.line, found.where.column)
        )
        for severity, count in self._dropped.items():
            if count:
                message = f"{count} more findings of this weight in the file are not shown"
                kept.append(Diagnostic(Where(self.source.file), "Y199", message, severity=severity))
        return tuple(kept)


def excerpt(data: bytes, where: Where) -> str:
    """The line of a file's bytes that a place is on, fit for display; "" if there is none."""
    lines = data.split(b"\n")
    if not 0 < where.line <= len(lines):
        return ""
    return displayable(lines[where.line - 1].decode("utf-8", "replace").rstrip("\r"))


def displayable(text: str) -> str:
    """The text clipped, with characters that steer or deceive a terminal written as escapes."""
    text = text[:EXCERPT_CHARS_MAX]
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\t\u00a0" else f"\\u{{{ord(char):04x}}}"
        for char in text
    )


def shown(text: str) -> str:
    """The text for a message: printable ASCII, at most 60 characters."""
    escaped = text.encode("unicode_escape").decode("ascii")
    return escaped if len(escaped) <= 60 else escaped[:57] + "..."  # noqa: PLR2004
