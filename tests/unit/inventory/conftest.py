from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import PlanError
from orchestrator.inventory import Inventory, load_inventory

Write = Callable[[dict[str, str]], None]
Load = Callable[..., Inventory]
Refused = Callable[..., list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes files below the test's directory; keys are paths."""

    def write_files(files: dict[str, str]) -> None:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    return write_files


@pytest.fixture
def load(tmp_path: Path, write: Write) -> Load:
    """Loads an inventory of one text (as `hosts.yml`), or of sources already written."""

    def load_it(text: str = "", *sources: str) -> Inventory:
        if text:
            write({"hosts.yml": text})
        return load_inventory(sources or ("hosts.yml",), cwd=tmp_path)

    return load_it


@pytest.fixture
def refused(load: Load) -> Refused:
    """The findings, as `line:column code`, of an inventory that must not load."""

    def refuse(text: str = "", *sources: str) -> list[str]:
        with pytest.raises(PlanError) as caught:
            load(text, *sources)
        return [f"{d.where.line}:{d.where.column} {d.code}" for d in caught.value.diagnostics]

    return refuse
