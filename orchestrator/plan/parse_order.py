"""In which order devices go, from the nodes of a plan (rollout-rules R3, R4)."""

from __future__ import annotations

from orchestrator.plan.language import ORDER
from orchestrator.plan.model import OrderText, Text
from orchestrator.plan.reader import Fields, Reader
from orchestrator.plan.resolved import LateJoiners, Order
from orchestrator.source import MappingNode, Node

LABELS_MAX = 8  # a stratum is a tuple of values; of more keys every device is its own


def read_order(reader: Reader, fields: Fields) -> OrderText:
    """Everything that decides who goes when."""
    by, seed = _order(reader, fields.get("order"))
    sticky = reader.boolean(fields.get("sticky"), "sticky") or False
    if seed is not None and sticky:
        message = "`sticky` names the seed already: the plan's name"
        reader.error(fields.key_where("sticky"), "P115", message, "keep `sticky` or the `seed`")
    if seed is not None and by is not Order.HASH:
        message = f"a seed decides nothing where devices go `{by}`"
        reader.error(seed.where, "P115", message, "remove the `seed`")
    return OrderText(
        by=by,
        seed=seed,
        sticky=sticky,
        spread=read_labels(reader, fields.get("spread"), "spread") or (),
        late_joiners=reader.word(fields.get("late_joiners"), "late_joiners", LateJoiners)
        or LateJoiners.IGNORE,
    )


def _order(reader: Reader, node: Node | None) -> tuple[Order, Text | None]:
    if not isinstance(node, MappingNode):
        return reader.word(node, "order", Order) or Order.HASH, None
    fields = reader.fields(node, ORDER, "`order`")
    by = reader.word(fields.get("by"), "by", Order) or Order.HASH
    return by, reader.template(fields.get("seed"), "seed")


def read_labels(reader: Reader, node: Node | None, key: str) -> tuple[Text, ...] | None:
    """Names of labels, each once."""
    items = reader.sequence(node, key, "[site, hardware]")
    if items is None or node is None:
        return None
    if len(items) > LABELS_MAX:
        message = f"`{key}` has {len(items)} labels; at most {LABELS_MAX} are read"
        reader.error(node.where, "P104", message)
        return None
    labels: dict[str, Text] = {}
    for item in items:
        text = reader.text(item, key)
        if text is None:
            continue
        if text.text in labels:
            message = f"`{key}` names the label `{text.text}` twice"
            reader.error(text.where, "P114", message, "remove one of them")
        labels.setdefault(text.text, text)
    return tuple(labels.values())
