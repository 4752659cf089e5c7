"""Strict YAML with positions, shared by plans and inventories."""

from orchestrator.source.addresses import is_ipv6
from orchestrator.source.load import Document, load_yaml
from orchestrator.source.node import (
    UNSAFE_TAG,
    VAULT_TAG,
    Entry,
    MappingNode,
    Node,
    Plain,
    ScalarNode,
    ScalarValue,
    SequenceNode,
    to_plain,
)
from orchestrator.source.policy import INVENTORY_POLICY, PLAN_POLICY, Policy
from orchestrator.source.suggest import closest, did_you_mean, quoted
from orchestrator.source.text import SourceText, excerpt, shown

__all__ = [
    "INVENTORY_POLICY",
    "PLAN_POLICY",
    "UNSAFE_TAG",
    "VAULT_TAG",
    "Document",
    "Entry",
    "MappingNode",
    "Node",
    "Plain",
    "Policy",
    "ScalarNode",
    "ScalarValue",
    "SequenceNode",
    "SourceText",
    "closest",
    "did_you_mean",
    "excerpt",
    "is_ipv6",
    "load_yaml",
    "quoted",
    "shown",
    "to_plain",
]
