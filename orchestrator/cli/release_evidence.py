"""`rollout release evidence`: a bundle for whoever audits a release, made or verified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import rollouts
from orchestrator.cli.options import Common, Format, FormatOption
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import start
from orchestrator.cli.shown import show_result
from orchestrator.errors import ExitCode
from orchestrator.render.bundle import bundle_document, bundle_text

EXAMPLES = """
rollout release evidence --cra r-7f3a --out r-7f3a.tar
rollout release evidence --cra app-2.mender --out app-2.tar
rollout release evidence --verify r-7f3a.tar --root root-1.txt
"""


def evidence(  # noqa: PLR0913  each is an option of the command line
    about: Annotated[
        str | None,
        typer.Argument(
            metavar="[RELEASE|ROLLOUT]",
            autocompletion=rollouts,
            help="An artifact or ticket, or a rollout; the newest rollout if unset.",
        ),
    ] = None,
    *,
    common: Common,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="The bundle to write.")
    ] = None,
    cra: Annotated[
        bool, typer.Option("--cra", help="All that the Cyber Resilience Act's file asks for.")
    ] = False,
    verify: Annotated[
        Path | None, typer.Option("--verify", metavar="FILE", help="Judge a bundle instead.")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="ROOT", help="The fleet's trust root, to verify with."),
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Write one file with all that shows how a release came to devices, or verify one.

    Plan, approvals, ticket and root, SBOM, VEX, provenance, results of each device, the journal as it
    proves itself and its checkpoints, with an index. With --cra the exit code is 1 when a part is
    missing; what is missing is said in any case. --verify ends with 0 when everything in it holds.
    """
    session = start(common)
    if verify is not None:
        if about is not None or out is not None:
            message = "--verify FILE stands alone"
            raise typer.BadParameter(message, param_hint="--verify")
        facts = api.bundle_verify(session.settings, verify, root)
        refused = not facts.holds or (cra and bool(facts.missing))
    else:
        if out is None:
            message = "say where the bundle goes: --out FILE"
            raise typer.BadParameter(message, param_hint="--out")
        api.require_role(session.settings, "release evidence")
        facts = wait_for(api.release_bundle(session.settings, about, out))
        refused = cra and bool(facts.missing)
    show_result(format, bundle_document(facts), bundle_text(facts, session.out))
    return ExitCode.REFUSED if refused else ExitCode.DONE
