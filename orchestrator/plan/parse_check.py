"""`check:` of a gate: the name of a health check of the device, or what a built-in one looks at."""

from __future__ import annotations

import re

from orchestrator.device import builtin
from orchestrator.device.builtin import BuiltIn
from orchestrator.plan.language import CHECK
from orchestrator.plan.model import ProbeText, Text
from orchestrator.plan.reader import Fields, Reader
from orchestrator.plan.resolved import ProbeKind
from orchestrator.plan.template import is_template
from orchestrator.source import MappingNode, Node
from orchestrator.units import parse_size

CHECK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LOAD_MAX = 100_000
PORT_MAX = 65535
_HTTP = "http://"


def read_check(reader: Reader, node: Node) -> ProbeText | None:
    """The check that a gate asks for."""
    text = _built_in(reader, node) if isinstance(node, MappingNode) else _named(reader, node)
    if text is None:
        return None
    if not is_template(text.text) and (found := check_name_problem(text.text)):
        reader.error(text.where, "P110", found[0], found[1])
        return None
    return ProbeText(ProbeKind.CHECK, check=text)


def check_name_problem(name: str) -> tuple[str, str] | None:
    """What is wrong with a check as a request would name it, with a hint."""
    if builtin.is_built_in(name):
        return builtin.problem(name)
    if CHECK_NAME.fullmatch(name) and ".." not in name:
        return None
    message = f"`check` names a health check of the device, not `{name}`"
    return message, "letters, digits, `.`, `_`, `-`; commands live on the device, not in plans"


def _named(reader: Reader, node: Node) -> Text | None:
    text = reader.template(node, "check")
    if text is None or is_template(text.text) or not builtin.is_built_in(text.text):
        return text
    kind, _, argument = text.text.partition(":")
    message = f"`check` names a health check of the device, not `{text.text}`"
    hint = f"a built-in one is a mapping, as `{{{kind}: {argument.strip()}}}`"
    reader.error(text.where, "P110", message, hint)
    return None


def _built_in(reader: Reader, node: MappingNode) -> Text | None:
    fields = reader.fields(node, CHECK, "`check`")
    kinds = [kind for kind in BuiltIn if kind in fields.keys]
    if len(kinds) != 1:
        if not fields.refused:
            message = f"`check` looks at one thing, not {len(kinds)}"
            reader.error(node.where, "P115", message, "as `check: {service: gatewayd}`")
        for kind in kinds:
            _argument(reader, fields, kind)  # only for what else is wrong
        return None
    [kind] = kinds
    argument = _argument(reader, fields, kind)
    if ("min" in fields.keys) is not (kind is BuiltIn.DISK):
        message = "`min` is the free space that `disk` wants, and belongs to it"
        reader.error(fields.where, "P115", message, "as `check: {disk: /var, min: 100MiB}`")
        return None
    if argument is None:
        return None
    return Text(f"{kind}:{argument}", fields.key_where(kind))


def _argument(reader: Reader, fields: Fields, kind: BuiltIn) -> str | None:
    node = fields.get(kind)
    match kind:
        case BuiltIn.PORT:
            port = reader.integer(node, kind, least=1, most=PORT_MAX)
            return None if port is None else str(port)
        case BuiltIn.LOAD:
            load = reader.number(node, kind, least=0, most=LOAD_MAX)
            return None if load is None else f"{float(load):.3f}".rstrip("0").rstrip(".")
        case BuiltIn.HTTP:
            return _page(reader, node)
        case BuiltIn.DISK:
            return _space(reader, fields)
        case _:
            text = reader.template(node, kind)
            return None if text is None else text.text


def _page(reader: Reader, node: Node | None) -> str | None:
    text = reader.template(node, BuiltIn.HTTP)
    if text is None:
        return None
    if not text.text.startswith(_HTTP):
        message = f"`http` is a page of the device itself, not `{text.text}`"
        reader.error(text.where, "P110", message, "as `http://127.0.0.1:8080/health`")
        return None
    return text.text.removeprefix(_HTTP)


def _space(reader: Reader, fields: Fields) -> str | None:
    path = reader.template(fields.get(BuiltIn.DISK), BuiltIn.DISK)
    least = reader.text(fields.get("min"), "min")
    if path is None or least is None:
        return None
    try:
        return f"{path.text}:{parse_size(least.text)}"
    except ValueError as error:
        reader.error(least.where, "P110", str(error), "as `min: 100MiB`")
        return None
