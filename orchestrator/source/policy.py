"""What a kind of file may hold: plans are strict, inventories are read as Ansible reads them.

Source: docs/reference/inventory.md, "YAML", has the table of traps with the answer to each.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.errors import Severity
from orchestrator.source.node import UNSAFE_TAG, VAULT_TAG


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits and meanings of one kind of file.

    Args:
        compat: unquoted values mean what they mean to Ansible (YAML 1.1); otherwise the rules
            of YAML 1.2 hold, and whatever the two read differently is an error.
        aliases_max: 0 turns anchors, aliases and merge keys off.
        invisible: weight of bidirectional and zero-width characters in values and comments
            (in keys they are always errors).
    """

    name: str
    bytes_max: int
    compat: bool
    aliases_max: int
    invisible: Severity
    scalar_chars_max: int
    digits_max: int
    depth_max: int = 64  # people nest to 10; C recursion dies at some 100 000
    nodes_max: int = 2_000_000  # 100 000 devices with 8 variables each are 1.8 million
    tags: frozenset[str] = field(default_factory=frozenset)


PLAN_POLICY = Policy(
    name="a plan",
    bytes_max=4 * 1024 * 1024,
    compat=False,
    aliases_max=0,
    invisible=Severity.ERROR,
    scalar_chars_max=64 * 1024,
    digits_max=15,  # beyond 2**53 JSON readers round
)
INVENTORY_POLICY = Policy(
    name="an inventory",
    bytes_max=64 * 1024 * 1024,
    compat=True,
    aliases_max=100,
    invisible=Severity.WARNING,
    scalar_chars_max=1024 * 1024,
    digits_max=1000,
    tags=frozenset({UNSAFE_TAG, VAULT_TAG}),
)
