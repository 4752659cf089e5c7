"""The texts of a plan with their variables in place, at resolve time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from orchestrator.device.model import Device, DeviceId
from orchestrator.errors import Diagnostic, PlanError, Severity
from orchestrator.plan.model import GateText, Plan, ProbeText, Text
from orchestrator.plan.parse_check import check_name_problem
from orchestrator.plan.parse_probes import is_host, url_problem
from orchestrator.plan.resolved import Probe, ProbeKind, Stage
from orchestrator.plan.template import TemplateError, check_template, render
from orchestrator.source.suggest import did_you_mean

_OF_ONE_DEVICE = frozenset({"inventory_hostname", "group_names"})
_ABSENT = object()
_SIMPLE = frozenset({str, int, float, bool, type(None), object})


def plan_variables(plan: Plan, set_vars: Mapping[str, str]) -> dict[str, object]:
    """Variables for texts that are for all devices: `vars`, overridden by `-e`."""
    return {**plan.variables, **set_vars}


def check_variables(plan: Plan, set_vars: Mapping[str, str]) -> None:
    """Refuses what can be told without any device: texts without their variables, unused `-e`.

    Raises:
        PlanError: has every finding.
    """
    variables = plan_variables(plan, set_vars)
    rendering = _Rendering(variables)
    for text in _for_all(plan):
        rendering.text(text)
    for gate in plan.gates:
        if not _names(gate) <= variables.keys() and _may_ask_each(gate):
            continue  # each device has its own
        try:
            resolved_probes(gate, variables, {})
        except PlanError as error:
            rendering.problems.extend(error.diagnostics)
    problems = [*_unused(plan, set_vars), *rendering.problems]
    if problems:
        raise refused(plan, problems)


def unset_variables(plan: Plan) -> tuple[Diagnostic, ...]:
    """Warnings of texts that only `-e` could complete: what nobody sets may be a typing error."""
    try:
        check_variables(plan, {})
    except PlanError as error:
        return tuple(replace(each, severity=Severity.WARNING) for each in error.diagnostics)
    return ()


def refused(plan: Plan, problems: Sequence[Diagnostic]) -> PlanError:
    """The error that carries the findings about a plan with its variables and devices."""
    first = problems[0]
    counted = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    message = f"`{plan.file}` has {counted} with these devices and variables"
    return PlanError(
        message, hint=first.hint, where=first.where, code=first.code, diagnostics=problems
    )


def _for_all(plan: Plan) -> Iterator[Text]:
    """The texts that are rendered once, whatever the devices are."""
    heads = (plan.hosts, plan.artifact, plan.release, plan.order.seed)
    yield from (text for text in heads if text is not None)
    yield from (wave.hosts for wave in plan.waves if wave.hosts is not None)


def _names(gate: GateText) -> frozenset[str]:
    return frozenset().union(*(check_template(text.text).names for text in gate.probe.texts))


def _may_ask_each(gate: GateText) -> bool:
    """Whether the gate's texts may differ from device to device."""
    return gate.probe.kind is ProbeKind.CHECK or gate.stage is Stage.DEVICE


def _unused(plan: Plan, set_vars: Mapping[str, str]) -> Iterator[Diagnostic]:
    """Notes `-e` for what the plan neither sets nor reads: a typing error would go unseen."""
    read = frozenset().union(*(check_template(text.text).names for text in _for_all(plan)))
    known = sorted({*plan.variables, *read, *itertools.chain(*map(_names, plan.gates))})
    for name in set_vars:
        if name not in known:
            message = f"`-e {name}=...` sets nothing in this plan{did_you_mean(name, known)}"
            hint = f"variables of the plan: {', '.join(known) or 'none'}"
            yield Diagnostic(plan.where, "P211", message, hint)


def rendered_hosts(plan: Plan, set_vars: Mapping[str, str]) -> str:
    """The host pattern to ask the inventory for.

    Raises:
        PlanError: a variable is missing.
    """
    return rendered(plan.hosts, plan_variables(plan, set_vars))


def rendered_claims(plan: Plan, set_vars: Mapping[str, str]) -> dict[str, str]:
    """The host patterns of waves that have their own, by name of the wave.

    Raises:
        PlanError: a variable is missing.
    """
    variables = plan_variables(plan, set_vars)
    return {wave.name: rendered(wave.hosts, variables) for wave in plan.waves if wave.hosts}


def rendered_artifact(plan: Plan, set_vars: Mapping[str, str]) -> str:
    """The artifact's path or name, as the plan means it.

    Raises:
        PlanError: a variable is missing.
    """
    return rendered(plan.artifact, plan_variables(plan, set_vars))


def rendered(text: Text, variables: Mapping[str, object]) -> str:
    """One text.

    Raises:
        PlanError: it cannot be rendered, or is empty then.
    """
    try:
        result = render(text.text, variables)
    except TemplateError as error:
        where = text.at(error.offset)
        raise PlanError(error.message, hint=error.hint, where=where, code="P210") from error
    if not result.strip():
        message = "the text is empty once its variables are in place"
        raise PlanError(message, where=text.where, code="P210")
    return result


def resolved_probes(
    gate: GateText, variables: Mapping[str, object], devices: Mapping[DeviceId, Device]
) -> tuple[Probe, dict[DeviceId, Probe]]:
    """The probe for all devices, or one per device where its text depends on the device.

    Variables of the plan win over those of the inventory. Cost: one rendering for all devices in
    which what the text names is the same.

    Raises:
        PlanError: a variable is missing, or the rendered text is no check, address or command.
    """
    wanted = _names(gate)
    if wanted <= variables.keys():
        return _probe(gate.probe, variables, ""), {}
    if not _may_ask_each(gate):
        _refuse_device_names(gate, sorted(wanted - variables.keys()))
    shared: dict[Probe, Probe] = {}
    alike: dict[object, Probe] = {}
    probes: dict[DeviceId, Probe] = {}
    for device in devices.values():
        kind = _kind(device, wanted)
        if kind not in alike:
            of_device = _device_variables(device, wanted)
            probe = _probe(gate.probe, {**of_device, **variables}, device.id)
            alike[kind] = shared.setdefault(probe, probe)
        probes[device.id] = alike[kind]
    return _as_written(gate.probe), probes


def _kind(device: Device, wanted: frozenset[str]) -> object:
    """What devices have in common whose texts are the same; its name where it stands for itself."""
    if not wanted.isdisjoint(_OF_ONE_DEVICE):
        return device.id
    values = [device.variables.get(name, _ABSENT) for name in wanted]
    simple = all(type(value) in _SIMPLE for value in values)
    return tuple((type(value), value) for value in values) if simple else device.id


def _device_variables(device: Device, wanted: frozenset[str]) -> dict[str, object]:
    own: dict[str, object] = {
        "inventory_hostname": str(device.id),
        "group_names": sorted(device.groups),
    }
    values = {name: device.variables[name] for name in wanted if name in device.variables}
    return {**values, **own}


def _refuse_device_names(gate: GateText, names: list[str]) -> None:
    shown = ", ".join(f"`{name}`" for name in names)
    message = f"{shown} not set, and gate `{gate.name}` speaks once for the whole wave"
    hint = "set it under `vars:` or with `-e`, or write `stage: device` to ask per device"
    raise PlanError(message, hint=hint, where=gate.probe.texts[0].where, code="P210")


class _Rendering:
    """Renders texts one after the other and keeps what is wrong with any of them."""

    def __init__(self, variables: Mapping[str, object]) -> None:
        self._variables = variables
        self.problems: list[Diagnostic] = []

    def text(self, text: Text | None) -> str:
        """The rendered text; "" where there is none, or when it is refused."""
        if text is None:
            return ""
        try:
            return rendered(text, self._variables)
        except PlanError as error:
            self.problems.extend(error.diagnostics)
            return ""


def _probe(texts: ProbeText, variables: Mapping[str, object], device: str) -> Probe:
    rendering = _Rendering(variables)
    probe = Probe(
        texts.kind,
        check=rendering.text(texts.check),
        url=rendering.text(texts.url),
        value=texts.value,
        argv=tuple(rendering.text(text) for text in texts.argv),
        host=rendering.text(texts.host),
        port=texts.port,
        query=rendering.text(texts.query),
        label=texts.label,
        stat=texts.stat,
        plugin=texts.plugin,
        options=tuple((name, rendering.text(text)) for name, text in texts.options),
    )
    problems = rendering.problems
    if not problems and (problem := _probe_problem(probe)):
        problems.append(Diagnostic(texts.texts[0].where, "P210", *problem))
    if problems:
        raise _refused_for(device, problems)
    return probe


def _refused_for(device: str, problems: Sequence[Diagnostic]) -> PlanError:
    """The error with what is wrong; `device` is whose variables were in place, "" for all."""
    prefix = f"for device `{device}`: " if device else ""
    found = [replace(each, message=prefix + each.message) for each in problems]
    first = found[0]
    return PlanError(
        first.message, hint=first.hint, where=first.where, code=first.code, diagnostics=found
    )


def _probe_problem(probe: Probe) -> tuple[str, str] | None:
    """What is wrong with a rendered probe, with a hint."""
    match probe.kind:
        case ProbeKind.CHECK:
            return check_name_problem(probe.check)
        case ProbeKind.HTTP | ProbeKind.PROMETHEUS:
            return url_problem(probe.url)
        case ProbeKind.TCP if not is_host(probe.host):
            return f"`host` is a name or an address, not `{probe.host}`", ""
        case _:
            return None


def _as_written(texts: ProbeText) -> Probe:
    return Probe(
        texts.kind,
        check=texts.check.text if texts.check else "",
        url=texts.url.text if texts.url else "",
        value=texts.value,
        argv=tuple(text.text for text in texts.argv),
        host=texts.host.text if texts.host else "",
        port=texts.port,
        query=texts.query.text if texts.query else "",
        label=texts.label,
        stat=texts.stat,
        plugin=texts.plugin,
        options=tuple((name, text.text) for name, text in texts.options),
    )
