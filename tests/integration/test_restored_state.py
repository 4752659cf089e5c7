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


def test_devices_that_know_better_refuse_a_restored_copy_until_they_are_adopted(
    project: Project,
) -> None:
    """One lease was taken since the copy was made: its next epoch is the one that was lost."""
    project.apply(project.directory_release("1.0"))
    project.run("state", "backup", "copy.db")
    project.apply(project.directory_release("1.1"))
    third = project.directory_release("1.2")
    for file in (project.root / ".rollout").glob("state.db*"):
        file.unlink()
    (project.root / "copy.db").rename(project.root / ".rollout/state.db")

    refused = project.apply(third, code=ExitCode.LOCKED)
    untouched = project.facts()["lab-01"]["artifact"]
    project.run("device", "adopt", "all", "-i", project.inventory, "--yes")
    project.apply(third)

    assert "the state store is older than the devices" in " ".join(refused.stderr.split())
    assert untouched == "app-1.1"
    assert project.facts()["lab-01"]["artifact"] == "app-1.2"
