"""What people ask of an inventory: its hosts, groups and variables, and what is odd in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.api.inventory_values import (
    GroupShown,
    Hosts,
    HostShown,
    Listing,
    VariableShown,
)
from orchestrator.api.project import load_inventory, nobody
from orchestrator.errors import PlanError, Severity
from orchestrator.source import did_you_mean, shown

if TYPE_CHECKING:
    from orchestrator.api.values import Settings, Source
    from orchestrator.inventory.model import Inventory


def hosts(settings: Settings, pattern: str, source: Source) -> Hosts:
    """Names of the devices of a pattern, in inventory order.

    Raises:
        PlanError: the inventory or the pattern is wrong.
    """
    inventory = load_inventory(settings, source)
    names = inventory.match(pattern, limit=source.limit)
    findings = inventory.findings()
    if not names:
        findings += (nobody(settings, source, pattern, Severity.WARNING),)
    return Hosts(names, findings)


def inventory_list(settings: Settings, source: Source) -> Listing:
    """The inventory in the shape of `ansible-inventory --list`.

    Raises:
        PlanError: the inventory is wrong.
    """
    inventory = load_inventory(settings, source)
    findings = inventory.findings()
    if not inventory.host_names:
        findings += (nobody(settings, source, "all", Severity.WARNING),)
    return Listing(inventory.to_ansible_list(), _tree(inventory, "all"), findings)


def inventory_graph(settings: Settings, source: Source, group: str = "all") -> GroupShown:
    """The tree of groups below one, with the devices that stand in each by name.

    Raises:
        PlanError: the inventory is wrong, or has no such group.
    """
    inventory = load_inventory(settings, source)
    if group not in inventory.group_names:
        message = f"no group is called `{shown(group)}`{did_you_mean(group, inventory.group_names)}"
        raise PlanError(message, hint="`rollout inventory list` shows the groups", code="I201")
    return _tree(inventory, group)


def inventory_host(settings: Settings, source: Source, host: str) -> HostShown:
    """Everything that is written for one device, variable by variable.

    Raises:
        PlanError: the inventory is wrong, or has no such host.
    """
    inventory = load_inventory(settings, source)
    if host not in inventory.host_names:
        message = f"no host is called `{shown(host)}`{did_you_mean(host, inventory.host_names)}"
        raise PlanError(message, hint="`rollout hosts all` shows the hosts", code="I201")
    variables = tuple(
        VariableShown(name, history) for name, history in inventory.history(host).items()
    )
    return HostShown(host, inventory.groups_of(host), variables)


def _tree(inventory: Inventory, group: str) -> GroupShown:
    """Loading has refused circles; a group below two others is shown below both."""
    children, hosts_of = inventory.children_of(group)
    return GroupShown(group, tuple(_tree(inventory, child) for child in children), hosts_of)
