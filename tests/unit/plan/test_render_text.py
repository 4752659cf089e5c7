from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.errors import PlanError
from orchestrator.plan.model import Plan
from orchestrator.plan.render_text import (
    check_variables,
    rendered_artifact,
    rendered_hosts,
    resolved_probes,
)
from orchestrator.plan.resolved import Probe, ProbeKind, ResolvedPlan

Parse = Callable[[str], Plan]
Resolve = Callable[..., ResolvedPlan]
OK = "success_when: result.exit == 0"
FULL = """\
schema: 1
name: gw
hosts: "{{ group | default('gateways') }}:&production"
artifact: "releases/gw-{{ version }}.mender"
vars: {version: "1.10"}
waves: [rest]
"""


@pytest.fixture
def full() -> Plan:
    from orchestrator.plan.parse import parse_plan

    return parse_plan(FULL.encode(), file="p.yml")


def gate(plan: Parse, written: str, head: str = "waves: [rest]\n") -> Plan:
    return plan(f"{head}gates: [{{name: g, {written}}}]\n")


def test_hosts_and_artifact_use_the_plan_variables(full: Plan) -> None:
    assert rendered_hosts(full, {}) == "gateways:&production"
    assert rendered_artifact(full, {}) == "releases/gw-1.10.mender"


def test_command_line_overrides_variables(full: Plan) -> None:
    assert rendered_hosts(full, {"group": "lab"}) == "lab:&production"
    assert rendered_artifact(full, {"version": "2"}) == "releases/gw-2.mender"


def test_missing_variable_names_its_place(plan: Parse) -> None:
    read = plan("waves: [rest]\n")
    object.__setattr__(read, "hosts", type(read.hosts)("a:{{ nope }}", read.hosts.where))

    with pytest.raises(PlanError) as caught:
        rendered_hosts(read, {})

    assert caught.value.code == "P210"
    assert str(caught.value.where) == "p.yml:3:8"


def test_text_that_becomes_empty_is_refused(full: Plan) -> None:
    object.__setattr__(full, "artifact", type(full.artifact)("{{ v }}", full.artifact.where))

    with pytest.raises(PlanError, match="empty once its variables"):
        rendered_artifact(full, {"v": " "})


def test_probe_without_device_variables_is_for_all(plan: Parse, resolve: Resolve) -> None:
    read = gate(plan, f'check: "{{{{ svc }}}}", {OK}', "waves: [rest]\nvars: {svc: gatewayd}\n")

    (resolved,) = resolve(read, 2).gates

    assert resolved.probe == Probe(ProbeKind.CHECK, check="gatewayd")
    assert resolved.probes == {}


def test_probe_with_device_variables_is_made_per_device(plan: Parse, resolve: Resolve) -> None:
    read = gate(
        plan,
        'stage: device, http: {url: "http://{{ site }}.example:{{ port }}/{{ inventory_hostname }}"},'
        " success_when: result.status == 200",
    )

    (resolved,) = resolve(read, 2).gates

    assert {device: probe.url for device, probe in resolved.probes.items()} == {
        "gw-0": "http://s0.example:8000/gw-0",
        "gw-1": "http://s1.example:8001/gw-1",
    }
    assert "{{ site }}" in resolved.probe.url


def test_values_that_are_equal_and_read_otherwise_are_rendered_apart(plan: Parse) -> None:
    read = gate(plan, f'check: "app-{{{{ rev }}}}", stage: device, {OK}').gates[0]
    values: list[object] = [1, True, "1", 1.0, 1, "a"]
    devices = {
        DeviceId(f"gw-{number}"): Device(
            DeviceId(f"gw-{number}"), Address("h"), variables={"rev": value}
        )
        for number, value in enumerate(values)
    }

    _, probes = resolved_probes(read, {}, devices)

    assert {device: probe.check for device, probe in probes.items()} == {
        device: resolved_probes(read, {}, {device: devices[device]})[1][device].check
        for device in devices
    }
    assert probes[DeviceId("gw-0")] is probes[DeviceId("gw-4")]


def test_groups_of_a_device_may_be_named(plan: Parse, resolve: Resolve) -> None:
    read = gate(plan, f"check: \"{{{{ group_names | join('-') }}}}\", {OK}")

    (resolved,) = resolve(read, 1).gates

    assert resolved.probes[DeviceId("gw-0")].check == "gateways"


def test_variables_of_the_plan_win_over_the_inventory(plan: Parse, resolve: Resolve) -> None:
    read = gate(plan, f'check: "{{{{ site }}}}", {OK}', "waves: [rest]\nvars: {site: mine}\n")

    (written,) = resolve(read, 2).gates
    (set_by_hand,) = resolve(read, 2, set_vars={"site": "theirs"}).gates

    assert (written.probe.check, set_by_hand.probe.check) == ("mine", "theirs")


def test_check_of_a_wave_may_depend_on_the_device(plan: Parse, resolve: Resolve) -> None:
    read = gate(plan, f'check: "{{{{ site }}}}", stage: wave, {OK}')

    (resolved,) = resolve(read, 2).gates

    assert resolved.probes[DeviceId("gw-1")].check == "s1"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (f'command: [a, "{{{{ site }}}}"], {OK}', "`site` not set, and gate `g` speaks once"),
        (f'check: "{{{{ port }}}} x", {OK}', "for device `gw-0`: `check` names a health check"),
        (f'check: "{{{{ nope }}}}", {OK}', "for device `gw-0`: `nope` is undefined"),
        (
            'stage: device, http: {url: "{{ site }}"}, success_when: result.status == 200',
            "for device `gw-0`: `url` is a web address",
        ),
    ],
)
def test_rendered_probe_is_checked(
    plan: Parse, resolve: Resolve, written: str, message: str
) -> None:
    with pytest.raises(PlanError) as caught:
        resolve(gate(plan, written), 2)

    assert message in caught.value.diagnostics[0].message
    assert caught.value.diagnostics[0].where.line == 6


def test_rendered_text_of_the_plan_is_checked(plan: Parse, resolve: Resolve) -> None:
    read = gate(plan, f'check: "{{{{ svc }}}}", {OK}', 'waves: [rest]\nvars: {svc: "rm -rf"}\n')

    with pytest.raises(PlanError) as caught:
        resolve(read, 2)

    assert caught.value.diagnostics[0].message.startswith("`check` names a health check")


def test_variable_of_another_kind_is_refused(plan: Parse, resolve: Resolve) -> None:
    read = gate(plan, f'check: "{{{{ svc }}}}", {OK}', "waves: [rest]\nvars: {svc: [a]}\n")

    with pytest.raises(PlanError) as caught:
        resolve(read, 2)

    assert caught.value.diagnostics[0].message == "a list is no text"


@pytest.mark.parametrize("name", ["group", "version"])
def test_a_variable_that_is_set_or_read_may_be_given(full: Plan, name: str) -> None:
    check_variables(full, {name: "x"})


@pytest.mark.parametrize(
    ("name", "guess"), [("verson", "`version`"), ("a b", ""), ("__class__", "")]
)
def test_a_variable_that_nobody_reads_is_refused(full: Plan, name: str, guess: str) -> None:
    with pytest.raises(PlanError) as refused:
        check_variables(full, {name: "x"})

    (found,) = refused.value.diagnostics
    assert (found.code, "sets nothing in this plan" in found.message) == ("P211", True)
    assert guess in found.message


def test_a_variable_that_a_probe_reads_may_be_given(plan: Parse) -> None:
    read = gate(plan, 'http: {url: "http://h/{{ site }}"}, success_when: result.status == 200')

    check_variables(read, {"site": "ber"})


def test_texts_of_all_devices_and_unused_variables_are_refused_at_once(plan: Parse) -> None:
    read = plan(
        """\
        release: "{{ nowhere }}"
        order: {seed: "{{ neither }}"}
        waves: [{size: 1, hosts: "{{ lab }}"}, rest]
        gates:
          - {name: a, http: {url: "http://{{ host }}/"}, success_when: result.status == 200}
          - {name: b, command: ["{{ x }}", "{{ y }}"], stage: wave, success_when: result.exit == 0}
          - {name: c, check: "{{ per_device }}", success_when: result.exit == 0}
        """
    )

    with pytest.raises(PlanError) as refused:
        check_variables(read, {"nowhre": "1"})

    found = [(each.where.line, each.code) for each in refused.value.diagnostics]
    assert found == [(1, "P211"), (5, "P210"), (6, "P210"), (7, "P210"), (9, "P210"), (10, "P210")]


def test_all_texts_of_a_gate_are_refused_at_once(plan: Parse) -> None:
    read = gate(
        plan,
        'command: ["{{ a }}", "{{ list }}"], success_when: result.exit == 0',
        "waves: [rest]\nvars: {a: '', list: []}\n",
    )

    with pytest.raises(PlanError) as refused:
        check_variables(read, {})

    assert [each.message for each in refused.value.diagnostics] == [
        "the text is empty once its variables are in place",
        "a list is no text",
    ]
