"""Findings as SARIF 2.1.0, in the part of it that code scanning reads.

Laws:
1. Every result has a rule, a place and a fingerprint: what lacks one is dropped by its readers.
2. Paths are relative to the checkout, as they were given, in the form of a URI.

Source: SARIF 2.1.0 (OASIS), sections 3.27, 3.29 and 3.49; GitHub's "SARIF support".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from orchestrator.errors import Diagnostic, Severity
from orchestrator.render.gitlab import UNPLACED, fingerprints
from orchestrator.render.text import escape

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION = "2.1.0"
RESULTS_MAX = 5000  # GitHub keeps no more of a run
TEXT_CELLS_MAX = 1000  # its limit for texts of rules


def sarif(diagnostics: Sequence[Diagnostic], tool_version: str, meanings: Mapping[str, str]) -> str:
    """One run with all findings, errors first where there are too many.

    Args:
        diagnostics: the findings.
        tool_version: of this program.
        meanings: of codes, for those who read a rule.
    """
    ordered = sorted(diagnostics, key=lambda one: one.severity is not Severity.ERROR)
    found = ordered[:RESULTS_MAX]
    codes = list(dict.fromkeys(one.code for one in found))
    marks = fingerprints(found)
    run = {
        "tool": {
            "driver": {
                "name": "rollout",
                "version": tool_version,
                "rules": [_rule(code, meanings.get(code, "")) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(one, codes.index(one.code), mark)
            for one, mark in zip(found, marks, strict=True)
        ],
    }
    document = {"$schema": SCHEMA, "version": VERSION, "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"


def _rule(code: str, meaning: str) -> dict[str, object]:
    text = meaning or f"finding {code} of rollout"
    return {
        "id": code,
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "help": {"text": f"`rollout explain {code}` says more"},
    }


def _result(one: Diagnostic, rule_index: int, mark: str) -> dict[str, object]:
    hint = f" ({one.hint})" if one.hint else ""
    where: dict[str, object] = {"artifactLocation": {"uri": _uri(one.where.file)}}
    if one.where.line:
        where["region"] = {
            "startLine": one.where.line,
            "startColumn": max(1, one.where.column),
        }
    return {
        "ruleId": one.code,
        "ruleIndex": rule_index,
        "level": "error" if one.severity is Severity.ERROR else "warning",
        "message": {"text": escape(f"{one.message}{hint}", limit=2 * TEXT_CELLS_MAX)},
        "locations": [{"physicalLocation": where}],
        "partialFingerprints": {"primaryLocationLineHash": f"{mark[:16]}:1"},
    }


def _uri(file: str) -> str:
    path = (file or UNPLACED).removeprefix("./")
    uri = quote(path.encode("utf-8", "surrogatepass"), safe="/~")
    return f"file://{uri}" if uri.startswith("/") else uri
