"""Workflow commands of GitHub Actions: annotations at their lines, and text that is no command.

Laws:
1. Values are escaped as the runner reads them back: `%`, CR and LF, and in properties `:` and `,`.
2. Everything else is written while commands are switched off. What switches them on again is a
   digest of that text, which nothing inside it can know.

Source: "Workflow commands for GitHub Actions"; the runner shows ten annotations of each kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from orchestrator.errors import Diagnostic, Severity
from orchestrator.render.text import escape, plural

ANNOTATIONS_MAX = 10  # of each kind and step; the runner drops the others without a word
MESSAGE_CELLS_MAX = 2000
SAID_CHARS_MAX = 4000  # of one annotation; the runner takes 4 KiB and some more


def annotated(shown: str, title: str, diagnostics: Sequence[Diagnostic], notice: str = "") -> str:
    """The text of a command in a group of its own, and an annotation for each finding.

    Args:
        shown: what people read in the log.
        title: of the group; words of ours.
        diagnostics: findings, errors and warnings.
        notice: one more annotation, for what there is to know beside them.
    """
    lines = [f"::group::{_data(title)}", *_inert(shown), "::endgroup::"]
    for severity in Severity:
        lines += _of_kind(severity, [one for one in diagnostics if one.severity is severity])
    if notice:
        lines.append(f"::notice title=rollout::{_data(notice)}")
    return "\n".join(lines) + "\n"


def concluded(shown: str, kind: str, title: str, said: str) -> str:
    """The last words of a command, unfolded, and one annotation with the same in short.

    Args:
        shown: what people read in the log.
        kind: of the annotation: error, warning or notice.
        title: of the annotation.
        said: its text, of several lines.
    """
    given = f"title={_property(title)}"
    return "\n".join([*_inert(shown), f"::{kind} {given}::{_data(said[:SAID_CHARS_MAX])}"])


def _inert(shown: str) -> list[str]:
    """The text, while the runner looks for no commands in it."""
    token = hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()
    return [f"::stop-commands::{token}", shown.rstrip("\n"), f"::{token}::"]


def output_lines(values: dict[str, str]) -> str:
    """Lines for the file of `GITHUB_OUTPUT`; values are of one line."""
    assert not any("\n" in value or "\r" in value for value in values.values()), "one line each"
    return "".join(f"{key}={value}\n" for key, value in values.items())


def _of_kind(severity: Severity, found: Sequence[Diagnostic]) -> list[str]:
    if len(found) <= ANNOTATIONS_MAX:
        return [_command(each) for each in found]
    shown = found[: ANNOTATIONS_MAX - 1]
    more = plural(len(found) - len(shown), f"more {severity}")
    last = f"::{severity} title=rollout::{_data(f'{more}, in the log of this step')}"
    return [*map(_command, shown), last]


def _command(one: Diagnostic) -> str:
    properties = {}
    if one.where.file:
        properties["file"] = one.where.file
    if one.where.line:
        properties |= {"line": str(one.where.line), "col": str(max(1, one.where.column))}
    properties["title"] = one.code
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    message = escape(one.message, limit=MESSAGE_CELLS_MAX)
    if one.hint:
        message += f"\nhelp: {escape(one.hint, limit=MESSAGE_CELLS_MAX)}"
    return f"::{one.severity} {given}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(escape(text, limit=1000)).replace(":", "%3A").replace(",", "%2C")
