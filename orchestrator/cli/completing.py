"""What a shell offers behind a command: hosts, groups, rollouts, waves, plans, codes and formats.

The options that stand in the line already count: `-C`, `--config`, `--state`, `-i`, the rollout.
Nothing is offered that a shell or a terminal could take for more than a name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from textwrap import shorten

import typer

SAID_CHARS_MAX = 50  # beside a name; more would be broken into lines, which zsh takes for names
_NAME = re.compile(r"[\w.@%+/=:-]+")
_TERM = re.compile(r"^(?:.*[,:])?[!&]?")  # of a pattern, all before the name that is typed


def rollouts(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of rollouts, the newest first, each with what it is."""
    from orchestrator.api.completing import known_rollouts

    place = _Place.of(context)
    found = () if place is None else known_rollouts(place.settings)
    return [(name, said) for name, said in found if _fits(name, incomplete)]


def devices(context: typer.Context, incomplete: str) -> list[str]:
    """The devices of the rollout in the line."""
    from orchestrator.api.completing import known_devices

    place = _Place.of(context)
    found = () if place is None else known_devices(place.settings, place.rollout)
    return [name for name in found if _fits(name, incomplete)]


def waves(context: typer.Context, incomplete: str) -> list[str]:
    """The waves of the rollout in the line."""
    from orchestrator.api.completing import known_waves

    place = _Place.of(context)
    found = () if place is None else known_waves(place.settings, place.rollout)
    return [name for name in found if _fits(name, incomplete)]


def hosts(context: typer.Context, incomplete: str) -> list[str]:
    """Hosts and groups; in a pattern (`web,!gw`) the last of its names."""
    start = _TERM.match(incomplete)
    assert start is not None, "it matches everything"
    before = start[0]
    return [f"{before}{name}" for name in _names(context) if _fits(name, incomplete[len(before) :])]


def variables(context: typer.Context, incomplete: str) -> list[str]:
    """The variables of the device in the line."""
    from orchestrator.api.completing import known_variables
    from orchestrator.api.values import Source

    place, host = _Place.of(context), context.params.get("name")
    if place is None or not isinstance(host, str):
        return []
    found = known_variables(place.settings, Source(inventory=place.inventory), host)
    return [name for name in found if _fits(name, incomplete)]


def groupings(context: typer.Context, incomplete: str) -> list[str]:
    """By what a fleet can be grouped: what a device says of itself, and labels."""
    from orchestrator.api.completing import known_labels
    from orchestrator.api.values import Source

    place = _Place.of(context)
    if place is None:
        return []
    found = known_labels(place.settings, Source(inventory=place.inventory))
    every = dict.fromkeys(("version", "hardware", *found))
    return [name for name in every if _fits(name, incomplete)]


def lab_devices(context: typer.Context, incomplete: str) -> list[str]:
    """The devices of the lab that was started here."""
    from orchestrator.api.completing import known_hosts
    from orchestrator.api.values import Source

    place = _Place.of(context)
    if place is None:
        return []
    inventory = place.directory / ".rollout/lab/inventory.yml"
    found = known_hosts(place.settings, Source(inventory=(str(inventory),)))
    return [name for name in found if _fits(name, incomplete)]


def plans(context: typer.Context, incomplete: str) -> list[str]:
    """Plans and saved plans."""
    return _files(context, incomplete)


def saved_plans_or_rollouts(context: typer.Context, incomplete: str) -> list[str | tuple[str, str]]:
    """Saved plans, then rollouts."""
    return [*_files(context, incomplete, saved_only=True), *rollouts(context, incomplete)]


def plans_or_rollouts(context: typer.Context, incomplete: str) -> list[str | tuple[str, str]]:
    """Rollouts, then plans."""
    return [*rollouts(context, incomplete), *_files(context, incomplete)]


def codes(incomplete: str) -> list[tuple[str, str]]:
    """Codes of findings, failures and exits, each with what it means."""
    from orchestrator.api.explaining import explanations

    return [
        (each.code, shorten(each.meaning.replace("`", ""), SAID_CHARS_MAX, placeholder=" ..."))
        for each in explanations()
        if _fits(each.code, incomplete)
    ]


def schemas(incomplete: str) -> list[str]:
    """Formats that have a schema."""
    from orchestrator.api.schemas import schema_names

    return [name for name in schema_names() if _fits(name, incomplete)]


class _Place:
    """Where a command would work, by the options that were typed so far."""

    def __init__(self, context: typer.Context) -> None:
        from orchestrator.cli.config import Flags, load
        from orchestrator.cli.config_keys import absolute

        said = {**context.find_root().params, **_given(context.params)}
        self.directory = Path.cwd() / (said.get("directory") or "")
        config = said.get("config")
        file = None if config is None else self.directory / config
        flags = Flags(state=said.get("state"), config=file)
        self.settings = load(flags, os.environ, self.directory).settings
        sources = said.get("inventory") or ()
        self.inventory = tuple(absolute(text, self.directory) for text in sources)
        # behind an option without its value, words are left as they were
        self.rollout = said.get("rollout") or next(iter(context.args), None)

    @classmethod
    def of(cls, context: typer.Context) -> _Place | None:
        """None where the configuration is wrong, which the command itself will say."""
        from orchestrator.errors import OrchestratorError

        try:
            return cls(context)
        except (OrchestratorError, OSError, ValueError):
            return None


def _given(params: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in params.items() if value}


def _names(context: typer.Context) -> Iterable[str]:
    from orchestrator.api.completing import known_names
    from orchestrator.api.values import Source

    place = _Place.of(context)
    return () if place is None else known_names(place.settings, Source(inventory=place.inventory))


def _files(context: typer.Context, incomplete: str, *, saved_only: bool = False) -> list[str]:
    from orchestrator.api.completing import known_plans

    said = {**context.find_root().params, **_given(context.params)}
    directory = Path.cwd() / (said.get("directory") or "")
    found = known_plans(directory, incomplete, saved_only=saved_only)
    return [name for name in found if _fits(name, incomplete)]


def _fits(name: str, incomplete: str) -> bool:
    return name.startswith(incomplete) and _NAME.fullmatch(name) is not None
