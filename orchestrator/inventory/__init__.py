"""Inventories in Ansible's form: groups, variables, patterns."""

from orchestrator.inventory.load import load_inventory
from orchestrator.inventory.model import Inventory

__all__ = ["Inventory", "load_inventory"]
