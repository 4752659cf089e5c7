"""`rollout init`."""

from __future__ import annotations

import shlex
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

# On the lab; the test of this page runs these lines as they are printed.
FIRST_STEPS = """\
rollout key generate release.key
rollout artifact build directory app --dest /opt/app --name app-1.0 -t lab \
--key release.key -o releases/app-1.0.mender
rollout lab up --key release.key.pub
rollout preview plans/example.yml -i .rollout/lab/inventory.yml
rollout apply plans/example.yml -i .rollout/lab/inventory.yml
"""


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

    An example application, a plan, an inventory, the schemas of both for editors, a
    configuration, and pipelines for GitHub and GitLab. Nothing that exists is overwritten.
    """
    session = start(common)
    written = api.init(target)
    write_result("".join(f"{escape(str(path))}\n" for path in written), None)
    if not session.quiet:
        say(_next(target))
    return ExitCode.DONE


def _next(target: Path) -> str:
    """The way from here to a first rollout on a local fleet."""
    there = [] if target == Path() else [f"cd {shlex.quote(str(target))}"]
    steps = [*there, *FIRST_STEPS.splitlines()]
    return "next, on a local fleet:\n" + "\n".join(f"  {escape(step)}" for step in steps)
