"""`rollout events`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator import __version__, api
from orchestrator.cli.options import Common, RolloutArgument, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session, start
from orchestrator.cli.streams import put
from orchestrator.errors import ExitCode

app = typer.Typer()


class Form(StrEnum):
    """JSON lines for programs, text for people."""

    JSONL = "jsonl"
    TEXT = "text"


@command(
    app,
    examples="""
rollout events --format text
rollout events r-7f3a --since 120 --follow
""",
)
def events(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    since: Annotated[
        int, typer.Option("--since", metavar="SEQ", min=0, help="Only entries after this number.")
    ] = 0,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for more until the rollout ends.")
    ] = False,
    format: Annotated[Form, typer.Option("--format", help="jsonl or text.")] = Form.JSONL,  # noqa: A002
) -> int:
    """Print a rollout's journal: everything that happened, in order.

    The first line of jsonl names the format's version; every further line is one entry with a
    gapless `seq`, so `--since` goes on where another reading ended. What hooks were told follows
    the journal; those lines have no `seq`.
    """
    session = start(common)
    wait_for(_print(session, rollout, since, follow, format))
    return ExitCode.DONE


async def _print(
    session: Session, rollout: str | None, since: int, follow: bool, form: Form
) -> None:
    from orchestrator.render.board import Board
    from orchestrator.render.documents import delivery_line, event_line, events_head
    from orchestrator.render.hooks import hook_lines
    from orchestrator.render.lines import Detail, Lines

    status = await api.status(session.settings, rollout)
    run = status.rollout_id
    if form is Form.JSONL:
        read = put(events_head(run, __version__, status.digest), at_once=follow)
        async for entry in api.journal(session.settings, run, since=since, follow=follow):
            read = read and put(event_line(entry, run), at_once=follow)
            if not read:
                return
        for made in await api.deliveries(session.settings, run):
            put(delivery_line(made, run))
        put("")
        return
    lines = Lines(Board(status.resolved, run), session.out, detail=Detail.EVERYTHING)
    async for entry in api.journal(session.settings, run, since=0, follow=follow):
        shown = lines.take((entry,))
        if entry.seq > since and not put("".join(f"{line}\n" for line in shown)):
            return
    for line in hook_lines(await api.deliveries(session.settings, run)):
        put(f"{line}\n")
