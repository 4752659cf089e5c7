"""The text of a plan to a `Plan`: every problem at once, each with its place."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NoReturn, TypeVar

from orchestrator.errors import Diagnostic, PlanError, Severity, Where
from orchestrator.plan import language
from orchestrator.plan.lint import lint_evidence, lint_gate, lint_plan
from orchestrator.plan.model import Offline, Plan, Text, TimeoutTexts
from orchestrator.plan.parse_controls import read_controls
from orchestrator.plan.parse_gates import read_gates
from orchestrator.plan.parse_order import read_order
from orchestrator.plan.parse_waves import read_limits, read_waves
from orchestrator.plan.reader import Fields, Reader
from orchestrator.plan.render_text import unset_variables
from orchestrator.plan.resolved import (
    COMPONENT_DEFAULT,
    OfflinePolicy,
    OnFailure,
    Retries,
    Rollback,
    RollbackOrder,
    RollbackScope,
    component_problem,
)
from orchestrator.plan.template import is_template
from orchestrator.source import (
    PLAN_POLICY,
    Document,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    load_yaml,
    quoted,
    to_plain,
)

BECOME = ("sudo", "doas")
RETRY_CLASSES = ("connect", "transfer")
RETRIES_MAX = 100
BACKOFF_MAX = 10
VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

_T = TypeVar("_T")


def parse_plan(data: bytes, *, file: str) -> Plan:
    """The plan that a file's bytes hold; its warnings are in `Plan.warnings`.

    Args:
        data: the whole file.
        file: its name for messages, as people write it.

    Raises:
        PlanError: the plan cannot be used; `diagnostics` has every finding, warnings too.
    """
    plan, findings = _read(data, file)
    if plan is None:
        _refuse(findings, file)
    return replace(plan, warnings=findings)


def check_plan(data: bytes, *, file: str) -> tuple[Diagnostic, ...]:
    """Everything there is to say about a plan file by itself, in the order of the file."""
    plan, findings = _read(data, file)
    if plan is None:
        return findings
    both = (*findings, *unset_variables(plan))
    return tuple(sorted(both, key=lambda found: (found.where.line, found.where.column)))


def _refuse(findings: tuple[Diagnostic, ...], file: str) -> NoReturn:
    errors = [found for found in findings if found.severity is Severity.ERROR]
    counted = "1 problem" if len(errors) == 1 else f"{len(errors)} problems"
    first = errors[0]
    raise PlanError(
        f"`{file}` has {counted}",
        hint=first.hint,
        where=first.where,
        code=first.code,
        diagnostics=findings,
    )


def _read(data: bytes, file: str) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
    document = load_yaml(data, file=file, policy=PLAN_POLICY)
    reader = Reader(document)
    plan = None
    if document.root is not None:
        plan = _plan(reader, document.root, file)
    elif document.ok:
        hint = "a plan begins with `schema: 1`"
        reader.error(Where(file, 1, 1), "P101", "the file is empty", hint)
    findings = _merged(document, reader)
    has_errors = any(found.severity is Severity.ERROR for found in findings)
    return None if has_errors else plan, findings


def _merged(document: Document, reader: Reader) -> tuple[Diagnostic, ...]:
    """Findings of loader and parser in the order of the file; the loader's word comes first."""
    refused = {found.where for found in document.diagnostics if found.severity is Severity.ERROR}
    later = [found for found in reader.findings if found.where not in refused]
    found_all = [*document.diagnostics, *dict.fromkeys(later)]
    return tuple(sorted(found_all, key=lambda found: (found.where.line, found.where.column)))


def _plan(reader: Reader, root: Node, file: str) -> Plan | None:
    fields = reader.mapping(root, language.PLAN, "a plan")
    if fields is None:
        return None
    _schema(reader, fields.get("schema"))
    name = reader.name(fields.get("name"), "name")
    hosts = reader.hosts(fields.get("hosts"))
    artifact = reader.template(fields.get("artifact"), "artifact")
    nowhere = Text("", root.where)
    waves = read_waves(reader, fields.get("waves"))
    plan = Plan(
        file=file,
        where=root.where,
        name=name or "",
        hosts=hosts or nowhere,
        artifact=artifact or nowhere,
        waves=waves,
        release=reader.template(fields.get("release"), "release"),
        variables=_variables(reader, fields.get("vars")),
        component=_component(reader, fields.get("component")) or COMPONENT_DEFAULT,
        become=_become(reader, fields.get("become")),
        limits=read_limits(reader, fields),
        order=read_order(reader, fields),
        controls=read_controls(reader, fields),
        offline=_offline(reader, fields.get("offline")),
        timeouts=_timeouts(reader, fields.get("timeouts")),
        retries=_retries(reader, fields.get("retries")),
        rollback=_rollback(reader, fields.get("rollback")),
        gates=read_gates(reader, fields.get("gates"), waves),
        on_failure=_on_failure(reader, fields.get("on_failure")),
    )
    for gate in plan.gates:
        lint_gate(reader, gate)
    lint_plan(reader, plan)
    if "gates" not in fields.keys or not reader.has_errors():
        lint_evidence(reader, plan)
    return plan


def _schema(reader: Reader, node: Node | None) -> None:
    if node is None:
        return
    value = node.value if isinstance(node, ScalarNode) else None
    if type(value) is not int or value != language.SCHEMA_VERSION:
        message = (
            f"`schema` is the number {language.SCHEMA_VERSION} in this version, not {node.kind}"
        )
        reader.error(node.where, "P105", message, f"write `schema: {language.SCHEMA_VERSION}`")


def _component(reader: Reader, node: Node | None) -> str | None:
    text = reader.text(node, "component")
    if text is None:
        return None
    if problem := component_problem(text.text):
        reader.error(text.where, "P110", *problem)
        return None
    return text.text


def _become(reader: Reader, node: Node | None) -> str | None:
    if isinstance(node, ScalarNode) and isinstance(node.value, bool):
        message = f"`become` names the program: `sudo` or `doas`, not `{node.text}`"
        reader.error(node.where, "P105", message, "write `become: sudo`")
        return None
    return reader.choice(node, "become", BECOME)


def _on_failure(reader: Reader, node: Node | None) -> OnFailure:
    return reader.word(node, "on_failure", OnFailure) or OnFailure.HALT


def _variables(reader: Reader, node: Node | None) -> dict[str, object]:
    if node is None:
        return {}
    if not isinstance(node, MappingNode):
        reader.error(
            node.where, "P101", f"`vars` is a mapping, not {node.kind}", "as `{site: ber}`"
        )
        return {}
    for key, value in node.entries:
        if not VARIABLE.fullmatch(key.text):
            message = f"`{key.text}` is no name for a variable"
            hint = "letters, digits and `_`, beginning with a letter"
            reader.error(key.where, "P110", message, hint)
        _check_variable(reader, key, value)
    return {key.text: to_plain(value) for key, value in node.entries}


def _check_variable(reader: Reader, key: ScalarNode, node: Node) -> None:
    match node:
        case ScalarNode(value=str() as text) if is_template(text):
            message = "variables hold values, not templates"
            reader.error(node.where, "P112", message, "use `{{ }}` where the value is needed")
        case ScalarNode(value=float() as number) if str(number) != node.text:
            message = f"`{node.text}` is the number {number} in YAML"
            hint = f"a version is quoted: {key.text}: {quoted(node)}; a number is written {number}"
            reader.error(node.where, "Y902", message, hint)
        case MappingNode(entries=entries):
            for inner_key, value in entries:
                _check_variable(reader, inner_key, value)
        case SequenceNode(items=items):
            for item in items:
                _check_variable(reader, key, item)


def _section(reader: Reader, node: Node | None, section: language.Section) -> Fields | None:
    return None if node is None else reader.mapping(node, section)


def _offline(reader: Reader, node: Node | None) -> Offline:
    fields = _section(reader, node, language.OFFLINE)
    if fields is None:
        return Offline()
    default = Offline()
    key = "max_unreachable_percentage"
    return Offline(
        reader.word(fields.get("policy"), "policy", OfflinePolicy) or default.policy,
        reader.duration(fields.get("for"), "for", positive=True) or default.for_s,
        reader.share(fields.get(key), key),
    )


def _timeouts(reader: Reader, node: Node | None) -> TimeoutTexts:
    fields = _section(reader, node, language.TIMEOUTS)
    if fields is None:
        return TimeoutTexts()

    def seconds(key: str) -> float | None:
        return reader.duration(fields.get(key), key, positive=True)

    default = TimeoutTexts()
    return TimeoutTexts(
        connect_s=seconds("connect") or default.connect_s,
        transfer_s=seconds("transfer") or default.transfer_s,
        install_s=seconds("install") or default.install_s,
        reboot_s=seconds("reboot") or default.reboot_s,
        lost_after_s=seconds("lost_after"),
        drain_s=seconds("drain") or default.drain_s,
        confirm_s=seconds("confirm"),
        lost_after_where=fields.key_where("lost_after"),
        confirm_where=fields.key_where("confirm"),
    )


def _retries(reader: Reader, node: Node | None) -> Retries:
    fields = _section(reader, node, language.RETRIES)
    default = Retries()
    if fields is None:
        return default
    count = reader.integer(fields.get("count"), "count", most=RETRIES_MAX)
    delay_s = reader.duration(fields.get("delay"), "delay")
    backoff = reader.number(fields.get("backoff"), "backoff", least=1, most=BACKOFF_MAX)
    items = reader.sequence(fields.get("classes"), "classes", "[connect, transfer]")
    words = [reader.choice(item, "classes", RETRY_CLASSES) for item in items or ()]
    return Retries(
        _or(count, default.count),
        _or(delay_s, default.delay_s),
        default.backoff if backoff is None else float(backoff),
        default.classes if items is None else tuple(dict.fromkeys(filter(None, words))),
    )


def _rollback(reader: Reader, node: Node | None) -> Rollback:
    fields = _section(reader, node, language.ROLLBACK)
    if fields is None:
        return Rollback()
    default = Rollback()
    if reader.boolean(fields.get("verify"), "verify") is False:
        message = (
            "every rollback is verified by reading the device back; that cannot be switched off"
        )
        reader.error(fields.key_where("verify"), "P105", message, "remove `verify: false`")
    parallel = reader.integer(fields.get("max_parallel"), "max_parallel", least=1)
    return Rollback(
        scope=reader.word(fields.get("scope"), "scope", RollbackScope) or default.scope,
        max_parallel=_or(parallel, default.max_parallel),
        order=reader.word(fields.get("order"), "order", RollbackOrder) or default.order,
        respect_windows=reader.boolean(fields.get("respect_windows"), "respect_windows") or False,
        respect_freezes=reader.boolean(fields.get("respect_freezes"), "respect_freezes") or False,
    )


def _or(value: _T | None, default: _T) -> _T:
    return default if value is None else value
