"""Names that exist, for who types a command: of files and of the store, and of nothing else.

Laws:
1. No program is run, no server of an inventory and no device asked, nothing written, nothing
   decrypted. A store on a server is asked, for two seconds at most.
2. What cannot be read has no names; what is wrong with it is told by the command itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.api.project import inventory_sources
from orchestrator.errors import OrchestratorError

if TYPE_CHECKING:
    from orchestrator.api.values import Settings, Source
    from orchestrator.inventory.model import Inventory

FILES_MAX = 500  # a directory with more is no place of plans
HEAD_BYTES = 4096
_PLAN = re.compile(rb"^(?:waves|artifact):", re.MULTILINE)
_YAML = (".yml", ".yaml")
_UNREADABLE = (OrchestratorError, OSError, ValueError, LookupError, TypeError)


def known_rollouts(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Ids of the newest rollouts, each with what it is."""
    from orchestrator.store.glance import newest_rollouts

    try:
        rows = newest_rollouts(settings.state)
    except _UNREADABLE:
        return ()
    return tuple((run, f"{plan}: {state.replace('_', ' ')}") for run, plan, state in rows)


def known_devices(settings: Settings, rollout: str | None) -> tuple[str, ...]:
    """The devices of a rollout (its id or beginning; None: the newest)."""
    return _rollout(settings, rollout)[1]


def known_waves(settings: Settings, rollout: str | None) -> tuple[str, ...]:
    """The waves of a rollout, in their order."""
    try:
        waves = json.loads(_rollout(settings, rollout)[0])["waves"]
        return tuple(str(wave["name"]) for wave in waves)
    except (ValueError, LookupError, TypeError, RecursionError):
        return ()


def known_names(settings: Settings, source: Source) -> tuple[str, ...]:
    """Hosts and groups that the files of an inventory name."""
    from orchestrator.inventory.load import names_in_files

    try:
        sources = inventory_sources(settings, source)
        return names_in_files(sources, cwd=settings.root)
    except _UNREADABLE:
        return ()


def known_variables(settings: Settings, source: Source, host: str) -> tuple[str, ...]:
    """Variables that the files of an inventory give a device."""
    return tuple(sorted(_read(settings, source, lambda found: found.history(host))))


def known_labels(settings: Settings, source: Source) -> tuple[str, ...]:
    """Labels that the files of an inventory give any device."""

    def labels(found: Inventory) -> set[str]:
        return {label for host in found.host_names for label in found.labels(host)}

    return tuple(sorted(_read(settings, source, labels)))


def known_hosts(settings: Settings, source: Source) -> tuple[str, ...]:
    """Devices that the files of an inventory name, without its groups."""
    return tuple(_read(settings, source, lambda found: found.host_names))


def _read(
    settings: Settings, source: Source, what: Callable[[Inventory], Iterable[str]]
) -> Iterable[str]:
    from orchestrator.inventory.load import inventory_in_files

    try:
        return what(inventory_in_files(inventory_sources(settings, source), cwd=settings.root))
    except _UNREADABLE:
        return ()


def known_plans(directory: Path, typed: str, *, saved_only: bool = False) -> tuple[str, ...]:
    """Plans, and saved ones, where the typed path leads and one directory below it."""
    folder = typed.rpartition("/")[0]
    start = f"{folder}/" if folder or typed.startswith("/") else ""
    try:
        found = list(_plans(directory / start, saved_only=saved_only))
    except OSError:
        return ()
    return tuple(f"{start}{path}" for path in sorted(found))


def _rollout(settings: Settings, rollout: str | None) -> tuple[bytes, tuple[str, ...]]:
    from orchestrator.store.glance import plan_and_devices

    try:
        return plan_and_devices(settings.state, rollout)
    except _UNREADABLE:
        return b"{}", ()


def _plans(place: Path, *, saved_only: bool) -> Iterator[Path]:
    for path in _entries(place):
        below = _entries(path) if path.is_dir() and not path.name.startswith(".") else [path]
        for file in below:
            if file.suffix == ".plan" or (not saved_only and _is_plan(file)):
                yield file.relative_to(place)


def _entries(place: Path) -> list[Path]:
    return [path for path, _ in zip(place.iterdir(), range(FILES_MAX), strict=False)]


def _is_plan(file: Path) -> bool:
    if file.suffix not in _YAML or not file.is_file():  # nothing is read that could block
        return False
    try:
        with file.open("rb") as opened:
            return _PLAN.search(opened.read(HEAD_BYTES)) is not None
    except OSError:
        return False
