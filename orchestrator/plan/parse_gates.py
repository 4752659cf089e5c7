"""Gates of a plan, from their nodes; conditions and templates are checked here."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

from orchestrator.plan.expression import ExpressionError, Kind, Scope, parse_expression
from orchestrator.plan.language import GATE, HTTP, LATER_STAGES
from orchestrator.plan.model import GateText, ProbeText, Text
from orchestrator.plan.reader import Fields, Reader
from orchestrator.plan.resolved import OnNoData, ProbeKind, Stage
from orchestrator.plan.template import is_template
from orchestrator.source import Node, ScalarNode

GATES_MAX = 100
GATE_NAME_CHARS_MAX = 100
CHECK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
POINTER = re.compile(r"(/([^/~]|~[01])*)*")  # RFC 6901
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:.]{2,45}")  # names, IPv4, IPv6
ARGV_MAX = 64
SAMPLES_MAX = 10_000
_KINDS = ("check", "http", "command")
_ELSEWHERE = {
    "value": "`value` alone belongs to `prometheus` gates, which come later; "
    "here it is `result.value`",
    "successes": "counts of devices come with a later version of the language",
    "failures": "counts of devices come with a later version of the language",
    "exit": "write `result.exit`",
    "status": "write `result.status`",
}
_OPEN_SCOPE = Scope({"result.exit": Kind.NUMBER}, open_prefix="result.", elsewhere=_ELSEWHERE)
SCOPES = {
    ProbeKind.CHECK: _OPEN_SCOPE,
    ProbeKind.COMMAND: _OPEN_SCOPE,
    ProbeKind.HTTP: Scope(
        {"result.status": Kind.NUMBER, "result.value": Kind.ANY}, elsewhere=_ELSEWHERE
    ),
}


def read_gates(reader: Reader, node: Node | None) -> tuple[GateText, ...]:
    """The gates in order, without those that have something wrong."""
    items = reader.sequence(node, "gates", "[{name: ..., check: ..., success_when: ...}]")
    if items is None or node is None:
        return ()
    if len(items) > GATES_MAX:
        message = f"`gates` has {len(items)} entries; at most {GATES_MAX} are read"
        reader.error(node.where, "P104", message)
        return ()
    gates: dict[str, GateText] = {}
    for item in items:
        gate = _gate(reader, item)
        if gate is None:
            continue
        first = gates.setdefault(gate.name, gate)
        if first is not gate:
            message = f"a gate called `{gate.name}` is already on line {first.where.line}"
            reader.error(gate.where, "P114", message, "give each gate a name of its own")
    return tuple(gates.values())


def _gate(reader: Reader, node: Node) -> GateText | None:
    before = len(reader.findings)
    fields = reader.mapping(node, GATE, "a gate")
    if fields is None:
        return None
    name = _gate_name(reader, fields.get("name"))
    kind = _kind(reader, fields)
    probe = None if kind is None else _probe(reader, fields, kind)
    success_when, fail_when = _conditions(reader, fields, kind)
    if probe is not None:
        _check_value_is_there(reader, probe, (success_when, fail_when))
    gate = GateText(
        name or "",
        node.where,
        _stage(reader, fields, kind),
        probe or ProbeText(ProbeKind.CHECK),
        success_when,
        fail_when,
    )
    gate = _with_limits(reader, fields, gate)
    return gate if not reader.has_errors(before) else None


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
    word = reader.choice(fields.get("stage"), "stage", list(Stage), LATER_STAGES)
    if word is not None:
        return Stage(word)
    return Stage.DEVICE if kind is ProbeKind.CHECK else Stage.WAVE


# -- what is asked --------------------------------------------------------------------------------


def _kind(reader: Reader, fields: Fields) -> ProbeKind | None:
    present = [kind for kind in _KINDS if kind in fields.keys]
    if len(present) > 1:
        message = f"a gate asks one thing, not `{'` and `'.join(present)}`"
        reader.error(fields.key_where(present[1]), "P115", message, "make two gates of it")
        return None
    if not present:
        if fields.refused:  # the refused key was perhaps the one
            return None
        message = "a gate needs one of `check`, `http` and `command`"
        reader.error(fields.where, "P102", message, "as `check: gatewayd`")
        return None
    return ProbeKind(present[0])


def _probe(reader: Reader, fields: Fields, kind: ProbeKind) -> ProbeText | None:
    node = fields.get(kind)
    if node is None:
        return None
    if kind is ProbeKind.CHECK:
        return _check(reader, node)
    return _http(reader, node) if kind is ProbeKind.HTTP else _command(reader, node)


def _check(reader: Reader, node: Node) -> ProbeText | None:
    text = reader.template(node, "check")
    if text is None:
        return None
    if not is_template(text.text) and (problem := check_name_problem(text.text)):
        reader.error(text.where, "P110", problem[0], problem[1])
        return None
    return ProbeText(ProbeKind.CHECK, check=text)


def _http(reader: Reader, node: Node) -> ProbeText | None:
    fields = reader.mapping(node, HTTP)
    if fields is None:
        return None
    url = reader.template(fields.get("url"), "url")
    value = _pointer(reader, fields.get("value"))
    if url is None or (value is None and "value" in fields.keys):
        return None
    if not is_template(url.text) and (problem := url_problem(url.text)):
        reader.error(url.where, "P110", problem[0], problem[1])
        return None
    return ProbeText(ProbeKind.HTTP, url=url, value=value)


def _pointer(reader: Reader, node: Node | None) -> str | None:
    if isinstance(node, ScalarNode) and node.value == "":
        return ""  # the whole body
    text = reader.text(node, "value")
    if text is None:
        return None
    if not POINTER.fullmatch(text.text):
        message = f"`value` is a JSON pointer (RFC 6901), not `{text.text}`"
        reader.error(text.where, "P110", message, "as `/checks/0/state`")
        return None
    return text.text


def _command(reader: Reader, node: Node) -> ProbeText | None:
    items = reader.sequence(node, "command", '["/usr/bin/check", "--fast"]')
    if items is None:
        return None
    if not 0 < len(items) <= ARGV_MAX:
        message = f"`command` has {len(items)} words; it has 1 to {ARGV_MAX}"
        reader.error(node.where, "P104", message)
        return None
    argv = [reader.template(item, "command") for item in items]
    words = tuple(word for word in argv if word is not None)
    return ProbeText(ProbeKind.COMMAND, argv=words) if len(words) == len(argv) else None


def check_name_problem(name: str) -> tuple[str, str] | None:
    """What is wrong with the name of a health check, with a hint."""
    if CHECK_NAME.fullmatch(name) and ".." not in name:
        return None
    message = f"`check` names a health check of the device, not `{name}`"
    return message, "letters, digits, `.`, `_`, `-`; commands live on the device, not in plans"


def url_problem(url: str) -> tuple[str, str] | None:
    """What is wrong with an address to ask, with a hint."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not host or port == 0 or " " in url:
        return f"`url` is a web address, not `{url}`", "as `https://status.example/health`"
    if parts.username is not None or parts.password is not None:
        return "`url` holds a user name or password", "plans hold no secrets; remove it"
    return None


def is_host(text: str) -> bool:
    """Whether a text names a host: a name or an address, nothing that could be an option."""
    return bool(HOST.fullmatch(text))


# -- when it holds --------------------------------------------------------------------------------


def _conditions(
    reader: Reader, fields: Fields, kind: ProbeKind | None
) -> tuple[Text | None, Text | None]:
    has_condition = "success_when" in fields.keys or "fail_when" in fields.keys
    if not has_condition and not fields.refused:
        message = "a gate needs `success_when` or `fail_when`"
        reader.error(fields.where, "P102", message, "as `success_when: result.exit == 0`")
    success = reader.text(fields.get("success_when"), "success_when")
    failure = reader.text(fields.get("fail_when"), "fail_when")
    if kind is None:
        return None, None
    return _condition(reader, success, kind), _condition(reader, failure, kind)


def _condition(reader: Reader, text: Text | None, kind: ProbeKind) -> Text | None:
    if text is None:
        return None
    try:
        parse_expression(text.text, SCOPES[kind])
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
    no_data = reader.choice(fields.get("on_no_data"), "on_no_data", list(OnNoData))
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
        on_no_data=OnNoData(no_data) if no_data else gate.on_no_data,
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
