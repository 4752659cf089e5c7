"""JUnit reports: findings of files, and what a preview knows of devices.

Laws:
1. A case fails exactly where the command refuses: errors fail, warnings are text beside a case.
2. No case passes for a device on which nothing was done: what is planned is `skipped`, as it has
   not started. No evidence is never success.

Source: the schema that Jenkins' xUnit plug-in publishes (`junit-10.xsd`), in which every part here
has a place; names of cases are unique in their suite.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape as quoted

from orchestrator.errors import Diagnostic, Severity
from orchestrator.plan.preview import Preview, WavePreview
from orchestrator.render.diagnostics import concise_line
from orchestrator.render.text import escape
from orchestrator.render.words import reason_words

ROOT = "rollout"
NO_FILE = "(no file)"
LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    failure: tuple[str, str, str] | None = None  # type, message, text
    skipped: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class _Suite:
    name: str
    cases: list[_Case] = field(default_factory=list)


def findings_report(diagnostics: Sequence[Diagnostic], files: Iterable[str]) -> str:
    """A suite for each file, in it a case for each rule that spoke, and one that says the rest."""
    found: dict[str, list[Diagnostic]] = {file: [] for file in files}
    for one in diagnostics:
        found.setdefault(one.where.file or NO_FILE, []).append(one)
    return _report([_of_file(file, each) for file, each in found.items()])


def preview_report(preview: Preview, diagnostics: Sequence[Diagnostic]) -> str:
    """Findings about the plan, then a suite for each wave with a case for each of its devices."""
    plan = preview.plan
    suites = [_of_file(plan.plan_file, diagnostics)]
    suites += [_of_wave(preview, wave) for wave in preview.waves]
    if plan.skipped:
        cases = [
            _Case(each.device, skipped=reason_words(each.reason, each.detail))
            for each in plan.skipped
        ]
        suites.append(_Suite(LEFT_OUT, cases))
    return _report(suites)


def _of_file(file: str, diagnostics: Sequence[Diagnostic]) -> _Suite:
    suite = _Suite(file)
    by_code: dict[str, list[Diagnostic]] = {}
    for one in diagnostics:
        by_code.setdefault(one.code, []).append(one)
    for code, found in by_code.items():
        text = "\n".join(map(concise_line, found))
        errors = [one for one in found if one.severity is Severity.ERROR]
        failure = (code, escape(errors[0].message, limit=800), text) if errors else None
        suite.cases.append(_Case(code, failure, output="" if errors else text))
    if all(one.severity is not Severity.ERROR for one in diagnostics):
        suite.cases.append(_Case("no errors"))
    return suite


def _of_wave(preview: Preview, wave: WavePreview) -> _Suite:
    plan = preview.plan
    suite = _Suite(f"wave {wave.name}")
    for device in wave.devices:
        planned = plan.devices[device]
        if planned.current_manifest == plan.artifact.manifest_sha256:
            words = f"not started; runs {plan.artifact.name} already"
        elif planned.current is None:
            words = f"not started; would get {plan.artifact.name}"
        else:
            words = (
                f"not started; would get {plan.artifact.name} for {planned.current or 'nothing'}"
            )
        suite.cases.append(_Case(device, skipped=escape(words)))
    return suite


def _report(suites: Sequence[_Suite]) -> str:
    cases = [case for suite in suites for case in suite.cases]
    failures = sum(case.failure is not None for case in cases)
    head = f'<testsuites name="{ROOT}" tests="{len(cases)}" failures="{failures}" errors="0">'
    body = "".join(map(_suite, suites))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}\n{body}</testsuites>\n'


def _suite(suite: _Suite) -> str:
    failures = sum(case.failure is not None for case in suite.cases)
    skipped = sum(bool(case.skipped) for case in suite.cases)
    name = _attribute(suite.name)
    head = (
        f'  <testsuite name={name} tests="{len(suite.cases)}" failures="{failures}" errors="0" '
        f'skipped="{skipped}">\n'
    )
    cases = "".join(_case(case, name) for case in suite.cases)
    return f"{head}{cases}  </testsuite>\n"


def _case(case: _Case, classname: str) -> str:
    inner = ""
    if case.failure is not None:
        kind, message, text = case.failure
        inner += f"<failure type={_attribute(kind)} message={_attribute(message)}>"
        inner += f"{quoted(text)}</failure>"
    if case.skipped:
        inner += f"<skipped message={_attribute(case.skipped)}/>"
    if case.output:
        inner += f"<system-out>{quoted(case.output)}</system-out>"
    head = f"    <testcase name={_attribute(case.name)} classname={classname}"
    return f"{head}>{inner}</testcase>\n" if inner else f"{head}/>\n"


def _attribute(text: str) -> str:
    return f'"{quoted(escape(text, limit=1000))}"'
