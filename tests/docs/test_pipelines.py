"""docs/pipelines: what forges run is YAML, shell, and commands that the program knows."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from string import Template

import pytest
import typer
import yaml
from typer.core import TyperGroup
from typer.exceptions import TyperException

from orchestrator import __version__, api
from orchestrator.cli.app import build, invoke
from tests.in_process import empty_project, run

PIPELINES = Path(__file__).parents[2] / "docs/pipelines"
FILES = {"github.yml": ".github/workflows/rollout.yml", "gitlab.yml": ".gitlab-ci.yml"}
COUNTS = {"github.yml": 7, "gitlab.yml": 8}  # command lines of `rollout`


def scripts(node: object, key: str = "") -> list[str]:
    """Everything that a pipeline hands to a shell."""
    if isinstance(node, dict):
        return [text for name, value in node.items() for text in scripts(value, str(name))]
    if isinstance(node, list):
        return [text for value in node for text in scripts(value, key)]
    return [str(node)] if key in {"run", "script", "before_script"} else []


def commands(file: str) -> list[list[str]]:
    """The words of each line that calls the program, with variables as they are set there."""
    pipeline = yaml.safe_load((PIPELINES / file).read_text(encoding="utf-8"))
    set_to = pipeline.get("env") or pipeline["variables"]
    lines = (line.strip() for text in scripts(pipeline) for line in text.splitlines())
    return [
        shlex.split(Template(line.partition(" || ")[0]).safe_substitute(set_to))
        for line in lines
        if line.startswith("rollout ")
    ]


def parse(words: list[str]) -> None:
    """Lets the real command line parse the words, and do nothing.

    Raises:
        typer.exceptions.TyperException: it knows no such command or option.
    """
    command = typer.main.get_command(build(set(words)))
    context = command.make_context("rollout", list(words))
    while isinstance(command, TyperGroup):
        rest = [*context._protected_args, *context.args]
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("file", FILES)
def test_every_command_of_a_pipeline_is_one_of_the_program(file: str) -> None:
    found = commands(file)

    assert len(found) == COUNTS[file]
    for words in found:
        parse(words[1:])
    with pytest.raises(TyperException, match="No such option"):
        parse([*found[0][1:], "--no-such-option"])


def test_service_of_the_page_of_gitops_is_a_command_of_the_program() -> None:
    page = (PIPELINES.parent / "how-to/gitops.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^ExecStart=\S+/rollout (.+)$", page, re.MULTILINE)

    parse(shlex.split(line))


@pytest.mark.parametrize("file", FILES)
def test_every_script_of_a_pipeline_is_shell(file: str) -> None:
    pipeline = yaml.safe_load((PIPELINES / file).read_text(encoding="utf-8"))

    for script in scripts(pipeline):
        done = subprocess.run(
            ("sh", "-n"), input=script, text=True, capture_output=True, timeout=30, check=False
        )
        assert done.returncode == 0, (script, done.stderr)


def test_scripts_take_no_text_of_a_change_into_themselves() -> None:
    """What `${{ }}` puts into a script is run; values come as variables."""
    pipeline = yaml.safe_load((PIPELINES / "github.yml").read_text(encoding="utf-8"))

    assert [script for script in scripts(pipeline) if "${{" in script] == []


def test_only_jobs_of_the_protected_environment_have_the_store() -> None:
    """A pull request may change the file, but what it runs has no secret of that environment."""
    jobs = yaml.safe_load((PIPELINES / "github.yml").read_text(encoding="utf-8"))["jobs"]

    with_secrets = {name for name, job in jobs.items() if "secrets." in str(job)}
    protected = {name for name, job in jobs.items() if job.get("environment") == "production"}
    assert with_secrets == protected == {"apply", "reconcile"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Path:
    """What `rollout init` writes, with the release that its first steps build."""
    empty_project(tmp_path, monkeypatch)
    api.init(tmp_path)
    api.key_generate(tmp_path / "release.key")
    build_ = "artifact build directory app --dest /opt/app -n app-1.0 -t lab --key release.key"
    assert invoke([*build_.split(), "-o", "releases/app-1.0.mender"]) == 0
    capsys.readouterr()
    return tmp_path


@pytest.mark.parametrize("file", FILES)
def test_new_project_has_the_file_and_its_checks_and_previews_run_there(
    project: Path, capsys, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.setenv(name, str(project / name))
    written = (project / FILES[file]).read_text()
    text = (PIPELINES / file).read_text(encoding="utf-8")

    assert written == text.replace("@VERSION@", __version__)
    for words in commands(file):
        if words[1] in ("validate", "preview"):  # the others want devices
            offline = " --offline" if "plans/example.yml" in words else ""
            code, _, err = run(capsys, shlex.join(words[1:]) + offline)
            assert code == 0, (words, err)
    uploaded = set(re.findall(r"\b(?:rollout\.plan|[a-z]+\.(?:json|xml|md))\b", text))
    missing = {name for name in uploaded if not (project / name).is_file()}
    assert missing <= {"github.md", "gitlab.md", "reviewed.md"}


def test_project_of_init_passes_its_own_validation(project: Path, capsys) -> None:
    code, _, err = run(capsys, "validate plans -i inventory/hosts.yml")

    assert (code, err.count("error")) == (0, 0), err
