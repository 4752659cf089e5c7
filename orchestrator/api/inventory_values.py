"""What questions about an inventory are answered with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.errors import Diagnostic

if TYPE_CHECKING:
    from orchestrator.inventory.model import Written


@dataclass(frozen=True, slots=True)
class Hosts:
    """Names of a pattern, and what is odd in the whole inventory."""

    names: tuple[str, ...]
    findings: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """An inventory in the shape of `ansible-inventory --list` and as a tree, and what is odd in it."""

    groups: Mapping[str, object]
    tree: GroupShown
    findings: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class GroupShown:
    """A group with the groups below it and the devices that stand in it by name."""

    name: str
    children: tuple[GroupShown, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VariableShown:
    """A variable of a device and every value written for it, low to high: the last counts."""

    name: str
    values: tuple[Written, ...]


@dataclass(frozen=True, slots=True)
class HostShown:
    """A device of an inventory with all that is written for it."""

    name: str
    groups: tuple[str, ...]
    variables: tuple[VariableShown, ...]
