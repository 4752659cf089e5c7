"""What gates ask, from their nodes: a check, an address, a program, a query, a comparison."""

from __future__ import annotations

import re
from fractions import Fraction
from urllib.parse import urlsplit

from orchestrator.plan.language import COMPARE, HTTP, PLUGIN, PROMETHEUS, TCP
from orchestrator.plan.model import ProbeText, Text
from orchestrator.plan.parse_check import read_check
from orchestrator.plan.reader import Fields, Reader
from orchestrator.plan.resolved import (
    Compare,
    CompareTest,
    CompareTo,
    Direction,
    ProbeKind,
    StatName,
)
from orchestrator.plan.template import is_template
from orchestrator.secret_names import PATH, secrets_of
from orchestrator.source import MappingNode, Node, ScalarNode

POINTER = re.compile(r"(/([^/~]|~[01])*)*")  # RFC 6901
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:.]{2,45}")  # names, IPv4, IPv6
LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")  # Prometheus' data model
KIND_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
ARGV_MAX = 64
PORT_MAX = 65535
ALPHA_DEFAULT = 0.05
ALPHA_MAX = Fraction(1, 2)  # above it a coin decides
EFFECT_MAX = 1000
MIN_SAMPLES_DEFAULT = 8


def read_kind(reader: Reader, fields: Fields) -> ProbeKind | None:
    """The one thing that a gate asks."""
    present = [kind for kind in ProbeKind if kind in fields.keys]
    if len(present) > 1:
        message = f"a gate asks one thing, not `{'` and `'.join(present)}`"
        reader.error(fields.key_where(present[1]), "P115", message, "make two gates of it")
        for kind in present:
            read_probe(reader, fields, kind)  # only for what else is wrong
        return None
    if not present:
        if fields.refused:  # the refused key was perhaps the one
            return None
        message = f"a gate needs one of `{'`, `'.join(ProbeKind)}`"
        reader.error(fields.where, "P102", message, "as `check: gatewayd`")
        return None
    return present[0]


def read_probe(reader: Reader, fields: Fields, kind: ProbeKind) -> ProbeText | None:
    """What a gate asks, with its templates."""
    node = fields.get(kind)
    if node is None:
        return None
    readers = {
        ProbeKind.CHECK: read_check,
        ProbeKind.HTTP: _http,
        ProbeKind.COMMAND: _command,
        ProbeKind.TCP: _tcp,
        ProbeKind.PROMETHEUS: _prometheus,
        ProbeKind.STATS: _stats,
        ProbeKind.PLUGIN: _plugin,
    }
    return readers[kind](reader, node)


def _http(reader: Reader, node: Node) -> ProbeText | None:
    fields = reader.mapping(node, HTTP)
    if fields is None:
        return None
    url = _url(reader, fields.get("url"))
    value = _pointer(reader, fields.get("value"))
    if url is None or (value is None and "value" in fields.keys):
        return None
    return ProbeText(ProbeKind.HTTP, url=url, value=value)


def _url(reader: Reader, node: Node | None) -> Text | None:
    url = reader.template(node, "url")
    if url is not None:
        warn_of_secrets(reader, url)
    if url is None or is_template(url.text) or not (problem := url_problem(url.text)):
        return url
    reader.error(url.where, "P110", problem[0], problem[1])
    return None


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


def _tcp(reader: Reader, node: Node) -> ProbeText | None:
    fields = reader.mapping(node, TCP)
    if fields is None:
        return None
    host = reader.template(fields.get("host"), "host")
    port = reader.integer(fields.get("port"), "port", least=1, most=PORT_MAX)
    if host is not None and not is_template(host.text) and not is_host(host.text):
        message = f"`host` is a name or an address, not `{host.text}`"
        reader.error(host.where, "P110", message, "as `gateway.example` or `192.0.2.1`")
        return None
    return None if host is None or port is None else ProbeText(ProbeKind.TCP, host=host, port=port)


def _prometheus(reader: Reader, node: Node) -> ProbeText | None:
    fields = reader.mapping(node, PROMETHEUS)
    if fields is None:
        return None
    url = _url(reader, fields.get("url"))
    query = reader.template(fields.get("query"), "query")
    label = reader.text(fields.get("label"), "label")
    if label is not None and not LABEL.fullmatch(label.text):
        message = f"`label` names a label of the answer, not `{label.text}`"
        reader.error(label.where, "P110", message, "letters, digits and `_`, as `device`")
    if url is None or query is None:
        return None
    return ProbeText(
        ProbeKind.PROMETHEUS, url=url, query=query, label="" if label is None else label.text
    )


def _stats(reader: Reader, node: Node) -> ProbeText | None:
    stat = reader.word(node, "stats", StatName)
    return None if stat is None else ProbeText(ProbeKind.STATS, stat=stat)


def _plugin(reader: Reader, node: Node) -> ProbeText | None:
    fields = reader.mapping(node, PLUGIN)
    if fields is None:
        return None
    kind = reader.text(fields.get("kind"), "kind")
    options = _options(reader, fields.get("options"))
    if kind is None:
        return None
    if not is_kind_name(kind.text):
        message = f"`kind` names a kind of gate that a package brings, not `{kind.text}`"
        reader.error(kind.where, "P110", message, "small letters, digits, `_` and `-`")
        return None
    if options is None:
        return None
    return ProbeText(ProbeKind.PLUGIN, plugin=kind.text, options=options)


def _options(reader: Reader, node: Node | None) -> tuple[tuple[str, Text], ...] | None:
    """Texts for a package's kind, by name and in the order of the names."""
    if node is None:
        return ()
    if not isinstance(node, MappingNode):
        message = f"`options` is a mapping of texts, not {node.kind}"
        reader.error(node.where, "P101", message, "as `{query: errors}`")
        return None
    texts = {key.text: reader.template(value, key.text) for key, value in node.entries}
    found = {name: text for name, text in texts.items() if text is not None}
    return tuple(sorted(found.items())) if len(found) == len(texts) else None


def read_compare(reader: Reader, node: Node | None) -> Compare | None:
    """A comparison in place of conditions (R11)."""
    before = len(reader.findings)
    fields = None if node is None else reader.mapping(node, COMPARE)
    if fields is None:
        return None
    to = reader.word(fields.get("to"), "to", CompareTo)
    alpha = reader.number(fields.get("alpha"), "alpha", least=0, most=1)
    if alpha is not None and not 0 < alpha <= ALPHA_MAX:
        message = f"`alpha` is more than 0 and at most {float(ALPHA_MAX):g}"
        reader.error(fields.key_where("alpha"), "P104", message, "as `alpha: 0.05`")
    direction = reader.word(fields.get("direction"), "direction", Direction) or Direction.INCREASE
    effect = reader.number(fields.get("min_effect"), "min_effect", least=0, most=EFFECT_MAX)
    if effect is not None and not (effect > 1 if direction is Direction.INCREASE else effect < 1):
        side = "more" if direction is Direction.INCREASE else "less"
        message = f"`min_effect` is a factor: {side} than 1 where an `{direction}` does harm"
        reader.error(fields.key_where("min_effect"), "P104", message)
    samples = reader.integer(fields.get("min_samples"), "min_samples", least=1)
    test = reader.word(fields.get("test"), "test", CompareTest)
    if reader.has_errors(before) or to is None or effect is None:
        return None
    return Compare(
        to=to,
        test=test or CompareTest.MANN_WHITNEY,
        alpha=ALPHA_DEFAULT if alpha is None else float(alpha),
        direction=direction,
        min_effect=float(effect),
        min_samples=MIN_SAMPLES_DEFAULT if samples is None else samples,
    )


def url_problem(url: str, key: str = "url") -> tuple[str, str] | None:
    """What is wrong with an address to ask, with a hint."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not host or port == 0 or " " in url:
        return f"`{key}` is a web address, not `{url}`", "as `https://status.example/health`"
    if parts.username is not None or parts.password is not None:
        return f"`{key}` holds a user name or password", "plans hold no secrets; remove it"
    return None


def warn_of_secrets(reader: Reader, url: Text) -> None:
    """Notes what looks like a secret in an address: plans, saved plans and stores hold it."""
    if found := secrets_of(url.text):
        what = "the path of the address" if found[0] == PATH else f"`{found[0]}` in the address"
        message = f"{what} looks like a secret, which everybody sees who sees the plan"
        reader.warn(url.where, "P941", message, "keep it out of plans, or let it open nothing else")


def is_host(text: str) -> bool:
    """Whether a text names a host: a name or an address, nothing that could be an option."""
    return bool(HOST.fullmatch(text))


def is_kind_name(text: str) -> bool:
    """Whether a text can name a kind of gate that another package brings."""
    return bool(KIND_NAME.fullmatch(text))
