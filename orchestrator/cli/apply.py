"""`rollout apply`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import plans
from orchestrator.cli.confirm import confirm_devices
from orchestrator.cli.findings import say_findings
from orchestrator.cli.joining import take_in
from orchestrator.cli.metering import meter_of
from orchestrator.cli.options import (
    Common,
    EventsOption,
    MetricsFileOption,
    SourceOptions,
    TracesOption,
    WaitOption,
    command,
)
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session, source_of, start
from orchestrator.cli.streams import say
from orchestrator.cli.survey import (
    before_it_begins,
    say_circle,
    say_frozen,
    say_under_way,
    survey_line,
)
from orchestrator.cli.tracing import with_traces
from orchestrator.errors import ExitCode

if TYPE_CHECKING:
    from orchestrator.cli.driving import Work

app = typer.Typer()


@command(
    app,
    examples="""
rollout apply plans/gateway.yml -i inventory/
rollout apply gateway.plan --yes --events events.jsonl
rollout apply back.plan --yes  # what rollout rollback --out saved
""",
)
def apply(  # noqa: PLR0913  each is an option of the command line
    plan: Annotated[
        Path,
        typer.Argument(metavar="PLAN", help="A plan, or what --out saved.", autocompletion=plans),
    ],
    *,
    common: Common,
    source: SourceOptions,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")] = False,
    wait: WaitOption = False,
    events: EventsOption = None,
    metrics_file: MetricsFileOption = None,
    traces: TracesOption = False,
) -> int:
    """Roll a plan out, wave by wave; goes on with its rollout if one is under way.

    Where another process drives that, it is joined: followed to its end as by `rollout watch`, and
    driven here only if that process dies. Ctrl-C then leaves it to the other one. A rollout that a
    person paused, before or meanwhile, stays so until `rollout resume`: who and why is said, devices
    at work are seen to their end, and it ends with 7; where keys are served it stays for those.

    Devices that joined the fleet meanwhile join its last wave where the plan says
    `late_joiners: append`.

    Shows the preview first and asks for the number of devices. On a terminal keys pause, halt and
    show what is slow or failed; `?` helps. Ctrl-C once: devices in flight
    finish and the rollout is saved; twice: leaves at once. `rollout apply` again goes on.
    A saved retry or rollback is carried out by that verb, where it would still do the same.
    Where only approvals, windows, freezes or a person's pause are left it ends with 7, unless told
    to wait.
    """
    from orchestrator.cli.driving import staying, watch

    session = with_traces(start(common), traces)
    if (proposal := api.proposal_in(plan)) is not None:
        from orchestrator.cli.proposing import carry_out, refuse_choices

        refuse_choices(plan, source_of(source), metrics_file)
        return carry_out(session, proposal, yes=yes, events=events, wait=wait)
    api.require_role(session.settings, "apply")  # before devices or people are asked
    request = api.PlanRequest(plan, source_of(source))
    with before_it_begins(session, "nothing was started, and no device was changed"):
        prepared = wait_for(api.prepare(session.settings, request, survey_line(session)))
        if prepared.continues is None:
            if prepared.saved:  # before anybody is asked; `api.apply` looks once more
                api.refuse_stale(session.settings, prepared)
            if not prepared.preview.has_changes:
                return _nothing_to_do(session, prepared)
            _agree(session, prepared, yes=yes)
    if prepared.continues is not None:
        say_under_way(session, prepared)
        take_in(session, prepared, yes=yes)
    stay = staying(session, events, wait=wait)
    meter = meter_of(session, metrics_file)
    return watch(session, _work(session, prepared, stay), events=events, stay=stay, meter=meter)


def _agree(session: Session, prepared: api.Prepared, *, yes: bool) -> None:
    """Shows what will be done, and asks for it."""
    api.refuse_uncommitted(session.settings, prepared)
    api.refuse_unevidenced(session.settings, prepared)
    say_findings(session, prepared.findings)
    say_frozen(session)
    say_circle(session, prepared)
    if not session.quiet:
        say(_shown(session, prepared))
    confirm_devices(session, "Apply", prepared.preview.update_count, yes=yes)


def _shown(session: Session, prepared: api.Prepared) -> str:
    """The preview; on GitHub folded, and nothing in it is a command there."""
    from orchestrator.render.folds import Pipeline
    from orchestrator.render.github import annotated
    from orchestrator.render.preview import body as preview_body
    from orchestrator.render.preview import counts_words

    body = preview_body(prepared.preview, prepared.digest, session.err)
    if session.pipeline is not Pipeline.GITHUB:
        return f"{body}\n"
    return annotated(body, f"preview: {counts_words(prepared.preview)}", ())


def _nothing_to_do(session: Session, prepared: api.Prepared) -> int:
    """Says so; what runs is proven only once its rollout is over, and only where it was seen."""
    from orchestrator.render.summary import left_out_lines

    say("nothing to do: every device that can take part runs this artifact already")
    for line in left_out_lines(prepared.resolved, session.err):
        say(line)
    left = wait_for(api.unproven(session.settings, prepared))
    for rollout_id in left:
        say(f"but rollout {rollout_id} of it is not over: `rollout status {rollout_id}`")
    if left:
        return ExitCode.WAITING
    return ExitCode.PARTIAL if prepared.resolved.skipped else ExitCode.DONE


def _work(session: Session, prepared: api.Prepared, stay: api.Stay) -> Work:
    def work(observer: api.Observer, drain: asyncio.Event) -> Awaitable[api.Finished]:
        return api.apply(session.settings, prepared, observer=observer, drain=drain, stay=stay)

    return work
