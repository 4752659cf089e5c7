"""Tags, anchors and merge keys: what stands beside a value instead of in it."""

from __future__ import annotations

from orchestrator.errors import Where
from orchestrator.source.frame import Event, Frame
from orchestrator.source.node import Entry, MappingNode, Node, SequenceNode
from orchestrator.source.policy import Policy
from orchestrator.source.text import Findings

_TAG_PREFIX = "tag:yaml.org,2002:"


def check_properties(event: Event, where: Where, policy: Policy, findings: Findings) -> None:
    """Notes an anchor or a tag that the policy does not allow; the value itself is kept."""
    if event.anchor and not policy.aliases_max:
        refuse_alias(f"`&{event.anchor}` (anchor)", where, policy, findings)
    if not event.tag or event.tag in policy.tags:
        return
    name = event.tag
    if name.startswith(_TAG_PREFIX):
        name = "!!" + name.removeprefix(_TAG_PREFIX)
    if name == "!vault":
        message = "encrypted values (`!vault`) belong into inventories"
        findings.add(where, "Y116", message, "keep secrets out of this file for now")
        return
    allowed = ", ".join(f"`{tag}`" for tag in sorted(policy.tags)) or "none"
    message = f"tag `{name}` is not read in {policy.name}"
    findings.add(where, "Y116", message, f"remove it; allowed tags: {allowed}")


def refuse_alias(what: str, where: Where, policy: Policy, findings: Findings) -> None:
    """Notes an anchor or alias in a file that has none."""
    hint = "write the value out: a reader must see what is approved"
    findings.add(where, "Y113", f"{what} is not used in {policy.name}", hint)


def merged_entries(frame: Frame, findings: Findings) -> list[Entry]:
    """Entries with the merged ones first; explicit keys win, then the first mapping."""
    sources: list[Node] = []
    for merge in frame.merges:
        sources.extend(merge.items if isinstance(merge, SequenceNode) else [merge])
    explicit = {entry.key.text for entry in frame.entries}
    merged: dict[str, Entry] = {}
    for source in sources:
        if not isinstance(source, MappingNode):
            message = f"`<<` takes a mapping or a list of mappings, not {source.kind}"
            findings.add(source.where, "Y115", message)
            continue
        for entry in source.entries:
            if entry.key.text not in explicit:
                merged.setdefault(entry.key.text, entry)
    return [*merged.values(), *frame.entries]
