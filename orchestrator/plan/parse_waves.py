"""Waves and limits of a plan, from their nodes."""

from __future__ import annotations

from typing import NamedTuple

from orchestrator.errors import Where
from orchestrator.plan.language import BACKFILL, SIZE, WAVE
from orchestrator.plan.model import Backfill, Limits, Wave
from orchestrator.plan.parse_controls import read_approval, read_burst, read_deadline
from orchestrator.plan.parse_order import read_labels
from orchestrator.plan.reader import Fields, Reader
from orchestrator.plan.waves import CountSize, RestSize, ShareSize, Size, check_sizes
from orchestrator.source import MappingNode, Node, ScalarNode
from orchestrator.units import parse_percent

WAVES_MAX = 100
_EXAMPLE = "[1, 10%, rest]"
_SIZE_HINT = "as `5` (devices), `10%`, `rest` or `{percent: 10, min: 2, max: 50}`"


def read_limits(reader: Reader, fields: Fields) -> Limits:
    """The limits that a plan and each wave may set."""
    return Limits(
        soak_s=reader.duration(fields.get("soak"), "soak"),
        max_parallel=reader.integer(fields.get("max_parallel"), "max_parallel", least=1),
        slow_start=reader.boolean(fields.get("slow_start"), "slow_start"),
        max_failures=reader.integer(fields.get("max_failures"), "max_failures"),
        max_fail_share=reader.share(fields.get("max_fail_percentage"), "max_fail_percentage"),
        cover=read_labels(reader, fields.get("cover"), "cover"),
        backfill=_backfill(reader, fields.get("backfill")),
    )


def _backfill(reader: Reader, node: Node | None) -> Backfill | None:
    if node is None:
        return None
    if not isinstance(node, MappingNode):
        enabled = reader.boolean(node, "backfill")
        return None if enabled is None else Backfill(enabled, node.where)
    fields = reader.fields(node, BACKFILL, "`backfill`")
    limit = reader.integer(fields.get("limit"), "limit", least=1)
    return Backfill(enabled=True, where=node.where, limit=limit)


def read_waves(reader: Reader, node: Node | None) -> tuple[Wave, ...]:
    """The waves in order; of those that have something wrong only the names."""
    items = reader.sequence(node, "waves", _EXAMPLE)
    if items is None or node is None:
        return ()
    if not 0 < len(items) <= WAVES_MAX:
        message = f"`waves` has {len(items)} entries; a plan has 1 to {WAVES_MAX}"
        reader.error(node.where, "P104", message, f"as `waves: {_EXAMPLE}`")
        return ()
    read = [_wave(reader, item, number) for number, item in enumerate(items, start=1)]
    waves = tuple(one.wave for one in read)
    _check_names(reader, waves)
    # Waves with hosts of their own have sizes of their own, which cover nothing of the others.
    ordered = [one for one in read if not one.has_hosts]
    for problem in check_sizes([one.size for one in ordered]):
        where = ordered[problem.index].where
        reader.error(where, problem.code, problem.message, problem.hint)
    return waves


class _Read(NamedTuple):
    """A wave, and what is known of its size where something is wrong with it."""

    wave: Wave
    size: Size | None
    where: Where
    has_hosts: bool = False


def _wave(reader: Reader, node: Node, number: int) -> _Read:
    """One wave; of one that is refused only the name counts, and its size for the sum."""
    before = len(reader.findings)
    read = _read(reader, node, number)
    if not reader.has_errors(before):
        return read
    wave = Wave(read.wave.name, RestSize(), read.wave.where, Limits(soak_s=0.0))
    return read._replace(wave=wave)


def _read(reader: Reader, node: Node, number: int) -> _Read:
    name = f"wave-{number}"
    if not isinstance(node, MappingNode) or _is_size(node):
        size = _size(reader, node, "size")
        wave = Wave(name, size or RestSize(), node.where, size_where=node.where)
        return _Read(wave, size, node.where)
    fields = reader.fields(node, WAVE, "a wave")
    size_node = fields.get("size")
    size = None if size_node is None else _size(reader, size_node, "size")
    named = fields.get("name")
    if isinstance(named, ScalarNode):
        name = reader.name(named, "name") or named.text
    wave = Wave(
        name,
        size or RestSize(),
        node.where,
        read_limits(reader, fields),
        None if size_node is None else size_node.where,
        hosts=reader.hosts(fields.get("hosts")),
        approval=read_approval(reader, fields.get("approval")),
        deadline=read_deadline(reader, fields.get("deadline")),
        window=read_burst(reader, fields.get("window")),
    )
    if wave.hosts is not None and wave.limits.backfill and wave.limits.backfill.enabled:
        message = "a wave with its own `hosts` takes no other devices: it cannot be backfilled"
        reader.error(wave.limits.backfill.where, "P115", message, "remove one of the two")
    return _Read(wave, size, wave.size_where or wave.where, fields.get("hosts") is not None)


def _is_size(node: MappingNode) -> bool:
    """Whether an entry such as `{percent: 5}` is a size and not a wave with keys."""
    return node.get("percent") is not None and node.get("size") is None


def _size(reader: Reader, node: Node, key: str) -> Size | None:
    if isinstance(node, MappingNode):
        return _clamped(reader, node)
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, int) and not isinstance(value, bool):
        count = reader.integer(node, key, least=1)
        return None if count is None else CountSize(count)
    if value == "rest":
        return RestSize()
    if isinstance(value, str) and value.rstrip().endswith("%"):
        return _share(reader, node.where, value)
    hint = _SIZE_HINT
    if isinstance(value, str) and value.isdigit():
        hint = f"without quotes: `{int(value)}`"
    elif isinstance(value, float):
        hint = f"a share has its sign: `{value:g}%`"
    message = f"`{key}` is a number of devices, a percentage or `rest`, not {node.kind}"
    reader.error(node.where, "P111", message, hint)
    return None


def _share(reader: Reader, where: Where, text: str) -> Size | None:
    try:
        share = parse_percent(text.strip())
    except ValueError as error:
        reader.error(where, "P111", str(error))
        return None
    if not 0 < share <= 1:
        message = f"a wave takes more than 0% and at most 100%, not `{text}`"
        reader.error(where, "P111", message, _SIZE_HINT)
        return None
    return ShareSize(share)


def _clamped(reader: Reader, node: MappingNode) -> Size | None:
    fields = reader.fields(node, SIZE, "`size`")
    share = reader.share(fields.get("percent"), "percent")
    low = reader.integer(fields.get("min"), "min", least=1)
    high = reader.integer(fields.get("max"), "max", least=1)
    if low is not None and high is not None and low > high:
        message = f"`min` {low} is more than `max` {high}"
        reader.error(fields.key_where("min"), "P104", message)
        return None
    if share == 0:
        reader.error(fields.key_where("percent"), "P111", "a wave takes more than 0%")
        return None
    return None if share is None else ShareSize(share, low or 1, high)


def _check_names(reader: Reader, waves: tuple[Wave, ...]) -> None:
    seen: dict[str, Wave] = {}
    for wave in waves:
        first = seen.setdefault(wave.name, wave)
        if first is not wave:
            message = f"a wave called `{wave.name}` is already on line {first.where.line}"
            reader.error(wave.where, "P114", message, "give each wave a name of its own")
