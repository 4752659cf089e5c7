"""The forms that a plan is shown in; apart from what writes them, as a command line names them only."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """How a preview is shown."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    GITHUB = "github"
    GITLAB = "gitlab"
    GITLAB_TERRAFORM = "gitlab-terraform"
    JUNIT = "junit"
    SARIF = "sarif"
