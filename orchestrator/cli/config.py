"""Configuration: flags > `ROLLOUT_*` > `rollout.toml` of the project > the user's file > defaults.

Laws:
1. The project's file comes from git, so it grants no power: keys in `POWER_KEYS`, and a state URL
   with a password, are errors there, and so they are in any file of its repository, whoever
   named it. Files that say whom to trust (`TRUST_FILES`, and known hosts with authorities) do
   not lie there either, nor in another work tree of it.
2. Unknown keys are errors with a did-you-mean, in both files.
3. Paths in a file are relative to that file, paths in flags and variables to the working
   directory; everything that leaves here is absolute.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator.api import Settings
from orchestrator.api.signers import names_authorities
from orchestrator.cli.config_keys import (
    KINDS,
    NEVER,
    POWER_KEYS,
    SEPARATORS,
    TRUST_FILES,
    Value,
    checked,
    has_password,
    in_repository,
    too_powerful,
    unknown,
)
from orchestrator.errors import OrchestratorError, Where, system_reason
from orchestrator.trust.work_tree import WorkTree, work_tree_of
from orchestrator.units import parse_duration

PROJECT_FILE = "rollout.toml"
STATE_DEFAULT = ".rollout/state.db"
FILE_BYTES_MAX = 1024 * 1024  # a configuration is a page of text
DEFAULTS: Mapping[str, Value] = {"color": "auto", "connections_max": 100}
_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")


class Source(StrEnum):
    """Where a value comes from; the first that has one wins."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    PROJECT = "project"
    USER = "user"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Given:
    """A value, and where it was given."""

    value: Value
    source: Source
    where: Where


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line itself says; None or empty: nothing."""

    state: str | None = None
    color: str | None = None
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration in force; `given` has all that was said of a key, the winner first."""

    settings: Settings
    color: str
    project_file: Path | None
    user_file: Path | None
    given: Mapping[str, tuple[Given, ...]]


def load(flags: Flags, environment: Mapping[str, str], directory: Path) -> Config:
    """The configuration for a command that works in `directory`.

    Raises:
        OrchestratorError: a file or variable is wrong; says where and how it should be.
    """
    root, project_file = find_project(directory)
    user_file = flags.config or _user_file(environment)
    repository = work_tree_of(root)
    layers: tuple[Mapping[str, Given], ...] = (
        _from_flags(flags, directory),
        _from_environment(environment, directory),
        _from_file(project_file, is_project=True, has_no_power=True) if project_file else {},
        _from_file(user_file, is_project=False, has_no_power=_lies_in(user_file, repository))
        if user_file
        else {},
    )
    defaults: dict[str, Value] = {"state": str(root / STATE_DEFAULT), **DEFAULTS}
    layers += ({key: Given(value, Source.DEFAULT, Where("")) for key, value in defaults.items()},)
    given = {
        key: said for key in KINDS if (said := tuple(one[key] for one in layers if key in one))
    }
    for key, file in _trusting(given):
        if _lies_in(file, repository):
            raise in_repository(key, str(file), given[key][0].where)
    merged = {key: said[0].value for key, said in given.items()}
    color = str(merged["color"])
    return Config(_settings(merged, root), color, project_file, user_file, given)


def find_project(directory: Path) -> tuple[Path, Path | None]:
    """The project's directory and its file: the nearest upward, not beyond the git root.

    Without a file the project is where its state lies, else the git root, else `directory`: a
    rollout under way must be found again from anywhere below.
    """
    for place in (directory, *directory.parents):
        if (place / PROJECT_FILE).is_file():
            return place, place / PROJECT_FILE
        if _may_be_there(place / STATE_DEFAULT) or (place / ".git").exists():
            return place, None
    return directory, None


def _lies_in(file: Path, repository: WorkTree | None) -> bool:
    return repository is not None and repository.holds(file)


def _trusting(given: Mapping[str, tuple[Given, ...]]) -> Iterator[tuple[str, Path]]:
    """The files that say whom to trust, by key; of known hosts those that name authorities."""
    for key in TRUST_FILES:
        if key in given:
            yield key, Path(str(given[key][0].value))
    hosts = given["known_hosts"][0].value if "known_hosts" in given else ()
    for name in hosts if isinstance(hosts, tuple) else ():
        if names_authorities(Path(name)):
            yield "known_hosts", Path(name)


def _may_be_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # its directory is closed to us, as another user's is; opening it says so
        return True


def _user_file(environment: Mapping[str, str]) -> Path | None:
    if named := environment.get("ROLLOUT_CONFIG"):
        return Path(named)
    import platformdirs

    path = Path(platformdirs.user_config_dir("rollout")) / "config.toml"
    return path if _may_be_there(path) else None  # it may forbid something: never left out


def _from_flags(flags: Flags, directory: Path) -> dict[str, Given]:
    given: dict[str, Value | None] = {"state": None, "color": flags.color}
    if flags.state is not None:
        given["state"] = checked("state", flags.state, Where("--state"), directory)
    return {
        key: Given(value, Source.FLAG, Where(f"--{key}"))
        for key, value in given.items()
        if value is not None
    }


def _from_environment(environment: Mapping[str, str], directory: Path) -> dict[str, Given]:
    found: dict[str, Given] = {}
    if environment.get(name := f"ROLLOUT_{NEVER.upper()}"):
        raise unknown(NEVER, Where(f"environment variable {name}"))
    for key, kind in KINDS.items():
        name = f"ROLLOUT_{key.upper()}"
        text = environment.get(name, "")
        if not text:
            continue
        where = Where(f"environment variable {name}")
        raw: object = text
        if kind is list:
            raw = [part for part in text.split(SEPARATORS.get(key, os.pathsep)) if part]
        elif kind is int:
            raw = int(text) if text.isascii() and text.isdigit() else text
        elif kind is bool:
            raw = {"true": True, "false": False}.get(text, text)
        found[key] = Given(checked(key, raw, where, directory), Source.ENVIRONMENT, where)
    return found


def _from_file(path: Path, *, is_project: bool, has_no_power: bool) -> dict[str, Given]:
    text = _read(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.search(str(error))
        where = Where(str(path), int(place[1]), int(place[2])) if place else Where(str(path))
        message = f"not TOML: {_TOML_PLACE.sub('', str(error)).lower()}"
        raise OrchestratorError(message, where=where, code="C101") from error
    source = Source.PROJECT if is_project else Source.USER
    found: dict[str, Given] = {}
    for key, raw in table.items():
        where = _where(path, text, key)
        if key not in KINDS:
            raise unknown(key, where)
        if has_no_power and (key in POWER_KEYS or has_password(key, raw)):
            raise too_powerful(key, where)
        value = _role_lines(raw) if key == "roles" else raw
        found[key] = Given(checked(key, value, where, path.parent), source, where)
    return found


def _role_lines(table: object) -> object:
    """The table `[roles]` as the variable writes it: `ROLE=NAME,NAME`."""
    if not isinstance(table, dict) or not all(isinstance(one, list) for one in table.values()):
        return table
    return [f"{role}={','.join(map(str, names))}" for role, names in table.items()]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            message = f"configuration `{path}` is larger than 1 MiB"
            raise OrchestratorError(message, where=Where(str(path)), code="C103")
        return data.decode("utf-8")
    except OSError as error:
        message = f"cannot read configuration `{path}`: {system_reason(error)}"
        raise OrchestratorError(message, where=Where(str(path)), code="C103") from error
    except UnicodeDecodeError as error:
        message = f"configuration `{path}` is not UTF-8"
        raise OrchestratorError(message, where=Where(str(path)), code="C103") from error


def _where(path: Path, text: str, key: str) -> Where:
    pattern = re.compile(rf"^\s*(?:\[+)?[\"']?{re.escape(key)}[\"']?\s*[.=\]]")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return Where(str(path), number, len(line) - len(line.lstrip()) + 1)
    return Where(str(path))


def _settings(values: Mapping[str, Value], root: Path) -> Settings:
    def texts(key: str) -> tuple[str, ...]:
        value = values.get(key, ())
        return value if isinstance(value, tuple) else ()

    def paths(key: str) -> tuple[Path, ...]:
        return tuple(Path(item) for item in texts(key))

    def path(key: str) -> Path | None:
        return Path(str(found)) if (found := values.get(key)) else None

    every = values.get("reconcile_every")
    return Settings(
        root=root,
        state=str(values["state"]),
        inventory=texts("inventory"),
        trusted_keys=paths("trusted_keys"),
        allow_commands=texts("allow_commands"),
        allow_gate_kinds=texts("allow_gate_kinds"),
        allow_device_access=texts("allow_device_access"),
        gate_tokens=texts("gate_tokens"),
        known_hosts=paths("known_hosts"),
        identity_files=paths("identity_files"),
        people=texts("people"),
        roles=texts("roles"),
        hook_secrets=texts("hook_secrets"),
        vault_passwords=texts("vault_passwords"),
        inventory_programs=texts("inventory_programs"),
        inventory_program_env=texts("inventory_program_env"),
        inventory_servers=texts("inventory_servers"),
        mail_server=str(values.get("mail_server", "")),
        mail_from=str(values.get("mail_from", "")),
        mail_login=path("mail_login"),
        host_ca=path("host_ca"),
        user_ca=path("user_ca"),
        fleet=str(values.get("fleet", "")),
        trust_root=path("trust_root"),
        allowed_signers=path("allowed_signers"),
        revoked_signers=path("revoked_signers"),
        evidence_policy=path("evidence_policy"),
        require_hardware_keys=values.get("require_hardware_keys") is True,
        require_signed_commit=values.get("require_signed_commit") is True,
        require_signed_reports=values.get("require_signed_reports") is True,
        audit_key=path("audit_key"),
        audit_checkpoints=path("audit_checkpoints"),
        connections_max=int(str(values["connections_max"])),
        reconcile_every_s=None if every is None else parse_duration(str(every)),
    )
