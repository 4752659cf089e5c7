"""`rollout device adopt | root | check | facts | unhold | attest`; the others are in `enrolling`, `bundling` and `access`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli import access, bundling, enrolling
from orchestrator.cli.completing import hosts
from orchestrator.cli.confirm import confirm_devices
from orchestrator.cli.device_answers import PatternArgument, YesOption, ask_all
from orchestrator.cli.options import (
    Common,
    Format,
    FormatOption,
    InventoryOptions,
    SourceOptions,
    command,
)
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import source_of, start
from orchestrator.cli.streams import say
from orchestrator.errors import ExitCode

app = typer.Typer(help="Enrol, release, check and look at devices.", no_args_is_help=True)
app.add_typer(enrolling.app)
app.add_typer(bundling.app)
app.add_typer(access.app)


@command(
    app,
    "adopt",
    examples="""
rollout device adopt all --yes
rollout device adopt gateways --component modem
""",
)
def adopt(
    pattern: PatternArgument,
    *,
    common: Common,
    source: SourceOptions,
    component: Annotated[
        str, typer.Option("--component", metavar="NAME", help="Part of the device.")
    ] = "main",
    yes: YesOption = False,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Make devices serve this project instead of another one, or of a lost state store."""
    session = start(common)
    chosen = source_of(source)
    names = api.hosts(session.settings, pattern, chosen).names
    confirm_devices(session, "Adopt", len(names), yes=yes)
    return ask_all(
        session,
        format,
        lambda on: api.device_adopt(session.settings, pattern, chosen, on, component),
    )


@command(
    app,
    "root",
    examples="""
rollout device root all root.2.txt
rollout device root gateways root.2.txt root.3.txt -i inventory/
""",
)
def root(
    pattern: PatternArgument,
    roots: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Roots; signatures in FILE.sig.")
    ],
    *,
    common: Common,
    source: SourceOptions,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Give devices the trust roots that follow the one they have.

    A device takes the next version only, and only if enough root keys of both versions signed it;
    so name every version that it may lack. The first root comes with `device enroll`.
    """
    session = start(common)
    chosen = source_of(source)
    return ask_all(
        session,
        format,
        lambda on: api.device_root(session.settings, pattern, chosen, roots, on),
        with_facts=True,
    )


@command(
    app,
    "check",
    examples="""
rollout device check all -i inventory/
rollout device check gw-044
""",
)
def check(
    pattern: PatternArgument,
    *,
    common: Common,
    source: SourceOptions,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Check the way to devices: connection, host key, login, helper, space, state."""
    session = start(common)
    chosen = source_of(source)
    return ask_all(
        session, format, lambda on: api.device_check(session.settings, pattern, chosen, on)
    )


@command(
    app,
    "facts",
    examples="""
rollout device facts gw-001
rollout device facts all --format json
""",
)
def facts(
    pattern: PatternArgument,
    *,
    common: Common,
    source: SourceOptions,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show what devices say of themselves: type, artifact, state, helper, space."""
    session = start(common)
    chosen = source_of(source)
    return ask_all(
        session,
        format,
        lambda on: api.device_facts(session.settings, pattern, chosen, on),
        with_facts=True,
    )


@command(
    app,
    "unhold",
    examples="""
rollout device unhold gw-044 --reason 'modem replaced'
rollout device unhold 'gateways:&berlin' -i inventory/ --reason 'power is back'
""",
)
def unhold(
    patterns: Annotated[
        list[str],
        typer.Argument(
            metavar="PATTERN...", help="Names of devices, or host patterns.", autocompletion=hosts
        ),
    ],
    *,
    common: Common,
    inventory: InventoryOptions,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it may go again.")],
) -> int:
    """Let devices take part again that failed, were taken back or could not go back.

    Rollouts leave them out until then, or until a new artifact; see `held` in a preview. The name
    of a device needs no inventory; a pattern is looked up there.
    """
    session = start(common)
    source = source_of(SourceOptions(inventory.inventory, inventory.limit))
    found = {each: api.pattern_devices(session.settings, each, source) for each in patterns}
    devices = [name for names in found.values() for name in names]
    freed = wait_for(api.device_unhold(session.settings, devices, reason=reason))
    for each, names in found.items():
        of_each = [name for name in names if name in freed]
        for name in of_each:
            say(f"{name}: free again")
        if not of_each:
            say(f"{each}: {_none_held(names)}")
    return ExitCode.DONE


def _none_held(names: Sequence[str]) -> str:
    if len(names) == 1:
        return "was not held"
    return f"none of {len(names)} devices was held" if names else "no device matches"


@command(
    app,
    "attest",
    examples="""
rollout device attest all
rollout device attest gateways --out evidence/
""",
)
def attest(
    pattern: PatternArgument,
    *,
    common: Common,
    source: SourceOptions,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Keep reports and signatures there."),
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Ask devices what they run, signed with their host keys: evidence to show to others.

    A device without ssh-keygen cannot sign; its report is none.
    """
    session = start(common)
    chosen = source_of(source)
    return ask_all(
        session,
        format,
        lambda on: api.device_attest(session.settings, pattern, chosen, out, on),
        with_facts=True,
    )
