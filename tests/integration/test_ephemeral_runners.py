"""Runners that come and go: each step has a fresh checkout, the saved plan and the address of the store."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.api.owners import person
from orchestrator.errors import ExitCode
from tests import in_process
from tests.integration.project import GATES, Project
from tests.unit.trust.git_repository import GitRepository

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """The lab, and where releases are built; no runner looks at it."""
    (tmp_path / "project").mkdir()
    found = Project(tmp_path / "project", devices=2)
    found.up()
    try:
        yield found
    finally:
        found.down()


class Runners:
    """Machines without a past."""

    def __init__(self, directory: Path, repository: GitRepository, url: str) -> None:
        self.directory, self.repository, self.count = directory, repository, 0
        config = directory / "operator.toml"
        config.write_text(f'people = ["{person().partition("@")[0]}=ops"]\n')
        self.environment = {"ROLLOUT_CONFIG": str(config), "ROLLOUT_STATE": url}

    def run(
        self, words: str, *files: Path, checkout: bool = True, code: int = 0
    ) -> tuple[Path, subprocess.CompletedProcess[str]]:
        """A command on a new one, with these files beside the checkout; gives its directory too."""
        self.count += 1
        place = self.directory / f"runner-{self.count}"
        place.mkdir()
        if checkout:
            self.repository.git("clone", "-q", str(self.repository.root), str(place))
        for file in files:
            shutil.copy(file, place)
        base = Project(place, env=self.environment).environment()
        done = in_process.completed(words.split(), cwd=place, env={**base, "CI": "true"})
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return place, done


def test_plan_goes_from_preview_to_its_end_on_runners_that_share_nothing_else(
    tmp_path: Path, project: Project, postgres_url: str
) -> None:
    project.directory_release("1.0")
    (tmp_path / "git").mkdir()
    repository = GitRepository(tmp_path / "git")
    (repository.root / "hosts.yml").write_text(project.inventory.read_text())
    (repository.root / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')
    shutil.copy(project.root / "app-1.0.mender", repository.root)
    (repository.root / "app.yml").write_text(
        "schema: 1\nname: app\nhosts: lab\nartifact: ./app-1.0.mender\nwaves: [1, rest]\n"
        f"approval: {{from: [ops]}}\n{GATES}"
    )
    repository.commit(sign=False)
    runners = Runners(tmp_path, repository, postgres_url)

    previewed, _ = runners.run("preview app.yml --out app.plan")
    saved = previewed / "app.plan"
    shutil.move(saved, tmp_path / "app.plan")  # as an artifact of the pipeline
    shutil.rmtree(previewed)
    runners.run("apply app.plan --yes", tmp_path / "app.plan", code=ExitCode.WAITING)
    runners.run("reconcile --once", code=ExitCode.WAITING)  # as a schedule does
    runners.run("approve --reason reviewed", checkout=False)
    last, _ = runners.run("apply app.plan --yes --metrics-file rollout.prom", tmp_path / "app.plan")
    _, told = runners.run("status --format json", checkout=False)

    assert json.loads(told.stdout)["state"] == "succeeded"
    assert {one["artifact"] for one in project.facts().values()} == {"app-1.0"}
    figures = (last / "rollout.prom").read_text()
    assert 'rollout_rollouts{state="succeeded"} 1.0' in figures
    assert "lab-01" not in figures
    assert postgres_url not in (tmp_path / "app.plan").read_text()
