"""`rollout state migrate | export | backup`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, Output, RolloutArgument, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import start
from orchestrator.cli.streams import put, say, write_file
from orchestrator.errors import ExitCode
from orchestrator.render.shown import migrated_text

app = typer.Typer(help="Migrate, export and back up the state store.", no_args_is_help=True)


@command(
    app,
    "migrate",
    examples="""
rollout state migrate
rollout --state postgresql://rollout@db.example.net/rollout state migrate
""",
)
def migrate(*, common: Common) -> int:
    """Bring the state store to this version's schema; may be run again, by many at once.

    A file is migrated when it is opened. A PostgreSQL database waits for this command: stop the
    controllers of older versions first. There is no way back, so make a backup before.
    """
    session = start(common)
    api.require_role(session.settings, "state migrate")
    done = api.state_migrate(session.settings)
    put(migrated_text(done.place, done.before, done.after, session.out))
    return ExitCode.DONE


@command(
    app,
    "export",
    examples="""
rollout state export r-7f3a -o r-7f3a.jsonl
rollout state export --all > rollouts.jsonl
""",
)
def export(
    rollout: RolloutArgument = None,
    *,
    common: Common,
    output: Output,
    all: Annotated[bool, typer.Option("--all", help="Every rollout, then all acts.")] = False,  # noqa: A002
) -> int:
    """Write a rollout as JSON lines: its plan, its snapshot, its journal, and a checksum.

    The file can be verified without this program (docs/reference/state.md).
    """
    if all and rollout is not None:
        message = "a rollout or --all, not both"
        raise typer.BadParameter(message, param_hint="--all")
    settings = start(common).settings
    api.require_role(settings, "state export")
    lines = api.state_export_all(settings) if all else api.state_export(settings, rollout)
    wait_for(_write(lines, output.output))
    return ExitCode.DONE


async def _write(lines: AsyncIterator[str], target: Path | None) -> None:
    if target is not None:
        write_file(target, "".join([line async for line in lines]).encode())
        return
    async for line in lines:
        if not put(line, at_once=False):
            return
    put("")


@command(
    app,
    "backup",
    examples="""
rollout state backup /backup/rollout-state.db
""",
)
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; must not exist yet.")],
    *,
    common: Common,
) -> int:
    """Make a consistent copy of the state store, also while rollouts run.

    A SQLite file is copied and checked; for PostgreSQL `pg_dump` is run, or its command shown
    where it is not installed.
    """
    settings = start(common).settings
    api.require_role(settings, "state backup")
    api.state_backup(settings, file)
    say(f"wrote {file}")
    return ExitCode.DONE
