"""The texts of a plan with their variables in place, at resolve time."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.device.model import Device, DeviceId
from orchestrator.errors import Diagnostic, PlanError
from orchestrator.plan.model import GateText, Plan, ProbeText, Text
from orchestrator.plan.parse_check import check_name_problem
from orchestrator.plan.parse_probes import is_host, url_problem
from orchestrator.plan.resolved import Probe, ProbeKind, Stage
from orchestrator.plan.template import TemplateError, check_template, render
from orchestrator.source.suggest import did_you_mean


def plan_variables(plan: Plan, set_vars: Mapping[str, str]) -> dict[str, object]:
    """Variables for texts that are for all devices: `vars`, overridden by `-e`."""
    return {**plan.variables, **set_vars}


def refuse_unused(plan: Plan, set_vars: Mapping[str, str]) -> None:
    """Refuses `-e` for what the plan neither sets nor reads: a typing error would go unseen.

    Raises:
        PlanError: names the variable, with a guess.
    """
    heads = (plan.hosts, plan.artifact, plan.release, plan.order.seed)
    texts = [text for text in (*heads, *(wave.hosts for wave in plan.waves)) if text is not None]
    texts += [text for gate in plan.gates for text in gate.probe.texts]
    read = set().union(*(check_template(text.text).names for text in texts))
    known = sorted({*plan.variables, *read})
    for name in set_vars:
        if name not in known:
            message = f"`-e {name}=...` sets nothing in this plan{did_you_mean(name, known)}"
            hint = f"variables of the plan: {', '.join(known) or 'none'}"
            raise PlanError(message, hint=hint, where=plan.where, code="P211")


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

    Variables of the plan win over those of the inventory. Cost: one rendering per device.

    Raises:
        PlanError: a variable is missing, or the rendered text is no check, address or command.
    """
    wanted = set().union(*(check_template(text.text).names for text in gate.probe.texts))
    if wanted <= variables.keys():
        return _probe(gate.probe, variables, ""), {}
    if gate.probe.kind is not ProbeKind.CHECK and gate.stage is not Stage.DEVICE:
        _refuse_device_names(gate, sorted(wanted - variables.keys()))
    shared: dict[Probe, Probe] = {}
    probes: dict[DeviceId, Probe] = {}
    for device in devices.values():
        of_device = _device_variables(device, wanted)
        probe = _probe(gate.probe, {**of_device, **variables}, device.id)
        probes[device.id] = shared.setdefault(probe, probe)
    return _as_written(gate.probe), probes


def _device_variables(device: Device, wanted: set[str]) -> dict[str, object]:
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


def _probe(texts: ProbeText, variables: Mapping[str, object], device: str) -> Probe:
    try:
        probe = Probe(
            texts.kind,
            check=rendered(texts.check, variables) if texts.check else "",
            url=rendered(texts.url, variables) if texts.url else "",
            value=texts.value,
            argv=tuple(rendered(text, variables) for text in texts.argv),
            host=rendered(texts.host, variables) if texts.host else "",
            port=texts.port,
            query=rendered(texts.query, variables) if texts.query else "",
            label=texts.label,
            stat=texts.stat,
            plugin=texts.plugin,
            options=tuple((name, rendered(text, variables)) for name, text in texts.options),
        )
    except PlanError as error:
        if not device:
            raise
        raise _for_device(error, device) from error
    if problem := _probe_problem(probe):
        where = texts.texts[0].where
        refusal = PlanError(problem[0], hint=problem[1], where=where, code="P210")
        raise _for_device(refusal, device) if device else refusal
    return probe


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


def _for_device(error: PlanError, device: str) -> PlanError:
    message = f"for device `{device}`: {error.message}"
    found = error.diagnostics[0]
    diagnostic = Diagnostic(found.where, found.code, message, found.hint)
    return PlanError(message, hint=error.hint, where=error.where, diagnostics=[diagnostic])


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
