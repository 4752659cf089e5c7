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

    Those without an engine go on with `rollout reconcile --once`, each by itself with
    `rollout resume`.
    """
    session = start(common)
    found = wait_for(api.unfreeze(session.settings, reason=reason))
    if found is None:
        say("nothing was frozen")
        return ExitCode.DONE
    say("no rollout is frozen any more")
    say("next: `rollout reconcile --once` drives those that no engine does")
    return ExitCode.DONE
