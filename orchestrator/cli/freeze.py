"""`rollout freeze`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import start
from orchestrator.cli.streams import say
from orchestrator.errors import ExitCode
from orchestrator.render.words import frozen_words

app = typer.Typer()


@command(
    app,
    examples="""
rollout freeze --reason 'incident 4711'
rollout freeze --until 2027-01-02T06:00+01:00 --reason 'holidays'
rollout freeze --until 12h --reason 'network work'
""",
)
def freeze(
    *,
    common: Common,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for everybody.")],
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="When it ends: a time with zone, or as 12h."),
    ] = None,
) -> int:
    """Pause every rollout of the state store; nothing starts until `rollout unfreeze`.

    Devices in flight finish, and rollbacks go on. Another freeze takes the place of the first.
    """
    session = start(common)
    found = wait_for(api.freeze(session.settings, reason=reason, until=until))
    say(frozen_words(found))
    return ExitCode.DONE
