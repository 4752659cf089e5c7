"""`rollout init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, command
from orchestrator.cli.session import start
from orchestrator.cli.streams import say, write_result
from orchestrator.errors import ExitCode
from orchestrator.render.text import escape

app = typer.Typer()


@command(
    app,
    examples="""
rollout init my-fleet
cd my-fleet && rollout validate plans
""",
)
def init(
    target: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where to write it; made if missing.")
    ] = Path(),
    *,
    common: Common,
) -> int:
    """Write a small project to start from.

    An example plan, an inventory, the plan language's schema for editors, and a configuration.
    Nothing that exists is overwritten.
    """
    session = start(common)
    written = api.init(target)
    write_result("".join(f"{escape(str(path))}\n" for path in written), None)
    if not session.quiet:
        say("next: `rollout validate plans`, and `rollout lab up` for a fleet to try it on")
    return ExitCode.DONE
