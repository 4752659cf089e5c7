"""Packages whose modules are loaded when one of their names is used first (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def homes(names: Mapping[str, str]) -> dict[str, str]:
    """The module of each name; `names` has, for each module of a package, its names in a row."""
    return {name: module for module, row in names.items() for name in row.split()}


def loading(package: str, home_of: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package: loads a name's module, and keeps what it names."""

    def load(name: str) -> object:
        if name not in home_of:
            message = f"module `{package}` has no attribute `{name}`"
            raise AttributeError(message)
        value: object = getattr(import_module(f"{package}.{home_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
