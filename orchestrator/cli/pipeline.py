"""What a pipeline tells a command about itself, and the files in which it takes answers."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.cli.streams import say
from orchestrator.errors import ExitCode, OrchestratorError, system_reason
from orchestrator.render.conclusion import conclusion
from orchestrator.render.github import concluded, output_lines
from orchestrator.render.standing import Facts

_URL = re.compile(r"https?://[A-Za-z0-9._~:/-]{1,500}")


def job_link(environment: Mapping[str, str]) -> str:
    """Where people see the log of this job, on GitHub or GitLab; "" elsewhere."""
    run = environment.get("GITHUB_RUN_ID")
    link = environment.get("CI_JOB_URL", "")
    if run:
        server, name = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_REPOSITORY")
        link = f"{server}/{name}/actions/runs/{run}"
    return link if _URL.fullmatch(link) else ""


def tell_github(
    environment: Mapping[str, str], *, summary: str = "", values: Mapping[str, str]
) -> None:
    """Adds to the summary and the outputs of the present step, where there is one.

    Args:
        environment: names the files (`GITHUB_STEP_SUMMARY`, `GITHUB_OUTPUT`).
        summary: Markdown.
        values: outputs by name, of one line each.

    Raises:
        OrchestratorError: a file cannot be written.
    """
    for variable, text in (
        ("GITHUB_STEP_SUMMARY", summary),
        ("GITHUB_OUTPUT", output_lines(dict(values))),
    ):
        path = environment.get(variable)
        if path and text:
            _append(Path(path), text)


def conclude_on_github(facts: Facts, code: ExitCode, shown: str) -> str:
    """Tells the present step what the rollout came to; gives the last words with an annotation.

    A file of the step that takes nothing is told of: what became of the rollout says the exit code.
    """
    end = conclusion(facts, code)
    try:
        tell_github(os.environ, summary=end.markdown, values=end.values)
    except OrchestratorError as error:
        say(f"warning: {error.message}")
    return concluded(shown, end.kind, end.title, end.said)


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        message = f"cannot write `{path}`: {system_reason(error)}"
        raise OrchestratorError(message) from error
