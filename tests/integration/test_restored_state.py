"""A store that was put back from an older copy: devices know better."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.errors import ExitCode
from tests.integration.project import Project

# 17 seconds of a core
pytestmark = [pytest.mark.integration, pytest.mark.night]


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    found = Project(tmp_path_factory.mktemp("restored"), devices=1)
    found.up()
    try:
        yield found
    finally:
        found.down()


def test_devices_that_have_seen_higher_epochs_refuse_a_restored_copy(project: Project) -> None:
    project.apply(project.directory_release("1.0"))
    project.run("state", "backup", "copy.db")
    for version in ("1.1", "1.2"):
        project.apply(project.directory_release(version))

    third = project.directory_release("1.3")
    for file in (project.root / ".rollout").glob("state.db*"):
        file.unlink()
    (project.root / "copy.db").rename(project.root / ".rollout/state.db")
    refused = project.apply(third, code=None)

    assert refused.returncode == ExitCode.LOCKED
    assert "the state store is older than the devices" in " ".join(refused.stderr.split())
    assert project.facts()["lab-01"]["artifact"] == "app-1.2"
