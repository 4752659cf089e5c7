"""`rollout watch`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.completing import plans_or_rollouts
from orchestrator.cli.options import Common, EventsOption, command, seconds
from orchestrator.cli.session import start

app = typer.Typer()


@command(
    app,
    examples="""
rollout watch
rollout watch plans/gateway.yml
rollout watch r-7f3a --timeout 2h --events -
""",
)
def watch(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[PLAN|ROLLOUT]",
            help="Id or its beginning, or a plan; the newest rollout if left out.",
            autocompletion=plans_or_rollouts,
        ),
    ] = None,
    *,
    common: Common,
    timeout: Annotated[
        str | None,
        typer.Option("--timeout", metavar="DURATION", help="Watch for so long at most."),
    ] = None,
    events: EventsOption = None,
) -> int:
    """Follow a rollout that another terminal or machine drives; changes nothing.

    Shows what `apply` shows, what the rollout waits for, who drives it and what may be typed now.
    On a terminal keys ask of it what commands do: `p` pauses and resumes, `h` halts, `?` helps.
    Ends when the rollout is over, with the exit code that `apply` would give; a halted or paused
    one goes on being watched. Ctrl-C ends the watching only.

    When the time is over first, the exit code is that of the present state: 7 while the rollout is
    under way or paused, 4 or 5 where it is halted.
    """
    from orchestrator.cli.driving import look_on

    session = start(common)
    timeout_s = None if timeout is None else seconds(timeout, "--timeout")
    return look_on(session, what, events=events, timeout_s=timeout_s)
