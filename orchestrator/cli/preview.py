"""`rollout preview`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import __version__, api
from orchestrator.cli.evidence import say_unevidenced
from orchestrator.cli.findings import say_findings
from orchestrator.cli.joining import say_joiners
from orchestrator.cli.options import Common, Output, SourceOptions, command
from orchestrator.cli.pipeline import job_link, tell_github
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session, source_of, start
from orchestrator.cli.streams import say, write_file, write_result
from orchestrator.cli.survey import before_it_begins, say_frozen, say_under_way, survey_line
from orchestrator.errors import Diagnostic, ExitCode, OrchestratorError
from orchestrator.render.documents import dump, preview_document
from orchestrator.render.findings import preview_findings
from orchestrator.render.github import annotated
from orchestrator.render.gitlab import code_quality, plan_widget
from orchestrator.render.junit import preview_report
from orchestrator.render.preview import counts_words
from orchestrator.render.preview import text as preview_text
from orchestrator.render.preview_markdown import markdown
from orchestrator.render.sarif import sarif
from orchestrator.render.text import escape

app = typer.Typer()


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


CHANGES = 2  # Terraform's code for "there are changes"; only with --detailed-exitcode


@dataclass(frozen=True, slots=True)
class PreviewOptions:
    """What only a preview has."""

    offline: Annotated[bool, typer.Option("--offline", help="Ask no device.")] = False
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Save the resolved plan for `rollout apply`."),
    ] = None
    diff: Annotated[
        Path | None,
        typer.Option("--diff", metavar="OLD.plan", help="Show what changed since a saved plan."),
    ] = None
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="0 nothing to do, 2 changes, 1 error.")
    ] = False


@command(
    app,
    examples="""
rollout preview plans/gateway.yml -i inventory/
rollout preview plans/gateway.yml --offline --format json
rollout preview plans/gateway.yml --out gateway.plan && rollout apply gateway.plan
rollout preview plans/gateway.yml --diff gateway.plan
rollout preview gateway.plan --format markdown -o comment.md
""",
)
def preview(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A plan, or a saved plan.")],
    *,
    common: Common,
    source: SourceOptions,
    output: Output,
    options: PreviewOptions,
    format: Annotated[  # noqa: A002
        Form, typer.Option("--format", help="How the preview is shown.")
    ] = Form.TEXT,
) -> int:
    """Show which devices would change when, under which limits; changes nothing.

    Devices are asked, read-only, what they run and whether they can take part; --offline asks
    nobody. --out saves exactly this plan: `rollout apply FILE` runs it or refuses it as stale.
    --diff shows what changed since one that was saved; an equal digest is the same plan.
    """
    try:
        session = start(common)
        request = api.PlanRequest(plan, source_of(source), options.offline, options.diff)
        with before_it_begins(session, "there is no preview, and nothing was changed"):
            prepared = wait_for(api.prepare(session.settings, request, survey_line(session)))
    except OrchestratorError as error:
        if options.detailed_exitcode:
            error.exit_code = ExitCode.REFUSED  # 2 would read as "changes"
        raise
    if options.out is not None:
        write_file(options.out, prepared.saved_file)
    comment = _comment(prepared) if format in {Form.MARKDOWN, Form.GITHUB} else ""
    write_result(_text(session, prepared, format, comment), output.output)
    if format is not Form.GITHUB:  # they are annotations; a runner takes commands from stderr, too
        say_findings(session, prepared.findings)
    if not session.quiet:
        say_joiners(prepared)
    if prepared.uncommitted is not None:
        why = prepared.uncommitted
        say(f"`rollout apply` would refuse this: {escape(why.message)} ({why.code})")
    say_unevidenced(session, prepared)
    say_frozen(session)
    say_under_way(session, prepared)
    if options.out is not None and not session.quiet:
        say(f"saved {options.out} (sha256:{prepared.digest}); `rollout apply` runs exactly this")
    changes = prepared.preview.has_changes
    code = CHANGES if options.detailed_exitcode and changes else ExitCode.DONE
    if format is Form.GITHUB:
        tell_github(os.environ, summary=comment, values=_outputs(prepared, code))
    return code


def _outputs(prepared: api.Prepared, code: int) -> dict[str, str]:
    """What later steps of a pipeline may ask for."""
    facts = {
        "plan_sha": prepared.digest,
        "changes": str(prepared.preview.has_changes).lower(),
        "exit": str(int(code)),
    }
    if prepared.since is not None:
        facts["same"] = str(prepared.since.digest == prepared.digest).lower()
    return facts


def _text(session: Session, prepared: api.Prepared, form: Form, comment: str) -> str:
    facts, digest, since = prepared.preview, prepared.digest, prepared.since
    found = _findings(prepared)
    match form:
        case Form.JSON:
            text = dump(preview_document(facts, digest, since))
        case Form.MARKDOWN:
            text = comment
        case Form.GITLAB:
            text = code_quality(found)
        case Form.GITLAB_TERRAFORM:
            text = plan_widget(facts)
        case Form.JUNIT:
            text = preview_report(facts, found)
        case Form.SARIF:
            text = sarif(found, __version__, api.meanings())
        case Form.TEXT | Form.GITHUB:
            names = session.verbose > 0
            text = preview_text(facts, digest, session.out, all_names=names, since=since)
    if form is Form.GITHUB:
        counts = counts_words(facts)
        return annotated(
            text, f"rollout preview: {counts}", found, notice=f"{counts}; digest {digest}"
        )
    return text


def _findings(prepared: api.Prepared) -> tuple[Diagnostic, ...]:
    reasons = (prepared.uncommitted, prepared.unevidenced)
    refusals = [error for error in reasons if error is not None]
    return preview_findings(prepared.preview, refusals, prepared.findings)


def _comment(prepared: api.Prepared) -> str:
    found, link = _findings(prepared), job_link(os.environ)
    return markdown(prepared.preview, prepared.digest, found, since=prepared.since, link=link)
