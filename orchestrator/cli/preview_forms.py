"""A preview in the forms that pipelines read, and its refusal in those that people look at there.

Law: where a preview is asked for and there is none, the report of it is no older one: it says so.
"""

from __future__ import annotations

import os
from pathlib import Path

import typer

from orchestrator import __version__, api
from orchestrator.cli.forms import Form
from orchestrator.cli.pipeline import job_link, tell_github
from orchestrator.cli.session import Session
from orchestrator.cli.streams import write_result
from orchestrator.errors import Diagnostic, OrchestratorError
from orchestrator.render.diagnostics import error_text
from orchestrator.render.documents import preview_document
from orchestrator.render.findings import preview_findings, refusal_findings
from orchestrator.render.github import annotated
from orchestrator.render.gitlab import code_quality, plan_widget
from orchestrator.render.json_text import dump
from orchestrator.render.junit import findings_report, preview_report
from orchestrator.render.preview import counts_words
from orchestrator.render.preview import text as preview_text
from orchestrator.render.preview_markdown import markdown, refused_markdown
from orchestrator.render.sarif import sarif


def show_preview(
    session: Session, prepared: api.Prepared, form: Form, to: Path | None, code: int
) -> None:
    """Writes the preview; a step of GitHub gets its summary and outputs too.

    Args:
        session: how it looks.
        prepared: the plan.
        form: of the result.
        to: its file, None for stdout.
        code: with which the command will end.
    """
    comment = _comment(prepared) if form in {Form.MARKDOWN, Form.GITHUB} else ""
    write_result(_text(session, prepared, form, comment), to)
    if form is Form.GITHUB:
        tell_github(os.environ, summary=comment, values=_outputs(prepared, code))


def show_refusal(
    session: Session,
    plan: Path,
    error: OrchestratorError,
    form: Form,
    to: Path | None,
    code: int,
) -> None:
    """Writes why there is no preview, where the form has a place for it; `code` is what it ends with.

    Raises:
        typer.Exit: all is said; elsewhere the error still is to be told.
    """
    found = refusal_findings((error,), str(plan))
    match form:
        case Form.TEXT | Form.JSON | Form.GITLAB_TERRAFORM:
            return
        case Form.MARKDOWN | Form.GITHUB:
            text = refused_markdown(api.plan_name(plan), found, link=job_link(os.environ))
        case Form.GITLAB:
            text = code_quality(found)
        case Form.JUNIT:
            text = findings_report(found, ())
        case Form.SARIF:
            text = sarif(found, __version__, api.meanings())
    if form is not Form.GITHUB:
        write_result(text, to)
        return
    shown = error_text(error, session.out)
    write_result(annotated(shown, "rollout preview: refused", found), to)
    tell_github(os.environ, summary=text, values={"exit": str(int(code))})
    raise typer.Exit(int(code)) from error  # on stderr words of others could be commands


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
