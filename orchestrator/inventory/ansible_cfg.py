"""What Ansible's own configuration, `ansible.cfg`, says of connections and of the inventory.

Laws:
1. The file is found where Ansible finds it: `ANSIBLE_CONFIG`, the project's directory, `~/.ansible.cfg`,
   `/etc/ansible/ansible.cfg`; the first one counts, alone.
2. What anybody may write says nothing: such a file of the project is left out with a warning, as
   Ansible does, and is an error anywhere else.
3. Only options that say how a device is reached, and `inventory`, are read. They stand below every
   variable of an inventory, and are judged like those: nothing turns host key checking off.

Source: inventory.md, a.1, "Connection".
"""

from __future__ import annotations

import configparser
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.errors import Diagnostic, PlanError, Severity, Where, system_reason
from orchestrator.inventory.graph import Variables
from orchestrator.source import Entry, ScalarNode, shown

NAME = "ansible.cfg"
SYSTEM_FILE = Path("/etc/ansible/ansible.cfg")
_BYTES_MAX = 1024 * 1024
_DEFAULTS, _SSH = "defaults", "ssh_connection"
_VARIABLES = {  # the lowest of the names that mean the same: whatever an inventory says wins
    (_DEFAULTS, "remote_user"): "ansible_user",
    (_DEFAULTS, "remote_port"): "ansible_port",
    (_DEFAULTS, "private_key_file"): "ansible_private_key_file",
    (_DEFAULTS, "host_key_checking"): "ansible_host_key_checking",
    (_SSH, "host_key_checking"): "ansible_ssh_host_key_checking",
    (_SSH, "ssh_args"): "ansible_ssh_args",
    (_SSH, "ssh_common_args"): "ansible_ssh_common_args",
    (_SSH, "ssh_extra_args"): "ansible_ssh_extra_args",
}
_INVENTORY = (_DEFAULTS, "inventory")
_PATHS = (_INVENTORY, (_DEFAULTS, "private_key_file"))
_SECTION = re.compile(r"\[([^]]+)\]")
_OPTION = re.compile(r"([A-Za-z_]+)\s*[=:]")


@dataclass(frozen=True, slots=True)
class Defaults:
    """Options of one file, as variables that stand below all others.

    `text` has them as they are written, for the digest; `place` is where a project's file would be.
    """

    path: Path | None = None
    place: Path | None = None
    variables: Variables = field(default_factory=dict)
    inventory: tuple[str, ...] = ()
    text: str = ""
    warnings: tuple[Diagnostic, ...] = ()


NO_DEFAULTS = Defaults()


def find_defaults(
    environment: Mapping[str, str], *, cwd: Path, home: Path, system: Path = SYSTEM_FILE
) -> Defaults:
    """The options of the file that Ansible would find; none without a file.

    Args:
        environment: for `ANSIBLE_CONFIG`, a file or a directory with an `ansible.cfg` in it, and
            `ANSIBLE_INVENTORY`, which wins over `inventory` of the file.
        cwd: the project's directory.
        home: of the operator.
        system: the file of the machine.

    Raises:
        PlanError: the file cannot be read, is no INI, or lies where anybody may write.
    """
    found = _find(environment, cwd, home, system)
    named = environment.get("ANSIBLE_INVENTORY")
    return replace(found, inventory=_paths(named, cwd)) if named else found


def _find(environment: Mapping[str, str], cwd: Path, home: Path, system: Path) -> Defaults:
    place = cwd / NAME
    named = environment.get("ANSIBLE_CONFIG")
    if named == os.devnull:  # as people say "none"
        return Defaults(place=place)
    if named:
        path = cwd / Path(named).expanduser()
        return _read(path / NAME if path.is_dir() else path, cwd, place)
    warnings: tuple[Diagnostic, ...] = ()
    if _exists(place):
        if not (open_place := _open_place(place)):
            return _read(place, cwd, place)
        message = f"not read: anybody may write to `{open_place}`"
        hint = "take the right to write from others: `chmod o-w`"
        warnings = (Diagnostic(Where(NAME), "I130", message, hint, Severity.WARNING),)
    for path in (home / f".{NAME}", system):
        if _exists(path):
            return _read(path, cwd, place, warnings)
    return Defaults(place=place, warnings=warnings)


def _read(path: Path, cwd: Path, place: Path, warnings: tuple[Diagnostic, ...] = ()) -> Defaults:
    name = str(path.relative_to(cwd) if path.is_relative_to(cwd) else path)
    if open_place := _open_place(path):
        message = f"anybody may write to `{open_place}`, and so say where devices are reached"
        raise _refusal(Where(name), message, "take the right to write from others: `chmod o-w`")
    text = _text(path, name)
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", 0) or next(
            (one[0] for one in getattr(error, "errors", ())), 0
        )
        message = f"no INI file: {type(error).__name__}"
        raise _refusal(
            Where(name, line, min(line, 1)), message, "Ansible does not read it either"
        ) from error
    nowhere = dict.fromkeys((*_VARIABLES, _INVENTORY), Where(name))
    places = {**nowhere, **dict(_places(text, name))}
    told: dict[tuple[str, str], str] = {}
    for option in (*_VARIABLES, _INVENTORY):
        value = _unquoted(parser.get(*option, fallback="").strip())
        if not value:
            continue
        told[option] = value
        if option in _PATHS and "$" in value:
            message = (
                f"`{option[1]}` is `{shown(value)}`; variables of the environment are not read"
            )
            raise _refusal(places[option], message, "write the path itself")
    return Defaults(
        path,
        place,
        dict(_entries(told, places, path.parent)),
        _paths(told.get(_INVENTORY, ""), path.parent),
        "\n".join(f"{option[1]}={value}" for option, value in told.items() if option != _INVENTORY),
        warnings,
    )


def _entries(
    told: Mapping[tuple[str, str], str], places: Mapping[tuple[str, str], Where], base: Path
) -> Iterator[tuple[str, Entry]]:
    for option, value in told.items():
        variable = _VARIABLES.get(option)
        if variable is None:
            continue
        text = _absolute(value, base) if option in _PATHS else value
        where = places[option]
        at = (where.file, where.line, where.column)
        yield (
            variable,
            Entry(ScalarNode(variable, variable, False, *at), ScalarNode(text, text, True, *at)),
        )


def _places(text: str, name: str) -> Iterator[tuple[tuple[str, str], Where]]:
    """Where each option stands."""
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if head := _SECTION.match(line):
            section = head[1]
        elif option := _OPTION.match(line):
            yield (section, option[1].lower()), Where(name, number, 1)


def _paths(text: str, base: Path) -> tuple[str, ...]:
    return tuple(_absolute(part.strip(), base) for part in text.split(",") if part.strip())


def _absolute(text: str, base: Path) -> str:
    return str(base / Path(text).expanduser())


def _unquoted(text: str) -> str:
    """Without the quotes around the whole."""
    is_quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # its directory is closed to us: Ansible would not find it either
        return False


def _open_place(path: Path) -> Path | None:
    """The file or its directory, whichever anybody may write to."""
    for place in (path.parent, path, path.resolve().parent):
        try:
            mode = place.stat().st_mode
        except OSError:
            continue  # opening it says so
        if mode & stat.S_IWOTH:
            return place
    return None


def _text(path: Path, name: str) -> str:
    hint = "remove it, or name another in `ANSIBLE_CONFIG`"
    try:
        if not path.is_file():
            raise _refusal(Where(name), "there is no such file", hint)
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
        if len(data) > _BYTES_MAX:
            raise _refusal(Where(name), "it is larger than 1 MiB", hint)
        return data.decode("utf-8")
    except OSError as error:
        raise _refusal(Where(name), f"it cannot be read: {system_reason(error)}", hint) from error
    except UnicodeDecodeError as error:
        raise _refusal(Where(name), "it is not UTF-8", hint) from error


def _refusal(where: Where, message: str, hint: str) -> PlanError:
    whole = f"Ansible's configuration: {message}"
    found = Diagnostic(where, "I129", whole, hint)
    return PlanError(whole, hint=hint, where=where, code="I129", diagnostics=[found])
