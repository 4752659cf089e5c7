"""What readers of reports ask of them, in the parts that we write: from their published rules.

The tests of other packages hold reports against these too. Reports were held against the published
`sarif-schema-2.1.0.json` and `junit-10.xsd` themselves as well; those are no part of the project, and
these rules are stricter where they overlap.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import jsonschema

# SARIF 2.1.0: what the OASIS schema wants of these objects, and GitHub's "SARIF support" beyond it.
_TEXT = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {"text": {"type": "string", "minLength": 1, "maxLength": 2100}},
}
_PLACE = {
    "type": "object",
    "required": ["artifactLocation"],
    "additionalProperties": False,
    "properties": {
        "artifactLocation": {
            "type": "object",
            "required": ["uri"],
            "additionalProperties": False,
            "properties": {
                "uri": {"type": "string", "pattern": "^(file:///|[^/:]+$|[^/:]+/)[!-~]*$"}
            },
        },
        "region": {
            "type": "object",
            "required": ["startLine", "startColumn"],
            "additionalProperties": False,
            "properties": {
                "startLine": {"type": "integer", "minimum": 1},
                "startColumn": {"type": "integer", "minimum": 1},
            },
        },
    },
}
_SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "additionalProperties": False,
                "properties": {
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "additionalProperties": False,
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "version", "rules"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "version": {"type": "string"},
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": [
                                                "id",
                                                "shortDescription",
                                                "fullDescription",
                                                "help",
                                            ],
                                            "additionalProperties": False,
                                            "properties": {
                                                "id": {"pattern": "^[A-Z][0-9]{3}$"},
                                                "shortDescription": _TEXT,
                                                "fullDescription": _TEXT,
                                                "help": _TEXT,
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    },
                    "results": {
                        "type": "array",
                        "maxItems": 5000,
                        "items": {
                            "type": "object",
                            "required": [
                                "ruleId",
                                "ruleIndex",
                                "level",
                                "message",
                                "locations",
                                "partialFingerprints",
                            ],
                            "additionalProperties": False,
                            "properties": {
                                "ruleId": {"type": "string"},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": _TEXT,
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "maxItems": 1,
                                    "items": {
                                        "type": "object",
                                        "required": ["physicalLocation"],
                                        "additionalProperties": False,
                                        "properties": {"physicalLocation": _PLACE},
                                    },
                                },
                                "partialFingerprints": {
                                    "type": "object",
                                    "required": ["primaryLocationLineHash"],
                                    "additionalProperties": {
                                        "type": "string",
                                        "pattern": "^[0-9a-f]+:[0-9]+$",
                                    },
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}
# GitLab's Code Quality: each of these is required, severities are these words.
_CODE_QUALITY = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "additionalProperties": False,
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "additionalProperties": False,
                "properties": {
                    "path": {"type": "string", "pattern": "^(?!\\./).+$"},
                    "lines": {
                        "type": "object",
                        "required": ["begin"],
                        "properties": {"begin": {"type": "integer", "minimum": 1}},
                    },
                },
            },
        },
    },
}
# The parts of `junit-10.xsd`: attributes (required ones end in `!`) and what may stand inside.
_JUNIT = {
    "testsuites": ("name time tests failures errors", "testsuite"),
    "testsuite": (
        "name! tests! failures! errors! group time skipped timestamp hostname id package",
        "testcase properties system-out system-err",
    ),
    "testcase": ("name! time classname group", "skipped error failure system-out system-err"),
    "failure": ("type message", ""),
    "skipped": ("type message", ""),
    "system-out": ("", ""),
}
_COMMAND = re.compile(r"::(error|warning|notice)(?: ([^:]*))?::(.*)")
_ONE_PROPERTY = re.compile(r"(file|line|col|title)=([^,:]*)")


def sarif_run(text: str) -> dict:
    """The one run of a report that fits the schema."""
    document = json.loads(text)
    jsonschema.Draft202012Validator(_SARIF).validate(document)
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[each["ruleIndex"]] for each in run["results"]] == [
        each["ruleId"] for each in run["results"]
    ]
    marks = [str(each["partialFingerprints"]) for each in run["results"]]
    assert len(set(marks)) == len(marks)
    return run


def code_quality_issues(text: str) -> list[dict]:
    """The issues of a report that fits the rules."""
    issues = json.loads(text)
    jsonschema.Draft202012Validator(_CODE_QUALITY).validate(issues)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    return issues


def junit_suites(text: str) -> list[ET.Element]:
    """The suites of a report that fits the schema, whose numbers are right."""
    root = ET.fromstring(text)
    assert root.tag == "testsuites"
    for element in root.iter():
        _fits(element)
    for element in (root, *root):
        cases = list(element.iter("testcase"))
        assert element.get("tests") == str(len(cases))
        assert element.get("failures") == str(
            sum(case.find("failure") is not None for case in cases)
        )
    for suite in root:
        names = [case.get("name") for case in suite]
        assert len(set(names)) == len(names)
        assert suite.get("skipped") == str(sum(case.find("skipped") is not None for case in suite))
    return list(root)


def _fits(element: ET.Element) -> None:
    attributes, children = _JUNIT[element.tag]
    known = {name.rstrip("!") for name in attributes.split()}
    required = {name.rstrip("!") for name in attributes.split() if name.endswith("!")}
    assert required <= set(element.attrib) <= known, element.tag
    assert {child.tag for child in element} <= set(children.split()), element.tag


def commands(log: str) -> list[tuple[str, dict[str, str], str]]:
    """The annotations that a runner of GitHub Actions takes from a log: kind, properties, text."""
    return list(_commands(log))


def _commands(log: str) -> Iterator[tuple[str, dict[str, str], str]]:
    stopped = ""
    for raw in log.splitlines():
        line = raw.lstrip()  # the runner looks behind blanks
        if stopped:
            stopped = "" if line == f"::{stopped}::" else stopped
        elif line.startswith("::stop-commands::"):
            stopped = line.removeprefix("::stop-commands::")
        elif line.startswith(("::group::", "::endgroup::")):
            continue
        else:
            match = _COMMAND.fullmatch(line)
            assert match, f"neither a command nor switched off: {line!r}"
            properties = dict(_ONE_PROPERTY.findall(match[2] or ""))
            assert len(properties) == len((match[2] or "").split(",")) or not match[2]
            yield match[1], {k: _read_back(v) for k, v in properties.items()}, _read_back(match[3])
    assert not stopped


def _read_back(text: str) -> str:
    for written, meant in (("%2C", ","), ("%3A", ":"), ("%0A", "\n"), ("%0D", "\r"), ("%25", "%")):
        text = text.replace(written, meant)
    return text
