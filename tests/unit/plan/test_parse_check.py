from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.device.model import DeviceId
from orchestrator.errors import Diagnostic, PlanError
from orchestrator.plan.model import Plan
from orchestrator.plan.resolved import ResolvedPlan

Parse = Callable[[str], Plan]
Check = Callable[[str], tuple[Diagnostic, ...]]


def gate(check: str) -> str:
    return (
        f"waves: [1, rest]\ngates: [{{name: g, check: {check}, success_when: result.exit == 0}}]\n"
    )


def asked(plan: Parse, check: str) -> str:
    text = plan(gate(check)).gates[0].probe.check
    assert text is not None
    return text.text


def refusal(findings: Check, check: str) -> tuple[str, str]:
    found = [item for item in findings(gate(check)) if item.code.startswith("P")]
    return found[0].message, found[0].hint


@pytest.mark.parametrize(
    ("check", "asked_for"),
    [
        ("gatewayd", "gatewayd"),
        ("{service: gatewayd}", "service:gatewayd"),
        ("{service: gw@1.service}", "service:gw@1.service"),
        ("{process: gatewayd}", "process:gatewayd"),
        ("{port: 8080}", "port:8080"),
        ('{http: "http://127.0.0.1:8080/health"}', "http:127.0.0.1:8080/health"),
        ('{http: "http://localhost/"}', "http:localhost/"),
        ("{file: /etc/app.conf}", "file:/etc/app.conf"),
        ("{disk: /var, min: 100MiB}", "disk:/var:104857600"),
        ("{load: 4}", "load:4"),
        ("{load: 0.75}", "load:0.75"),
        ("{load: 0}", "load:0"),
    ],
)
def test_check_becomes_what_a_request_names(plan: Parse, check: str, asked_for: str) -> None:
    assert asked(plan, check) == asked_for


@pytest.mark.parametrize(
    ("check", "message", "hint"),
    [
        ("{service: a b}", "`service` cannot look at `a b`", "the name of a service"),
        ("{service: -h}", "`service` cannot look at `-h`", ""),
        ("{service: ../x}", "`service` cannot look at `../x`", ""),
        ('{service: "x;id"}', "`service` cannot look at `x;id`", ""),
        ("{port: 0}", "`port` is between 1 and", ""),
        ("{port: 65536}", "`port` is", ""),
        ('{http: "https://localhost/"}', "`http` is a page of the device itself", "as `http://127"),
        (
            '{http: "http://example.org/"}',
            "`http` cannot look at `example.org/`",
            "the device itself",
        ),
        ('{http: "http://localhost/?a=b"}', "`http` cannot look at", "no `?`"),
        ("{file: etc/x}", "`file` cannot look at `etc/x`", "absolute path"),
        ("{file: /etc/../x}", "`file` cannot look at", ""),
        ("{disk: /var}", "`min` is the free space that `disk` wants", "min: 100MiB"),
        ("{disk: /var, min: much}", "`much` is not a size", "100MiB"),
        ("{load: 4, min: 1MiB}", "`min` is the free space", ""),
        ("{load: -1}", "`load` is between 0 and", ""),
        ("{service: a, port: 1}", "`check` looks at one thing, not 2", "service: gatewayd"),
        ("{}", "`check` looks at one thing, not 0", ""),
        ("{portt: 80}", "unknown key `portt` in `check`; did you mean `port`?", ""),
        ('"service:gatewayd"', "not `service:gatewayd`", "`{service: gatewayd}`"),
        ("[a]", "`check` is", ""),
    ],
)
def test_what_cannot_be_looked_at_is_refused_with_its_place(
    findings: Check, check: str, message: str, hint: str
) -> None:
    found = refusal(findings, check)

    assert message in found[0]
    assert hint in found[1]


def test_texts_of_built_in_checks_may_hold_variables(
    plan: Parse, resolve: Callable[..., ResolvedPlan]
) -> None:
    text = gate('{service: "gw@{{ slot }}.service"}') + "vars: {slot: a}\n"

    assert resolve(plan(text)).gates[0].probe.check == "service:gw@a.service"


def test_variable_that_makes_no_check_is_refused_for_its_device(
    plan: Parse, resolve: Callable[..., ResolvedPlan]
) -> None:
    with pytest.raises(PlanError) as caught:
        resolve(plan(gate('{service: "{{ unit }}"}') + 'vars: {unit: "a b"}\n'))

    assert caught.value.diagnostics[0].message == "`service` cannot look at `a b`"


def test_checks_that_do_not_fit_one_request_are_refused(findings: Check) -> None:
    gates = ", ".join(
        f"{{name: g{n}, check: {'c' * 55}{n:02}, success_when: result.exit == 0}}"
        for n in range(15)
    )

    messages = [found.message for found in findings(f"waves: [1, rest]\ngates: [{gates}]\n")]

    assert "the checks of a device have more than 650 characters" in messages


def test_device_name_in_a_check_makes_a_probe_for_each_device(
    plan: Parse, resolve: Callable[..., ResolvedPlan]
) -> None:
    resolved = resolve(plan(gate('{file: "/etc/{{ inventory_hostname }}.conf"}')))

    assert resolved.gates[0].probes[DeviceId("gw-0")].check == "file:/etc/gw-0.conf"
