"""Shells that judge many cases each, without rights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.device.kit import Shell
from tests.hostile.batch import SHELLS, Place, shell_named

THIRDS = range(len(SHELLS))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A third of each table runs under each shell in `make test`, and all of it at night."""
    for item in items:
        given = item.callspec.params if hasattr(item, "callspec") else {}
        if "third" in given and SHELLS[given["third"]] != given["shell"]:
            item.add_marker(pytest.mark.night)


@pytest.fixture
def place() -> Iterator[Path]:
    with Place() as path:
        yield path


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, place: Path) -> Shell:
    shell = shell_named(request.param, place)
    if shell is None:
        pytest.skip(f"{request.param} is not installed")
    return shell
