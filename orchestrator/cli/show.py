"""`rollout show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import saved_plans_or_rollouts
from orchestrator.cli.forms import Form
from orchestrator.cli.options import Common, Output, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import start
from orchestrator.cli.streams import say_folded
from orchestrator.errors import ExitCode

app = typer.Typer()


@command(
    app,
    examples="""
rollout show gateway.plan
rollout show r-7f3a -v
rollout show r-7f3a --format markdown -o plan.md
""",
)
def show(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE.plan|ROLLOUT]",
            help="What --out saved, or a rollout by its id or its beginning; the newest if left out.",
            autocompletion=saved_plans_or_rollouts,
        ),
    ] = None,
    *,
    common: Common,
    output: Output,
    format: Annotated[  # noqa: A002
        Form, typer.Option("--format", help="How the plan is shown.")
    ] = Form.TEXT,
) -> int:
    """Show a saved plan, or that of a rollout, as `preview` showed it.

    Neither plan file, inventory, artifact nor devices are looked at: it is what was decided when
    the plan was made, which is said on stderr. `rollout status` shows what became of a rollout.
    """
    from orchestrator.cli.preview_forms import show_preview
    from orchestrator.render.words import made_words

    session = start(common)
    if what is not None and (proposal := api.proposal_in(Path(what))) is not None:
        from orchestrator.cli.proposing import show_proposal

        show_proposal(session, proposal, format, output.output)
        return ExitCode.DONE
    shown = wait_for(api.plan_shown(session.settings, what))
    show_preview(session, shown.prepared, format, output.output, ExitCode.DONE)
    if not session.quiet:
        of = f"plan of rollout {shown.rollout_id}" if shown.rollout_id else f"saved plan {what}"
        plan = shown.prepared.resolved
        words = made_words(of, plan.made_at, plan.tool_version, shown.joined_count)
        say_folded(words, session.err)
    return ExitCode.DONE
