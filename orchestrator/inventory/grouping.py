"""Groups made of labels: `groups_by` at the top of an inventory file in YAML.

    groups_by:
      - {label: site, prefix: site_}    # a host whose label `site` is `berlin` is in `site_berlin`

Laws:
1. Rules hold for the hosts of all sources. A host without the label is in no group of the rule.
2. Labels are those that hosts have without these groups. Where the variables of a group that was
   made would change the label it was made of, the inventory is refused.
3. A label that makes no group's name is an error: a name that was mended is one nobody wrote.

Source: inventory.md, a.3. Ansible does the same with its plug-in `constructed`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.errors import Diagnostic, Severity, Where
from orchestrator.inventory.graph import Graph
from orchestrator.inventory.members import Report
from orchestrator.inventory.names import ALL, UNGROUPED, group_name_problem
from orchestrator.source import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    did_you_mean,
    shown,
)

GROUPS_BY = "groups_by"
_KEYS = ("label", "prefix")
_FORM = "write `- {label: site, prefix: site_}` below it"
Labels = Mapping[str, Mapping[str, str]]  # of each host


@dataclass(frozen=True, slots=True)
class GroupBy:
    """One rule: hosts that share a value of the label are a group, called prefix and value."""

    label: str
    prefix: str
    where: Where

    def group_of(self, labels: Mapping[str, str]) -> str:
        """The group of a host with these labels; "" without one."""
        value = labels.get(self.label, "")
        return self.prefix + value if value else ""


def read_rules(node: Node, report: Report) -> Iterator[GroupBy]:
    """The rules of a file; what is none is reported at its place."""
    if not isinstance(node, SequenceNode):
        message = f"`{GROUPS_BY}` is {node.kind}; it is a list of labels"
        report(node.where, "I104", message, _FORM)
        return
    for item in node.items:
        rule = _rule(item, report)
        if rule is not None:
            yield rule


def _rule(item: Node, report: Report) -> GroupBy | None:
    if not isinstance(item, MappingNode):
        report(item.where, "I104", f"a rule of `{GROUPS_BY}` is a mapping, not {item.kind}", _FORM)
        return None
    told: dict[str, str] = {}
    for key, value in item.entries:
        if key.text not in _KEYS:
            message = f"unknown key `{shown(key.text)}` in `{GROUPS_BY}`"
            message += did_you_mean(key.text, _KEYS)
            report(key.where, "I105", message, "a rule takes `label` and `prefix`")
            return None
        if not isinstance(value, ScalarNode) or not isinstance(value.value, str):
            report(value.where, "I104", f"`{key.text}` is {value.kind}; it is text")
            return None
        told[key.text] = value.value
    label = told.get("label", "")
    if not label:
        report(item.where, "I104", f"a rule of `{GROUPS_BY}` without a `label`", _FORM)
        return None
    return GroupBy(label, told.get("prefix", f"{label}_"), item.where)


def add_groups(rules: Sequence[GroupBy], labels: Labels, graph: Graph) -> Iterator[Diagnostic]:
    """Puts each host into the groups of its labels, and gives what is wrong with them.

    Hosts come one after the other, each with all rules: so the groups have Ansible's order.
    """
    refused: set[tuple[GroupBy, str]] = set()
    for host, own in labels.items():
        for rule in rules:
            name = rule.group_of(own)
            if not name or (rule, name) in refused:
                continue
            problem = _problem(name)
            if not problem:
                graph.add_host(host, graph.group(name, rule.where), rule.where, None)
                continue
            refused.add((rule, name))
            message = f"host `{host}`: label `{rule.label}` makes the group `{shown(name)}`"
            hint = "give the label another value, or group by another label"
            yield Diagnostic(rule.where, "I110", f"{message}: {problem}", hint)
    known = {label for own in labels.values() for label, value in own.items() if value}
    for rule in rules:
        if rule.label not in known:
            message = f"no host has the label `{shown(rule.label)}`"
            message += did_you_mean(rule.label, sorted(known))
            yield Diagnostic(rule.where, "I128", message, "", Severity.WARNING)


def circles(
    rules: Sequence[GroupBy], before: Labels, after: Callable[[str], Mapping[str, str]]
) -> Iterator[Diagnostic]:
    """What law 2 refuses: the first host of each rule whose label came out differently."""
    open_rules = list(rules)
    for host, own in before.items():
        now = after(host) if open_rules else own
        for rule in [one for one in open_rules if one.group_of(own) != one.group_of(now)]:
            open_rules.remove(rule)
            group = shown(rule.group_of(own) or "no group")
            message = (
                f"host `{host}` is in `{group}` for its label `{rule.label}`, which the groups "
                f"of `{GROUPS_BY}` turn into `{shown(now.get(rule.label, ''))}`"
            )
            hint = "set the label where no such group is asked: on hosts or in other groups"
            yield Diagnostic(rule.where, "I127", message, hint)


def _problem(name: str) -> str:
    if name in (ALL, UNGROUPED):
        return "which has all or none of the others; use a `prefix`"
    return group_name_problem(name)
