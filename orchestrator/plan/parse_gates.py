"""Gates of a plan, from their nodes; conditions and templates are checked here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from orchestrator.errors import Severity, Where
from orchestrator.plan.expression import (
    ANY_SCOPE,
    ExpressionError,
    Kind,
    Scope,
    parse_expression,
)
from orchestrator.plan.language import GATE
from orchestrator.plan.model import GateText, ProbeText, Text, Wave
from orchestrator.plan.parse_probes import read_compare, read_kind, read_probe
from orchestrator.plan.reader import Fields, Reader
from orchestrator.plan.resolved import OnNoData, ProbeKind, Stage
from orchestrator.source import Node

GATES_MAX = 100
GATE_NAME_CHARS_MAX = 100
SAMPLES_MAX = 10_000
CHECKS_CHARS_MAX = 650  # of a request of 1024 bytes to a device, with room for what else it says
_ELSEWHERE = {
    "value": "`value` alone belongs to `prometheus` and `stats`; here it is `result.value`",
    "successes": "devices are counted by `stats` gates",
    "failures": "devices are counted by `stats` gates",
    "exit": "write `result.exit`",
    "status": "write `result.status`",
    "open": "write `result.open`",
    "result.value": "here it is `value`",
}
_OPEN_SCOPE = Scope({"result.exit": Kind.NUMBER}, open_prefix="result.", elsewhere=_ELSEWHERE)
_COUNTS = {"value": Kind.NUMBER, "successes": Kind.NUMBER, "failures": Kind.NUMBER}
SCOPES = {
    ProbeKind.CHECK: _OPEN_SCOPE,
    ProbeKind.COMMAND: _OPEN_SCOPE,
    ProbeKind.HTTP: Scope(
        {"result.status": Kind.NUMBER, "result.value": Kind.ANY}, elsewhere=_ELSEWHERE
    ),
    ProbeKind.TCP: Scope({"result.open": Kind.TRUTH}, elsewhere=_ELSEWHERE),
    ProbeKind.PROMETHEUS: Scope({"value": Kind.NUMBER}, elsewhere=_ELSEWHERE),
    ProbeKind.STATS: Scope(_COUNTS, elsewhere=_ELSEWHERE),
    ProbeKind.PLUGIN: Scope({}, open_prefix="result.", elsewhere=_ELSEWHERE),
}
_STAGES_OF_WAVES = (Stage.WAVE, Stage.BACKGROUND)


def read_gates(
    reader: Reader, node: Node | None, waves: Sequence[Wave] = ()
) -> tuple[GateText, ...]:
    """The gates in order, without those that cannot be judged as a whole.

    Args:
        reader: of the document.
        node: the value of `gates`.
        waves: what gates may name; empty where that is not known.
    """
    items = reader.sequence(node, "gates", "[{name: ..., check: ..., success_when: ...}]")
    if items is None or node is None:
        return ()
    if len(items) > GATES_MAX:
        message = f"`gates` has {len(items)} entries; at most {GATES_MAX} are read"
        reader.error(node.where, "P104", message)
        return ()
    firsts: dict[str, Where] = {}
    names = [wave.name for wave in waves]
    gates = [gate for item in items if (gate := _gate(reader, item, firsts, names)) is not None]
    _check_request(reader, gates)
    return tuple(gates)


def _check_request(reader: Reader, gates: Iterable[GateText]) -> None:
    """Notes checks of which not all could be asked for in one request to a device."""
    names: dict[str, None] = {}
    for gate in gates:
        if gate.probe.check is not None:
            names[gate.probe.check.text] = None
            if len(",".join(names)) > CHECKS_CHARS_MAX:
                message = f"the checks of a device have more than {CHECKS_CHARS_MAX} characters"
                hint = "one request asks for all of them; let one check of the device do more"
                reader.error(gate.where, "P104", message, hint)
                return


def _gate(
    reader: Reader, node: Node, firsts: dict[str, Where], waves: Sequence[str]
) -> GateText | None:
    """One gate; `firsts` are the places of the names so far, also of gates that are refused."""
    before = len(reader.findings)
    fields = reader.mapping(node, GATE, "a gate")
    if fields is None:
        return None
    name = _gate_name(reader, fields.get("name"))
    if name in firsts:
        message = f"a gate called `{name}` is already on line {firsts[name].line}"
        reader.error(node.where, "P114", message, "give each gate a name of its own")
    elif name is not None:
        firsts[name] = node.where
    kind = read_kind(reader, fields)
    probe = None if kind is None else read_probe(reader, fields, kind)
    compare = read_compare(reader, fields.get("compare"))
    success_when, fail_when = _conditions(reader, fields, kind)
    if probe is not None:
        _check_value_is_there(reader, probe, (success_when, fail_when))
    gate = GateText(
        name or "",
        node.where,
        _stage(reader, fields, kind),
        probe or ProbeText(kind or ProbeKind.CHECK),
        success_when,
        fail_when,
        compare,
        fields.key_where("compare"),
    )
    if kind is not None:
        _check_fit(reader, fields, gate, is_whole=probe is not None)
    gate = _with_limits(reader, fields, gate)
    _check_waves(reader, gate, waves)
    return gate if _is_whole(reader, before) else None


def _is_whole(reader: Reader, before: int) -> bool:
    """Whether all that was written was read; keys may be misspelt, the file is refused then."""
    return not any(
        found.severity is Severity.ERROR and found.code not in ("P107", "P208")
        for found in reader.findings[before:]
    )


def _gate_name(reader: Reader, node: Node | None) -> str | None:
    text = reader.text(node, "name")
    if text is None:
        return None
    if not text.text.isprintable() or len(text.text) > GATE_NAME_CHARS_MAX:
        message = f"a gate's `name` is one line of at most {GATE_NAME_CHARS_MAX} characters"
        reader.error(text.where, "P110", message)
        return None
    return text.text


def _stage(reader: Reader, fields: Fields, kind: ProbeKind | None) -> Stage:
    word = reader.word(fields.get("stage"), "stage", Stage)
    if word is not None:
        return word
    return Stage.DEVICE if kind is ProbeKind.CHECK else Stage.WAVE


def _check_fit(reader: Reader, fields: Fields, gate: GateText, *, is_whole: bool) -> None:
    """Notes what a gate of this kind cannot do at its stage; `is_whole`: its probe was read."""
    of_waves = gate.stage in _STAGES_OF_WAVES
    if gate.probe.kind is ProbeKind.STATS and not of_waves:
        message = (
            f"`stats` count devices of a wave, and have nothing to say at stage `{gate.stage}`"
        )
        reader.error(fields.key_where("stage"), "P115", message, "as `stage: wave`")
    if gate.compare is not None:
        _check_compare(reader, fields, gate, is_whole=is_whole)
        if not of_waves:
            message = f"a comparison is made of waves, not at stage `{gate.stage}`"
            reader.error(fields.key_where("stage"), "P115", message, "as `stage: wave`")


def _check_compare(reader: Reader, fields: Fields, gate: GateText, *, is_whole: bool) -> None:
    where = fields.key_where("compare")
    if gate.probe.kind is not ProbeKind.PROMETHEUS:
        message = "`compare` needs a value of each device, which `prometheus` gives"
        reader.error(where, "P115", message, "as `prometheus: {url: ..., query: ..., label: ...}`")
    elif is_whole and not gate.probe.label:
        message = "`compare` needs a value of each device: `prometheus` has no `label`"
        reader.error(where, "P102", message, "add `label:`, which names the device in the answer")


# -- when it holds --------------------------------------------------------------------------------


def _conditions(
    reader: Reader, fields: Fields, kind: ProbeKind | None
) -> tuple[Text | None, Text | None]:
    present = [key for key in ("success_when", "fail_when") if key in fields.keys]
    if "compare" in fields.keys and present:
        message = f"a gate that compares has no `{present[0]}`: the comparison decides"
        reader.error(fields.key_where(present[0]), "P115", message, "keep one of the two")
    elif "compare" not in fields.keys and not present and not fields.refused:
        message = "a gate needs `success_when`, `fail_when` or `compare`"
        reader.error(fields.where, "P102", message, "as `success_when: result.exit == 0`")
    success = reader.text(fields.get("success_when"), "success_when")
    failure = reader.text(fields.get("fail_when"), "fail_when")
    scope = ANY_SCOPE if kind is None else SCOPES[kind]
    return _condition(reader, success, scope), _condition(reader, failure, scope)


def _condition(reader: Reader, text: Text | None, scope: Scope) -> Text | None:
    if text is None:
        return None
    try:
        parse_expression(text.text, scope)
    except ExpressionError as error:
        reader.error(text.at(error.offset), "P113", error.message, error.hint)
        return None
    return text


def _check_value_is_there(
    reader: Reader, probe: ProbeText, conditions: tuple[Text | None, ...]
) -> None:
    if probe.kind is not ProbeKind.HTTP or probe.value is not None:
        return
    for text in conditions:
        if text and "result.value" in parse_expression(text.text, SCOPES[probe.kind]).names:
            message = "`result.value` is never there: `http` has no `value`"
            hint = "add `value:` with a JSON pointer into the answer, as `/checks/0/state`"
            reader.error(text.where, "P204", message, hint)


# -- limits ---------------------------------------------------------------------------------------


def _with_limits(reader: Reader, fields: Fields, gate: GateText) -> GateText:
    def whole(key: str, *, least: int = 0) -> int | None:
        return reader.integer(fields.get(key), key, least=least, most=SAMPLES_MAX)

    errors = whole("consecutive_error_limit")
    no_data = reader.word(fields.get("on_no_data"), "on_no_data", OnNoData)
    interval_s = reader.duration(fields.get("interval"), "interval", positive=True)
    timeout_s = reader.duration(fields.get("timeout"), "timeout", positive=True)
    return replace(
        gate,
        waves=_waves(reader, fields.get("waves")),
        count=whole("count", least=1),
        interval_s=interval_s or gate.interval_s,
        initial_delay_s=reader.duration(fields.get("initial_delay"), "initial_delay") or 0.0,
        timeout_s=timeout_s or gate.timeout_s,
        failure_limit=whole("failure_limit") or 0,
        inconclusive_limit=whole("inconclusive_limit") or 0,
        consecutive_error_limit=gate.consecutive_error_limit if errors is None else errors,
        consecutive_success_limit=whole("consecutive_success_limit", least=1),
        on_no_data=no_data or gate.on_no_data,
        dry_run=reader.boolean(fields.get("dry_run"), "dry_run") or False,
    )


def _waves(reader: Reader, node: Node | None) -> tuple[Text, ...]:
    items = reader.sequence(node, "waves", "[canary]")
    if items is None:
        return ()
    if not items and node is not None:
        message = "`waves` is empty, so the gate would never speak"
        reader.error(node.where, "P104", message, "remove the key: without it all waves are meant")
    texts = [reader.text(item, "waves") for item in items]
    return tuple(text for text in texts if text is not None)


def _check_waves(reader: Reader, gate: GateText, waves: Sequence[str]) -> None:
    for text in gate.waves:
        if waves and text.text not in waves:
            known = ", ".join(f"`{name}`" for name in waves)
            message = f"gate `{gate.name}` names a wave `{text.text}` that is not there"
            reader.error(text.where, "P208", message, f"waves: {known}")
