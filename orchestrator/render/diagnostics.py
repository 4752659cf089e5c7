"""Findings about files: as a picture of the line, as one line each, or as data."""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestrator.errors import Diagnostic, OrchestratorError, Severity, Where
from orchestrator.render.text import Look, Style, cells, clip, escape, plural, wrap

FORMAT_VERSION = "1.0"
EXCERPT_CELLS_MAX = 400  # of a line; beyond that it is no line a person reads
_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'|(?:[^\s,:\]}\[{]|:(?=[^\s,\]}\[{]))+|.")


def text(diagnostics: Sequence[Diagnostic], file_count: int, look: Look) -> str:
    """Each finding with its place, the line with a caret, and what to do; a summary at the end."""
    blocks = ["\n".join(block(diagnostic, look)) for diagnostic in diagnostics]
    return "\n\n".join([*blocks, summary(diagnostics, file_count, look)]) + "\n"


def concise(diagnostics: Sequence[Diagnostic]) -> str:
    """One line per finding: `file:line:col code message (hint)`; nothing for no findings."""
    return "".join(f"{concise_line(diagnostic)}\n" for diagnostic in diagnostics)


def concise_line(diagnostic: Diagnostic) -> str:
    """`file:line:col code message (hint)`; a warning says so before its message."""
    kind = "warning: " if diagnostic.severity is Severity.WARNING else ""
    hint = f" ({escape(diagnostic.hint, limit=800)})" if diagnostic.hint else ""
    place = escape(str(diagnostic.where))
    return f"{place} {diagnostic.code} {kind}{escape(diagnostic.message, limit=800)}{hint}"


def document(diagnostics: Sequence[Diagnostic], file_count: int) -> dict[str, object]:
    """The findings as a JSON document (schemas/diagnostics.v1.json)."""
    return {
        "format_version": FORMAT_VERSION,
        "kind": "diagnostics",
        "file_count": file_count,
        "error_count": _count(diagnostics, Severity.ERROR),
        "warning_count": _count(diagnostics, Severity.WARNING),
        "diagnostics": [
            {
                "severity": str(diagnostic.severity),
                "code": diagnostic.code,
                "file": diagnostic.where.file,
                "line": diagnostic.where.line,
                "column": diagnostic.where.column,
                "message": diagnostic.message,
                "hint": diagnostic.hint,
            }
            for diagnostic in diagnostics
        ],
    }


def summary(diagnostics: Sequence[Diagnostic], file_count: int, look: Look) -> str:
    """`2 errors, 1 warning in 1 file`."""
    errors = _count(diagnostics, Severity.ERROR)
    warnings = _count(diagnostics, Severity.WARNING)
    files = plural(file_count, "file")
    if not diagnostics:
        return look.paint(f"no problems in {files}", Style.GOOD)
    parts = [plural(errors, "error")] if errors else []
    parts += [plural(warnings, "warning")] if warnings else []
    place = f" in {files}" if file_count else ""  # none was found to be read
    return look.paint(f"{', '.join(parts)}{place}", Style.BAD if errors else Style.WARN)


def _count(diagnostics: Sequence[Diagnostic], severity: Severity) -> int:
    return sum(diagnostic.severity is severity for diagnostic in diagnostics)


def block(diagnostic: Diagnostic, look: Look) -> list[str]:
    """Lines of one finding: head, place, excerpt with caret, help."""
    style = Style.BAD if diagnostic.severity is Severity.ERROR else Style.WARN
    code = f"[{diagnostic.code}]" if diagnostic.code else ""
    label = f"{diagnostic.severity}{code}:"
    first, *more = wrap(f"{label} {escape(diagnostic.message, limit=800)}", look.width, indent="  ")
    lines = [look.paint(label, style) + look.paint(first[len(label) :], Style.BOLD)]
    lines += [look.paint(line, Style.BOLD) for line in more]
    lines += place(diagnostic.where, diagnostic.excerpt, look)
    if diagnostic.hint:
        lines += _hint(diagnostic, look)
    return lines


def _hint(diagnostic: Diagnostic, look: Look) -> list[str]:
    margin = " " * (len(str(diagnostic.where.line)) + 1 if diagnostic.where.line else 2)
    help_text = escape(diagnostic.hint, limit=800)
    return wrap(help_text, look.width, first=f"{margin}= help: ", indent=margin + "  ")


def place(where: Where, excerpt: str, look: Look) -> list[str]:
    """Lines that point to a place: the arrow line and, where known, the text with a caret."""
    margin = " " * len(str(where.line)) if where.line else " "
    lines = [f"{margin}{look.paint('-->', Style.ACCENT)} {escape(str(where))}"]
    beyond = where.column > len(excerpt) + 1  # of a very long line only the beginning is kept
    if not excerpt.strip() or not where.line or beyond:
        return lines
    line, offset, length = _window(excerpt.rstrip("\r\n"), max(1, where.column), look)
    bar = look.paint("|", Style.ACCENT)
    caret = look.paint("^" * length, Style.BAD)
    return [
        *lines,
        f"{margin} {bar}",
        f"{look.paint(str(where.line), Style.ACCENT)} {bar} {line}",
        f"{margin} {bar} {' ' * offset}{caret}",
    ]


def _window(excerpt: str, column: int, look: Look) -> tuple[str, int, int]:
    """The part of a line around a column that fits, with the caret's offset and length in cells."""
    before, rest = excerpt[: column - 1], excerpt[column - 1 :]
    match = _TOKEN.match(rest)
    token = escape(match[0] if match else "")
    head, tail = escape(before, limit=EXCERPT_CELLS_MAX), escape(rest, limit=EXCERPT_CELLS_MAX)
    room = max(20, look.width - 8)
    keep = max(8, room - cells(token) - 4)
    if cells(head) > keep:
        head = "..." + head[-(keep - 3) :]
    line = clip(head + tail, room, look)
    offset = min(cells(head), room - 1)
    return line, offset, max(1, min(cells(token), room - offset))


def error_text(error: OrchestratorError, look: Look) -> str:
    """An error of ours as text: message, place and hint; every finding of a plan error."""
    found: Sequence[Diagnostic] = getattr(error, "diagnostics", ())
    if found:
        files = len({diagnostic.where.file for diagnostic in found})
        return text(found, files, look)
    where = error.where
    if where is not None:
        only = Diagnostic(where, error.code, error.message, error.hint)
        return "\n".join(block(only, look)) + "\n"
    code = f"[{error.code}]" if error.code else ""
    lines = wrap(f"error{code}: {escape(error.message, limit=2000)}", look.width, indent="  ")
    lines[0] = look.paint(f"error{code}:", Style.BAD) + lines[0].removeprefix(f"error{code}:")
    if error.hint:
        lines += wrap(escape(error.hint, limit=2000), look.width, first="  hint: ", indent="  ")
    return "\n".join(lines) + "\n"
