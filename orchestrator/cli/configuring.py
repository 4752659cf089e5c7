"""`rollout config show`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.config import Config, Given
from orchestrator.cli.options import Common, Format, FormatOption, command
from orchestrator.cli.session import configuration
from orchestrator.cli.shown import show_result
from orchestrator.cli.streams import look_of
from orchestrator.render.configuration import (
    ConfigurationFacts,
    Said,
    Setting,
    configuration_document,
    configuration_text,
)

app = typer.Typer(help="Show the configuration in force.", no_args_is_help=True)
app.callback()(lambda: None)


@command(
    app,
    "show",
    examples="""
rollout config show
rollout config show --origin
ROLLOUT_STATE=other.db rollout config show --format json
""",
)
def show(
    *,
    common: Common,
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value was given, and what it outdid.")
    ] = False,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Print the configuration in force, as a file could hold it.

    Flags go before variables `ROLLOUT_*`, before the project's file, before your own, before
    defaults. Keys that nobody set and that have no default are left out. Passwords are not shown.
    """
    found = configuration(common)
    facts = _facts(found)
    text = configuration_text(facts, look_of(sys.stdout, found.color), origin=origin)
    return show_result(format, configuration_document(facts), text)


def _facts(config: Config) -> ConfigurationFacts:
    return ConfigurationFacts(
        project=str(config.settings.root),
        project_file=str(config.project_file) if config.project_file else None,
        user_file=str(config.user_file) if config.user_file else None,
        settings=_settings(config.given),
    )


def _settings(given: Mapping[str, Sequence[Given]]) -> list[Setting]:
    return [Setting(key, [_said(key, one) for one in each]) for key, each in given.items()]


def _said(key: str, one: Given) -> Said:
    value = api.shown_state(str(one.value)) if key == "state" else one.value
    return Said(value, one.source, one.where)
