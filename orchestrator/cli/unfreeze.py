"""`rollout unfreeze`."""

from __future__ import annotations

import typer

from orchestrator import api
from orchestrator.cli.options import Common, WhyOption, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import start
from orchestrator.cli.streams import say
from orchestrator.errors import ExitCode

app = typer.Typer()


@command(
    app,
    examples="""
rollout unfreeze
rollout unfreeze --reason 'incident 4711 is over'
""",
)
def unfreeze(*, common: Common, reason: WhyOption = "") -> int:
    """Let the rollouts go on that `rollout freeze` paused.

    Those without an engine go on with `rollout resume` or `rollout apply`.
    """
    session = start(common)
    found = wait_for(api.unfreeze(session.settings, reason=reason))
    say("no rollout is frozen any more" if found else "nothing was frozen")
    return ExitCode.DONE
