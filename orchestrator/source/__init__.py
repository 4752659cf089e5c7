"""Strict YAML with positions, shared by plans and inventories."""
