"""`rollout explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import codes as complete_codes
from orchestrator.cli.options import Common, Format, FormatOption, command
from orchestrator.cli.session import start
from orchestrator.cli.shown import show_result
from orchestrator.render.codes import codes_document, codes_text

app = typer.Typer()


@command(
    app,
    examples="""
rollout explain P203
rollout explain check_failed 5
rollout explain
""",
)
def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE]...",
            help="As P203, check_failed or 5; all where none is named.",
            autocompletion=complete_codes,
        ),
    ] = None,
    *,
    common: Common,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Say what a code means, from the reference pages.

    Of an error or a warning (P203), of a failure of a device (check_failed), or an exit code (5).
    Without one all are listed.
    """
    session = start(common)
    found = tuple(map(api.explain, codes)) if codes else api.explanations()
    text = codes_text(found, session.out, in_full=bool(codes))
    return show_result(format, codes_document(found), text)
