"""Retries and rollbacks that are reviewed before they are carried out: saved, shown, done."""

from __future__ import annotations

import os
from pathlib import Path

from orchestrator import __version__, api
from orchestrator.cli.asked import what_came_of_it
from orchestrator.cli.confirm import confirm_devices
from orchestrator.cli.driving import ask
from orchestrator.cli.forms import Form
from orchestrator.cli.pipeline import job_link, tell_github
from orchestrator.cli.running import wait_for
from orchestrator.cli.saving import refuse_other
from orchestrator.cli.session import Session
from orchestrator.cli.streams import say, say_folded, write_file, write_result
from orchestrator.errors import ExitCode, PlanError
from orchestrator.render.folds import Pipeline
from orchestrator.render.github import annotated
from orchestrator.render.gitlab import code_quality
from orchestrator.render.json_text import dump
from orchestrator.render.junit import findings_report
from orchestrator.render.proposal import (
    proposal_body,
    proposal_counts,
    proposal_document,
    proposal_markdown,
    proposal_text,
    proposal_widget,
)
from orchestrator.render.sarif import sarif
from orchestrator.rollout.events import Ask
from orchestrator.rollout.proposal import Proposal, digest, to_file


def save_proposal(session: Session, request: api.AskRequest, out: Path) -> int:
    """Shows what would be asked for, and saves that instead of asking.

    Raises:
        OrchestratorError: the rollout would refuse it, or the file cannot be written, or holds something
            else.
    """
    refuse_other(out)
    proposal = wait_for(api.propose(session.settings, request))
    if proposal is None:
        run = request.rollout or ""
        asked = api.Asked(run, "", needs_engine=False, answer="already", detail="nothing is saved")
        say(what_came_of_it(request, asked))
        return ExitCode.DONE
    write_file(out, to_file(proposal))
    show_proposal(session, proposal, Form.TEXT, None)
    if not session.quiet:
        saved = f"saved {out} (sha256:{digest(proposal)})"
        say_folded(f"{saved}; `rollout apply {out}` does exactly this", session.err)
    return ExitCode.DONE


def show_proposal(session: Session, proposal: Proposal, form: Form, to: Path | None) -> None:
    """Writes a proposal in the forms of a preview; nothing speaks against it that could be found."""
    made, link = digest(proposal), job_link(os.environ)
    match form:
        case Form.JSON:
            text = dump(proposal_document(proposal, made))
        case Form.MARKDOWN:
            text = proposal_markdown(proposal, made, link=link)
        case Form.GITLAB:
            text = code_quality(())
        case Form.GITLAB_TERRAFORM:
            text = proposal_widget(proposal)
        case Form.JUNIT:
            text = findings_report((), ())
        case Form.SARIF:
            text = sarif((), __version__, api.meanings())
        case Form.TEXT | Form.GITHUB:
            names = session.verbose > 0
            text = proposal_text(proposal, made, session.out, all_names=names)
    if form is not Form.GITHUB:
        write_result(text, to)
        return
    counts = proposal_counts(proposal)
    notice = f"{counts}; digest {made}"
    write_result(annotated(text, f"rollout {proposal.ask}: {counts}", (), notice=notice), to)
    summary = proposal_markdown(proposal, made, link=link)
    values = {"plan_sha": made, "changes": str(bool(proposal.concerned)).lower(), "exit": "0"}
    tell_github(os.environ, summary=summary, values=values)


def refuse_choices(file: Path, source: api.Source, *others: object) -> None:
    """A proposal has its devices, and nothing to be compared with.

    Raises:
        PlanError: the command line says more.
    """
    if source != api.Source() or any(others):
        message = f"`{file}` is a saved retry or rollback: its devices are chosen already"
        hint = "nothing but `--format` and `-o` goes with it; make another one for other devices"
        raise PlanError(message, hint=hint, code="P304")


def _body(session: Session, proposal: Proposal) -> str:
    """What will be done; on GitHub folded, and nothing in it is a command there."""
    body = proposal_body(proposal, digest(proposal), session.err)
    if session.pipeline is not Pipeline.GITHUB:
        return f"{body}\n"
    return annotated(body, f"{proposal.ask}: {proposal_counts(proposal)}", ())


def carry_out(
    session: Session, proposal: Proposal, *, yes: bool, events: str | None, wait: bool
) -> int:
    """Does what was reviewed, by the verb itself, where it would still be just that.

    Raises:
        StalePlanError: it would be something else now.
        OrchestratorError: as the verb.
    """
    request = api.request_of(proposal)
    if request.ask is Ask.RETRY:  # before anybody is asked
        api.require_role(session.settings, "retry")
    wait_for(api.refuse_stale_proposal(session.settings, proposal))
    if not session.quiet:
        say(_body(session, proposal))
    confirm_devices(session, request.ask.capitalize(), len(proposal.concerned), yes=yes)
    return ask(session, request, events=events, wait=wait)
