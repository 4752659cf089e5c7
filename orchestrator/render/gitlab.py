"""Reports that GitLab shows beside a merge request: Code Quality, and the widget for plans.

Source: GitLab's "Code Quality report format" (an array of issues, each with a fingerprint of its
own) and `artifacts:reports:terraform`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from orchestrator.errors import Diagnostic, Severity
from orchestrator.plan.preview import Preview
from orchestrator.render.text import escape

UNPLACED = "rollout.toml"  # a finding of no file: the project's own; a report must name one
DESCRIPTION_CELLS_MAX = 2000
_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor"}


def code_quality(diagnostics: Sequence[Diagnostic]) -> str:
    """The findings as a Code Quality report; an empty list where there are none."""
    issues = []
    for one, fingerprint in zip(diagnostics, fingerprints(diagnostics), strict=True):
        hint = f"; {one.hint}" if one.hint else ""
        issues.append(
            {
                "description": f"{one.code} {escape(one.message + hint, limit=DESCRIPTION_CELLS_MAX)}",
                "check_name": one.code,
                "fingerprint": fingerprint,
                "severity": _SEVERITIES[one.severity],
                "location": {
                    "path": relative(one.where.file) or UNPLACED,
                    "lines": {"begin": max(1, one.where.line)},
                },
            }
        )
    return json.dumps(issues, indent=2, ensure_ascii=True) + "\n"


def plan_widget(preview: Preview) -> str:
    """How many devices would be updated, as the widget counts resources."""
    counts = {"create": 0, "update": preview.update_count, "delete": 0}
    return json.dumps(counts) + "\n"


def fingerprints(diagnostics: Sequence[Diagnostic]) -> list[str]:
    """What tells a finding from others, also when lines before it come and go.

    Of code, file and the text of the line (or the message, where there is none); equal ones count.
    """
    seen: dict[str, int] = {}
    found = []
    for one in diagnostics:
        parts = (one.code, relative(one.where.file), one.excerpt.strip() or one.message)
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        mark = hashlib.sha256(text).hexdigest()
        seen[mark] = seen.get(mark, 0) + 1
        again = f"{mark}:{seen[mark]}".encode()
        found.append(mark if seen[mark] == 1 else hashlib.sha256(again).hexdigest())
    return found


def relative(file: str) -> str:
    """A path as reports want it: without `./` before it, and in one visible line."""
    return escape(file.removeprefix("./"), limit=1000)
