from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.api.release_kit import Releases


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Releases:
    """Keys, an artifact and a root, in a directory that is the working one."""
    monkeypatch.chdir(tmp_path)
    return Releases(tmp_path)
