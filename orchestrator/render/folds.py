"""Groups that a pipeline's log can fold: the lines of each wave, for GitHub and for GitLab.

Laws:
1. What a wave came to stands outside of its group, so that a folded log still says it.
2. A group that was opened is closed: before the next one, where the rollout stops, and at the end.
3. No line of the rollout can act as a command of the pipeline.

Source: "Workflow commands for GitHub Actions"; GitLab, "Custom collapsible sections".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every command asks `pipeline_of`, few have entries
    from orchestrator.rollout.events import JournalEntry

_CLOSE = frozenset({"wave_started", "wave_done", "halted", "rollback_started", "rollout_done"})


class Pipeline(Enum):
    """Whose log it is."""

    NONE = auto()
    GITHUB = auto()
    GITLAB = auto()


def pipeline_of(environment: Mapping[str, str]) -> Pipeline:
    """The pipeline that this environment is of."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return Pipeline.GITHUB
    return Pipeline.GITLAB if environment.get("GITLAB_CI") == "true" else Pipeline.NONE


class Folds:
    """Puts markers around the lines of waves."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._opened = 0
        self._is_open = False

    def around(self, entry: JournalEntry, told: list[str]) -> list[str]:
        """The lines that an entry is told in, with the markers that belong there."""
        if self._pipeline is Pipeline.NONE:
            return told
        shown = [self.plain(line) for line in told]
        closed = self.close(entry.at) if entry.type in _CLOSE else []
        if entry.type == "wave_started" and shown:
            return [*closed, self._open(entry.at, shown[0]), *shown[1:]]
        return [*closed, *shown]

    def plain(self, line: str) -> str:
        """A line in which nothing is a command."""
        if self._pipeline is not Pipeline.GITHUB:
            return line  # GitLab's markers are control characters, which no line has
        return line.replace(
            "##[", "## ["
        )  # `::` counts at the beginning only, and times stand there

    def close(self, at: float) -> list[str]:
        """The marker that ends the group, where one is open."""
        if not self._is_open:
            return []
        self._is_open = False
        if self._pipeline is Pipeline.GITHUB:
            return ["::endgroup::"]
        return [f"\x1b[0Ksection_end:{int(at)}:wave_{self._opened}\r\x1b[0K"]

    def _open(self, at: float, title: str) -> str:
        self._is_open = True
        self._opened += 1
        if self._pipeline is Pipeline.GITHUB:
            return f"::group::{title.replace('%', '%25')}"
        return f"\x1b[0Ksection_start:{int(at)}:wave_{self._opened}\r\x1b[0K{title}"
