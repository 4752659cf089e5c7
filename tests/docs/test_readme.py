"""The README's plan and commands, run as they stand on a small lab."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.project import Project

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text()
MAKE_TARGETS = {"make demo", "make test"}
CHECK = "#!/bin/sh\necho '{\"value\": 1}'\n"
INVENTORY = "gateways:\n  children:\n    lab: {}\n"
_LINK = re.compile(r"\]\(((?!https?:)[^)#]+)\)")


def blocks(kind: str) -> list[str]:
    """Fenced blocks of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """All command lines, without their remarks."""
    lines = "".join(blocks("sh")).splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.strip()]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    found = Project(tmp_path_factory.mktemp("readme"), devices=3)
    found.up()
    try:
        yield found
    finally:
        found.down()


def test_every_command_is_one_that_is_run_here() -> None:
    ours = [line for line in commands() if line not in {"make demo    ", *MAKE_TARGETS}]

    assert ours, "the README shows commands"
    assert all(line.startswith("rollout ") for line in ours), ours


def test_make_targets_exist() -> None:
    shown = {line for line in commands() if line.startswith("make ")}
    makefile = (REPOSITORY / "Makefile").read_text()

    assert shown == MAKE_TARGETS
    for line in shown:
        assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE)


def test_plan_and_commands_work_as_they_stand(project: Project) -> None:
    tree = project.root / "tree"
    health = tree / ".rollout/health/gatewayd"
    health.parent.mkdir(parents=True)
    health.write_text(CHECK)
    health.chmod(0o755)
    (tree / "service.json").write_text('{"version": "1.4.2"}')
    (project.root / "releases").mkdir()
    project.run(
        "artifact", "build", "directory", tree, "--dest", "/opt/app", "--name", "gateway-1.4.2",
        "--device-type", "lab", "--key", "release.key", "--out", "releases/gateway-1.4.2.mender",
    )  # fmt: skip
    folder = project.root / "inventory"
    folder.mkdir()
    (folder / "hosts.yml").write_text(project.inventory.read_text() + INVENTORY)
    (plan,) = blocks("yaml")
    # The only change: half an hour of soak per wave is more than a test may take.
    (project.root / "gateway-fw.yml").write_text(plan.replace("soak: 30m", "soak: 100ms"))

    for line in commands():
        if line.startswith("rollout "):
            words = line.split()[1:]
            project.run(*words, *(["--yes"] if words[0] == "apply" else []))

    assert {facts["artifact"] for facts in project.facts().values()} == {"gateway-1.4.2"}


def test_links_lead_somewhere() -> None:
    missing = [link for link in _LINK.findall(README) if not (REPOSITORY / link).exists()]

    assert missing == []
