"""Programs that list inventories: Ansible's dynamic scripts, and `ansible-inventory` for plug-ins.

Laws:
1. A program runs only if the operator's own configuration names its real path: a preview of
   somebody's change must not run code of that change.
2. It gets `PATH`, `LC_ALL`, `HOME` and what the configuration lets through, no more.
3. One deadline and one limit of output hold for everything that is asked of a source.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.inventory.listed import META, ListingError, parse
from orchestrator.inventory.own_loop import waited
from orchestrator.outward.command import Commands
from orchestrator.outward.failure import OutwardError

ANSIBLE_INVENTORY = "ansible-inventory"
_DEADLINE_S = 120.0  # a cloud's API with some thousand machines takes half a minute
_OUTPUT_BYTES_MAX = 64 * 1024 * 1024  # as much as a file may have
_ANSIBLE = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true", "ANSIBLE_NOCOLOR": "1"}


class ProgramError(Exception):
    """A program that may not run, failed or listed nothing sensible; `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Programs:
    """The programs that may be run, by their real paths, and the variables they get."""

    allowed: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run_script(self, path: Path) -> bytes:
        """What a script lists, with the variables of every host under `_meta`.

        Raises:
            ProgramError: it is not allowed, failed, ran out of time, or printed no listing.
        """
        program = path.resolve()
        if program not in self.allowed:
            hint = f"name it in `inventory_programs` of your own configuration: `{program}`"
            raise ProgramError("an inventory script, which is run only where you allow it", hint)
        ends = time.monotonic() + _DEADLINE_S
        data = self._run([str(program), "--list"], ends, {})
        listing = _parsed(data)
        if META in listing:
            return data
        hostvars = {
            host: _parsed(self._run([str(program), "--host", host], ends, {}))
            for host in _hosts_of(listing)
        }
        return json.dumps({**listing, META: {"hostvars": hostvars}}).encode()

    def run_plugin(self, path: Path) -> bytes:
        """What Ansible makes of a file that configures one of its plug-ins.

        Raises:
            ProgramError: as `run_script`.
        """
        found = [one for one in self.allowed if one.name == ANSIBLE_INVENTORY]
        if not found:
            hint = (
                f"name the path of `{ANSIBLE_INVENTORY}` in `inventory_programs` of your own "
                "configuration, or write the inventory out with `--list --yaml --output FILE`"
            )
            message = "a configuration of an inventory plugin, which only Ansible can read"
            raise ProgramError(message, hint)
        words = [str(found[0]), "--list", "-i", str(path.resolve())]
        return self._run(words, time.monotonic() + _DEADLINE_S, _ANSIBLE)

    def _run(self, words: Sequence[str], ends: float, told: Mapping[str, str]) -> bytes:
        commands = Commands(
            (words[0],), {**self.environment, **told}, output_bytes_max=_OUTPUT_BYTES_MAX
        )
        left_s = max(ends - time.monotonic(), 0.0)

        try:
            code, output = waited(lambda: commands.run(words, deadline_s=left_s))
        except OutwardError as error:
            raise ProgramError(str(error)) from error
        if code != 0:
            hint = f"run it by hand: `{' '.join(words)}`"
            raise ProgramError(f"it ended with exit code {code}", hint)
        return output


NONE = Programs()  # runs nothing


def allowed_programs(
    paths: Sequence[str], variables: Sequence[str], environment: Mapping[str, str]
) -> Programs:
    """From the configuration: paths of programs, and names of variables that are let through."""
    names = {"HOME", *variables}
    told = {name: environment[name] for name in sorted(names) if name in environment}
    return Programs(tuple(Path(os.path.realpath(path)) for path in paths), told)


def _parsed(data: bytes) -> dict[str, object]:
    try:
        return dict(parse(data))
    except ListingError as error:
        raise ProgramError(str(error), "it prints what Ansible's scripts print") from error


def _hosts_of(listing: Mapping[str, object]) -> list[str]:
    found: dict[str, None] = {}
    for content in listing.values():
        hosts = content.get("hosts", []) if isinstance(content, dict) else content
        if isinstance(hosts, list):
            found.update(dict.fromkeys(name for name in hosts if isinstance(name, str)))
    return list(found)
