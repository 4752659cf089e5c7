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
    """Collects the findings about one file, at most `DIAGNOSTICS_MAX`."""

    __slots__ = ("_dropped_count", "_found", "source")

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self._found: list[Diagnostic] = []
        self._dropped_count = 0

    def add(
        self,
        where: Where,
        code: str,
        message: str,
        hint: str = "",
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Notes one finding; a warning gives way to an error of the same code and line."""
        if len(self._found) >= DIAGNOSTICS_MAX:
            self._dropped_count += 1
            return
        self._found.append(self.source.diagnostic(where, code, message, hint, severity))

    def has_errors(self) -> bool:
        """Whether anything found so far refuses the file."""
        return any(found.severity is Severity.ERROR for found in self._found)

    def result(self) -> tuple[Diagnostic, ...]:
        """The findings in the order of the file."""
        errors = {(d.code, d.where.line) for d in self._found if d.severity is Severity.ERROR}
        kept = [
            found
            for found in self._found
            if found.severity is Severity.ERROR or (found.code, found.where.line) not in errors
        ]
        kept.sort(key=lambda found: (found.where.line, found.where.column))
        if self._dropped_count:
            message = f"{self._dropped_count} more findings in this file are not shown"
            kept.append(Diagnostic(Where(self.source.file), "Y199", message))
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
