"""One thing that is wrong hides nothing else: all problems of a file are told at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import Diagnostic

Check = Callable[[str], tuple[Diagnostic, ...]]
WAVES = "waves: [1, rest]\n"
OK = "success_when: result.exit == 0"
PER_DEVICE = "prometheus: {url: 'http://h/', query: up, label: device}"


def codes(findings: Check, text: str) -> list[str]:
    return [found.code for found in findings(text)]


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("{name: g, cheq: {servic: x}, success_when: result.exit == 0}", ["P107", "P107"]),
        ("{name: g, cheq: a b, success_when: result.exit == 0}", ["P107", "P110"]),
        ("{name: g, cheq: svc, success_when: result.exit = 0}", ["P107", "P113"]),
        ("{name: g, cheq: svc, sucess_when: result.status == = 0}", ["P107", "P107", "P113"]),
        (f"{{name: g, cheq: svc, {OK}, waves: [nope]}}", ["P107", "P208"]),
        (f"{{name: g, cheq: svc, {OK}, failure_limit: 3}}", ["P205", "P107"]),
        (f"{{name: g, cheq: svc, {OK}, intervl: 30}}", ["P107", "P107", "P108"]),
        (f"{{name: g, probe: svc, {OK} or}}", ["P107", "P113"]),
        (f"{{name: g, check: svc, {OK}, count: x, waves: [nope]}}", ["P101", "P208"]),
        (f"{{name: g, check: a b, http: {{url: x}}, {OK} or}}", ["P110", "P115", "P110", "P113"]),
        (f"{{name: g, check: {{service: x, port: y}}, {OK}}}", ["P115", "P101"]),
        (f"{{name: g, check: {{port: y, min: 1MiB}}, {OK}}}", ["P115", "P101"]),
        (f"{{name: g, plugin: {{kind: A B, options: 5}}, {OK}}}", ["P110", "P101"]),
        (
            f"{{name: g, {PER_DEVICE}, compare: {{to: x, min_effect: 2, test: y}}}}",
            ["P105", "P105"],
        ),
    ],
)
def test_mistake_in_a_gate_hides_no_other(findings: Check, gate: str, expected: list[str]) -> None:
    assert codes(findings, f"{WAVES}gates: [{gate}]\n") == expected


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("waves: [{size: 1, sok: 30}, rest]", ["P107", "P108"]),
        ("waves: [{size: {percnt: 200}}, rest]", ["P107", "P104"]),
        ("waves: [{size: {percent: 200, min: 5, max: 2}}, rest]", ["P104", "P104"]),
        (WAVES + "ofline: {policy: x}", ["P107", "P105"]),
        (WAVES + "offline: {polici: x, for: 30}", ["P107", "P105", "P108"]),
        (WAVES + "retrys: {count: x, dely: 3}", ["P107", "P101", "P107", "P108"]),
        (WAVES + "timeouts: {conec: 30, install: x}", ["P107", "P108", "P108"]),
        (WAVES + "requires: [{plan: gw, release: '>='}]", ["P218", "P110"]),
        (WAVES + "hooks: [{event: [nope], http: x}]", ["P107", "P105", "P110"]),
    ],
)
def test_mistake_in_a_section_hides_no_other(
    findings: Check, rest: str, expected: list[str]
) -> None:
    gates = f"\ngates: [{{name: g, check: svc, {OK}}}]\n"

    assert codes(findings, rest + gates) == expected


def test_gates_know_the_names_of_waves_with_mistakes(findings: Check) -> None:
    text = "waves: [{name: canary, size: x}, rest]\n"
    text += f"gates: [{{name: g, check: svc, {OK}, waves: [canary, nope]}}]\n"

    assert codes(findings, text) == ["P111", "P208"]


def test_key_that_is_there_is_not_read_from_a_misspelt_one_too(findings: Check) -> None:
    """Only what was meant counts: the other is reported and says nothing."""
    text = WAVES + f"gates: [{{name: g, check: svc, cheq: a b, {OK}}}]\n"

    assert codes(findings, text) == ["P107"]


def test_key_of_another_tool_is_not_read_as_ours(findings: Check) -> None:
    """Its value has another form, and what would be said of it would only mislead."""
    assert codes(findings, "serial: {a: b}\n" + "gates: []\n")[0] == "P107"
    assert len(codes(findings, "serial: {a: b}\n" + "gates: []\n")) == 1
