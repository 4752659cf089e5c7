"""What a rollout came to, where a pipeline shows that apart from its log."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.errors import ExitCode
from orchestrator.render.markdown import COMMENT_BYTES_MAX, Fold, code, document
from orchestrator.render.standing import Facts
from orchestrator.render.summary import outcome_lines, verdict
from orchestrator.render.text import Look

LOOK = Look(width=100)
_KINDS = {ExitCode.DONE: "notice", ExitCode.PARTIAL: "warning", ExitCode.WAITING: "warning",
          ExitCode.INTERRUPTED: "warning", ExitCode.TERMINATED: "warning"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conclusion:
    """An annotation (`kind` is error, warning or notice), Markdown, and values for later steps."""

    kind: str
    title: str
    said: str
    markdown: str
    values: dict[str, str]


def conclusion(facts: Facts, exit_code: ExitCode) -> Conclusion:
    """What is told of a rollout with which a command ended."""
    title, *lines = outcome_lines(facts, LOOK, exit_code=int(exit_code))
    story = facts.story
    head = f"### {verdict(facts)[0]}: {code(facts.plan.artifact.name)}, rollout {code(story.rollout_id)}"
    whole = Fold("What it came to", (title, *lines))
    more = "the log of this step has all"
    return Conclusion(
        kind=_KINDS.get(exit_code, "error"),
        title=title,
        said="\n".join(lines).strip("\n"),
        markdown=document([head], [whole], "", more=more, limit_bytes=COMMENT_BYTES_MAX),
        values={
            "rollout": story.rollout_id, "state": str(story.state), "exit": str(int(exit_code)),
        },
    )  # fmt: skip
