from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.errors import Diagnostic
from orchestrator.plan.model import GateText, Plan
from orchestrator.plan.resolved import OnNoData, ProbeKind, Stage

Parse = Callable[[str], Plan]
Check = Callable[[str], tuple[Diagnostic, ...]]
OK = "success_when: result.exit == 0"
PROM = "prometheus: {url: 'http://h/', query: up}"
PER_DEVICE = "prometheus: {url: 'http://h/', query: up, label: device}"


def only_gate(plan: Parse, gate: str) -> GateText:
    return plan(f"waves: [1, rest]\ngates: [{{name: g, {gate}}}]\n").gates[0]


@pytest.mark.parametrize(
    ("gate", "kind", "stage"),
    [
        (f"check: svc, {OK}", ProbeKind.CHECK, Stage.DEVICE),
        (f"check: svc, {OK}, stage: wave", ProbeKind.CHECK, Stage.WAVE),
        (f"check: svc, {OK}, stage: background", ProbeKind.CHECK, Stage.BACKGROUND),
        (f"command: [a], {OK}", ProbeKind.COMMAND, Stage.WAVE),
        (f"command: [a], {OK}, stage: device", ProbeKind.COMMAND, Stage.DEVICE),
        (
            'http: {url: "http://h/"}, success_when: result.status == 200',
            ProbeKind.HTTP,
            Stage.WAVE,
        ),
    ],
)
def test_gate_speaks_at_its_stage(plan: Parse, gate: str, kind: ProbeKind, stage: Stage) -> None:
    read = only_gate(plan, gate)

    assert (read.probe.kind, read.stage) == (kind, stage)


def test_gate_has_the_documented_defaults(plan: Parse) -> None:
    read = only_gate(plan, f"check: svc, {OK}")

    assert (read.count, read.consecutive_success_limit) == (None, None)
    assert (read.interval_s, read.initial_delay_s, read.timeout_s) == (10, 0, 30)
    assert (read.failure_limit, read.inconclusive_limit) == (0, 0)
    assert read.consecutive_error_limit == 4
    assert (read.on_no_data, read.dry_run, read.waves) == (OnNoData.INCONCLUSIVE, False, ())


def test_gate_keeps_what_is_written(plan: Parse) -> None:
    read = only_gate(
        plan,
        'command: [/bin/x, "--n={{ n }}"], fail_when: result.errors > 5, waves: [wave-1], count: 9,'
        " interval: 1m, initial_delay: 5s, timeout: 3s, failure_limit: 2, inconclusive_limit: 1,"
        " consecutive_error_limit: 0, on_no_data: fail, dry_run: true",
    )

    assert [word.text for word in read.probe.argv] == ["/bin/x", "--n={{ n }}"]
    assert read.success_when is None
    assert read.fail_when is not None
    assert read.fail_when.text == "result.errors > 5"
    assert [wave.text for wave in read.waves] == ["wave-1"]
    assert (read.count, read.interval_s, read.initial_delay_s, read.timeout_s) == (9, 60, 5, 3)
    assert (read.failure_limit, read.inconclusive_limit) == (2, 1)
    assert read.consecutive_error_limit == 0
    assert (read.on_no_data, read.dry_run) == (OnNoData.FAIL, True)


def test_pointer_may_mean_the_whole_answer(plan: Parse) -> None:
    read = only_gate(
        plan, 'http: {url: "https://h", value: ""}, success_when: result.value == "ok"'
    )

    assert read.probe.value == ""


@pytest.mark.parametrize(
    ("gate", "code"),
    [
        ("name: g", "P101"),
        ("{name: g, check: svc}", "P102"),
        (f"{{name: g, {OK}}}", "P102"),
        (f"{{check: svc, {OK}}}", "P102"),
        (f"{{name: g, check: svc, command: [a], {OK}}}", "P115"),
        (f'{{name: "a\\nb", check: svc, {OK}}}', "P110"),
        (f"{{name: {'x' * 101}, check: svc, {OK}}}", "P110"),
        (f"{{name: 5, check: svc, {OK}}}", "Y902"),
        (f'{{name: g, check: "systemctl status", {OK}}}', "P110"),
        (f"{{name: g, check: ../x, {OK}}}", "P110"),
        (f"{{name: g, check: a..b, {OK}}}", "P110"),
        (f"{{name: g, check: [svc], {OK}}}", "P101"),
        (f'{{name: g, check: "{{% a %}}", {OK}}}', "P112"),
        (f"{{name: g, command: ls, {OK}}}", "P101"),
        (f"{{name: g, command: [], {OK}}}", "P104"),
        (f"{{name: g, command: [sleep, 5], {OK}}}", "Y902"),
        (f"{{name: g, command: [~], {OK}}}", "P103"),
        ("{name: g, http: 'http://h', success_when: result.status == 200}", "P101"),
        ("{name: g, http: {value: /a}, success_when: result.status == 200}", "P102"),
        ("{name: g, http: {url: 'ftp://h'}, success_when: result.status == 200}", "P110"),
        ("{name: g, http: {url: h/x}, success_when: result.status == 200}", "P110"),
        ("{name: g, http: {url: 'http://'}, success_when: result.status == 200}", "P110"),
        ("{name: g, http: {url: 'http://[::1'}, success_when: result.status == 200}", "P110"),
        ("{name: g, http: {url: 'http://h:0'}, success_when: result.status == 200}", "P110"),
        ("{name: g, http: {url: 'http://h:99999'}, success_when: result.status == 200}", "P110"),
        ("{name: g, http: {url: 'http://u@h'}, success_when: result.status == 200}", "P110"),
        ("{name: g, http: {url: 'http://h', value: a}, success_when: result.value == 1}", "P110"),
        ("{name: g, http: {url: 'http://h', value: /~2}, success_when: result.value > 1}", "P110"),
        ("{name: g, http: {url: 'http://h'}, success_when: result.value == 1}", "P204"),
        ("{name: g, http: {url: 'http://h'}, success_when: result.exit == 0}", "P113"),
        ("{name: g, http: {url: 'http://h'}, success_when: result.status == '200'}", "P113"),
        ("{name: g, check: svc, success_when: value > 5}", "P113"),
        ("{name: g, check: svc, success_when: failures == 0}", "P113"),
        ("{name: g, check: svc, success_when: 0 == 0}", "P113"),
        ("{name: g, check: svc, success_when: true}", "Y902"),
        ("{name: g, check: svc, success_when: 0}", "Y902"),
        ('{name: g, check: svc, success_when: "{{ x }}"}', "P113"),
        (f"{{name: g, check: svc, {OK}, stage: later}}", "P105"),
        ("{name: g, prometheus: {query: up}, success_when: value > 0}", "P102"),
        (f"{{name: g, {PROM}, success_when: result.value > 0}}", "P113"),
        (f"{{name: g, {PROM}, success_when: value > 'a'}}", "P113"),
        ("{name: g, prometheus: {url: h, query: up}, success_when: value > 0}", "P110"),
        (f"{{name: g, {PROM[:-1]}, label: a-b}}, success_when: value > 0}}", "P110"),
        ("{name: g, tcp: {host: h, port: 1}}", "P102"),
        ("{name: g, tcp: 'h:22', success_when: result.open}", "P101"),
        ("{name: g, prometheus: up, success_when: value > 0}", "P101"),
        ("{name: g, tcp: {host: h, port: 70000}, success_when: result.open}", "P104"),
        ("{name: g, tcp: {host: -h, port: 1}, success_when: result.open}", "P110"),
        ("{name: g, tcp: {host: h, port: 1}, success_when: result.exit == 0}", "P113"),
        ("{name: g, stats: speed, success_when: value > 0}", "P105"),
        ("{name: g, stats: duration, stage: device, success_when: value > 0}", "P115"),
        ("{name: g, stats: duration, success_when: result.exit > 0}", "P113"),
        (f"{{name: g, {PROM}, compare: {{to: control, min_effect: 2}}}}", "P102"),
        ("{name: g, check: svc, stage: wave, compare: {to: control, min_effect: 2}}", "P115"),
        (
            f"{{name: g, {PER_DEVICE}, compare: {{to: control, min_effect: 2}}, fail_when: value > 1}}",
            "P115",
        ),
        (
            f"{{name: g, {PER_DEVICE}, stage: device, compare: {{to: before, min_effect: 2}}}}",
            "P115",
        ),
        (f"{{name: g, {PER_DEVICE}, compare: {{to: control}}}}", "P102"),
        (f"{{name: g, {PER_DEVICE}, compare: {{min_effect: 2}}}}", "P102"),
        (f"{{name: g, {PER_DEVICE}, compare: {{to: control, min_effect: 0.9}}}}", "P104"),
        (f"{{name: g, {PER_DEVICE}, compare: {{to: control, min_effect: 1}}}}", "P104"),
        (
            f"{{name: g, {PER_DEVICE}, compare: {{to: control, min_effect: 2, direction: decrease}}}}",
            "P104",
        ),
        (f"{{name: g, {PER_DEVICE}, compare: {{to: control, min_effect: 2, alpha: 0}}}}", "P104"),
        (f"{{name: g, {PER_DEVICE}, compare: {{to: control, min_effect: 2, alpha: 0.6}}}}", "P104"),
        (f"{{name: g, {PER_DEVICE}, compare: {{to: control, min_effect: 2, test: t}}}}", "P105"),
        (
            f"{{name: g, {PER_DEVICE}, compare: {{to: control, min_effect: 2, min_samples: 0}}}}",
            "P104",
        ),
        (f"{{name: g, check: svc, {OK}, interval: 0s}}", "P104"),
        (f"{{name: g, check: svc, {OK}, interval: 10}}", "P108"),
        (f"{{name: g, check: svc, {OK}, count: 0}}", "P104"),
        (f"{{name: g, check: svc, {OK}, count: 99999}}", "P104"),
        (f"{{name: g, check: svc, {OK}, consecutive_success_limit: 0}}", "P104"),
        (f"{{name: g, check: svc, {OK}, on_no_data: success}}", "P105"),
        (f"{{name: g, check: svc, {OK}, dry_run: yes}}", "P109"),
        (f"{{name: g, check: svc, {OK}, waves: wave-1}}", "P101"),
        (f"{{name: g, check: svc, {OK}, waves: []}}", "P104"),
        (f"{{name: g, check: svc, {OK}, waves: [nope]}}", "P208"),
        (f"{{name: g, check: svc, {OK}, wait: 5s}}", "P107"),
    ],
)
def test_gate_is_refused_with_one_finding(findings: Check, gate: str, code: str) -> None:
    body = gate if gate.startswith("{") else f'"{gate}"'

    found = findings(f"waves: [1, rest]\ngates: [{body}]\n")

    assert [each.code for each in found] == [code]


def test_names_of_gates_are_unique(findings: Check) -> None:
    gate = f"{{name: g, check: svc, {OK}}}"

    found = findings(f"waves: [rest]\ngates: [{gate}, {gate}]\n")

    assert [each.code for each in found] == ["P114"]


def test_name_of_a_gate_that_is_refused_itself_is_taken_too(findings: Check) -> None:
    refused = f"{{name: g, check: svc, count: -1, {OK}}}"
    again = f"{{name: g, check: svc, interval: soon, {OK}}}"

    found = findings(f"waves: [rest]\ngates: [{refused}, {again}]\n")

    assert [each.code for each in found] == ["P104", "P114", "P108"]


def test_gates_have_an_upper_limit(findings: Check) -> None:
    gate = f"{{name: g, check: svc, {OK}}},"

    found = findings(f"waves: [rest]\ngates: [{gate * 101}]\n")

    assert [each.code for each in found] == ["P104"]


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("value > 5", "here it is `result.value`"),
        ("exit == 0", "write `result.exit`"),
        ("failures == 0", "counted by `stats` gates"),
    ],
)
def test_names_that_are_elsewhere_are_explained(findings: Check, condition: str, hint: str) -> None:
    (found,) = findings(
        f"waves: [rest]\ngates: [{{name: g, check: svc, success_when: {condition}}}]\n"
    )

    assert hint in found.hint
