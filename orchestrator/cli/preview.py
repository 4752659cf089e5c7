"""`rollout preview`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import plans
from orchestrator.cli.evidence import say_unevidenced
from orchestrator.cli.findings import say_findings
from orchestrator.cli.forms import Form
from orchestrator.cli.joining import say_joiners
from orchestrator.cli.options import Common, Output, SourceOptions, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import source_of, start
from orchestrator.cli.streams import say, say_folded, write_file
from orchestrator.cli.survey import (
    before_it_begins,
    say_circle,
    say_frozen,
    say_under_way,
    survey_line,
)
from orchestrator.errors import ExitCode, OrchestratorError
from orchestrator.render.text import escape

app = typer.Typer()
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
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", help="A plan, or a saved plan.", autocompletion=plans)
    ],
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
    from orchestrator.cli.preview_forms import show_preview, show_refusal
    from orchestrator.cli.saving import refuse_itself, refuse_other

    session = start(common)
    refuse_itself(plan, output.output)
    if (proposal := api.proposal_in(plan)) is not None:
        from orchestrator.cli.proposing import refuse_choices, show_proposal

        refuse_choices(plan, source_of(source), options.out, options.diff)
        show_proposal(session, proposal, format, output.output)
        return ExitCode.DONE
    refuse_other(options.out)
    request = api.PlanRequest(plan, source_of(source), options.offline, options.diff)
    try:
        with before_it_begins(session, "there is no preview, and nothing was changed"):
            prepared = wait_for(api.prepare(session.settings, request, survey_line(session)))
    except OrchestratorError as error:
        # 2 would read as "changes"
        left = ExitCode.REFUSED if options.detailed_exitcode else error.exit_code
        show_refusal(session, plan, error, format, output.output, left)
        raise
    if options.out is not None:
        write_file(options.out, prepared.saved_file)
    changes = prepared.preview.has_changes
    code = CHANGES if options.detailed_exitcode and changes else ExitCode.DONE
    show_preview(session, prepared, format, output.output, code)
    if format is not Form.GITHUB:  # they are annotations; a runner takes commands from stderr, too
        say_findings(session, prepared.findings)
    if not session.quiet:
        say_joiners(prepared)
    if prepared.uncommitted is not None:
        why = prepared.uncommitted
        say(f"`rollout apply` would refuse this: {escape(why.message)} ({why.code})")
    say_unevidenced(session, prepared)
    say_frozen(session)
    say_circle(session, prepared)
    say_under_way(session, prepared)
    if options.out is not None and not session.quiet:
        saved = f"saved {options.out} (sha256:{prepared.digest})"
        say_folded(f"{saved}; `rollout apply {options.out}` runs exactly this", session.err)
    return code
