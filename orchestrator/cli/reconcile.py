"""`rollout reconcile`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.api.reconciling import PARALLEL_DEFAULT
from orchestrator.cli.controller import GitOptions, follow
from orchestrator.cli.driving import say_unsealed
from orchestrator.cli.metering import meter_of, metered
from orchestrator.cli.options import Common, MetricsFileOption, TracesOption, command, seconds
from orchestrator.cli.running import drive
from orchestrator.cli.session import Session, start
from orchestrator.cli.streams import put
from orchestrator.cli.tracing import traces as sending
from orchestrator.cli.tracing import with_traces
from orchestrator.errors import ExitCode
from orchestrator.render.standing import waits_words
from orchestrator.render.text import escape

EVERY_DEFAULT_S = 60.0
_WORST_FIRST = (
    ExitCode.NEEDS_HUMAN, ExitCode.USAGE, ExitCode.HALTED, ExitCode.ROLLED_BACK, ExitCode.STALE,
    ExitCode.REFUSED, ExitCode.PARTIAL, ExitCode.TERMINATED, ExitCode.INTERRUPTED, ExitCode.LOCKED,
    ExitCode.WAITING, ExitCode.DONE,
)  # fmt: skip

app = typer.Typer()


@command(
    app,
    examples="""
rollout reconcile --once
rollout reconcile --every 5m --parallel 8
rollout reconcile --interval 30s --git https://git.example.net/fleet.git --status status.json
rollout reconcile --interval 30s --git . --listen 127.0.0.1:9810
""",
)
def reconcile(  # noqa: PLR0913  each is an option of the command line
    *,
    common: Common,
    git: GitOptions,
    once: Annotated[bool, typer.Option("--once", help="One pass, then end.")] = False,
    every: Annotated[
        str | None,
        typer.Option(
            "--every",
            "--interval",
            metavar="TIME",
            help="From pass to pass; `reconcile_every`, or 60s.",
        ),
    ] = None,
    parallel: Annotated[
        int, typer.Option("--parallel", min=1, max=64, help="So many rollouts at once.")
    ] = PARALLEL_DEFAULT,
    metrics_file: MetricsFileOption = None,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="Serve /metrics and /healthz; 127.0.0.1 if no HOST.",
        ),
    ] = None,
    traces: TracesOption = False,
) -> int:
    """Advance every rollout that waits for time or approvals.

    One line for each. The exit code is the worst of theirs; a rollout that another engine drives
    counts as done, one that stays paused or halted until a person decides is not named. Without
    `--once` it goes on until Ctrl-C.

    With `--git` it follows a branch as well: it takes its commits as long as history only grows
    (and they are signed, where the configuration requires that), and applies the plans that
    changed. One process of a store does so at a time. `rollout freeze` suspends it.
    """
    session = with_traces(start(common), traces)
    every_s = session.settings.reconcile_every_s or EVERY_DEFAULT_S
    every_s = max(1.0, every_s if every is None else seconds(every, "--every"))

    meter = meter_of(session, metrics_file, listen, interval_s=every_s)
    if git.git is not None:
        standing = follow(session, common, git, every_s=every_s, once=once, meter=meter)
        return worst(map(ExitCode, standing.exit_codes)) if once else int(ExitCode.INTERRUPTED)
    if git != GitOptions():
        message = "says more of a branch, and `--git` names none"
        raise typer.BadParameter(message, param_hint="--branch, --plans, --checkout, ...")

    async def passes(drain: asyncio.Event) -> int:
        observe = api.observing(outlet, meter)
        while True:
            found = await api.reconcile(
                session.settings, drain=drain, parallel=parallel, observe=observe
            )
            _show(session, found)
            if meter is not None:
                meter.passed()
            if once:
                return worst(one.exit_code for one in found)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(drain.wait(), every_s)
            if drain.is_set():
                return int(ExitCode.INTERRUPTED)

    with sending(session) as outlet:
        return drive(metered(meter, passes))


def worst(codes: Iterable[ExitCode]) -> int:
    """The code that wants most attention; 0 where there is none."""
    return int(min(codes, key=_WORST_FIRST.index, default=ExitCode.DONE))


def _show(session: Session, found: Iterable[api.Reconciled]) -> None:
    for one in found:
        if not (session.quiet and one.exit_code is ExitCode.DONE):
            put(f"{line(one)}\n")
        say_unsealed(one.unsealed)


def line(one: api.Reconciled) -> str:
    """What is so of a rollout after a pass."""
    head = f"{one.rollout_id} {escape(one.plan_name)}".rstrip()
    if one.error:
        return f"{head}: not advanced: {escape(one.error)}"
    told = " and ".join(waits_words(one.waits_for, one.until))
    waits = f", waits for {told}" if told else ""
    driven = f" (driven by {escape(one.engine)})" if one.engine else ""
    return f"{head}: {one.state.replace('_', ' ')}{waits}{driven}"
