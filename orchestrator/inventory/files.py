"""Finds and reads the files of an inventory: sources, group_vars and host_vars.

Laws:
1. Only regular files, opened once; what was parsed is what the digest covers.
2. A link may not lead out of the project: the directory of the source, or the git work tree
   around it.
3. What needs a program, a server or a password is asked of those that the operator allows, or
   refused; nothing is skipped.
4. The environment and the current directory choose nothing but where relative paths begin.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto
from hashlib import sha256
from pathlib import Path

from orchestrator.errors import Diagnostic, Where, system_reason
from orchestrator.inventory.ansible_cfg import NAME, NO_DEFAULTS, Defaults
from orchestrator.inventory.programs import ANSIBLE_INVENTORY, NONE, ProgramError, Programs
from orchestrator.inventory.servers import (
    NO_SERVERS,
    ServerError,
    Servers,
    is_address,
    shown_address,
)
from orchestrator.source import INVENTORY_POLICY
from orchestrator.trust.ansible_vault import (
    CLOSED,
    VAULT_MARK,
    Vault,
    VaultDamagedError,
    VaultError,
)

YAML_SUFFIXES = (".yml", ".yaml", ".json")
_IGNORED_SUFFIXES = (
    "~", ".orig", ".cfg", ".retry", ".pyc", ".pyo", ".swp", ".bak", ".rpm", ".md", ".txt", ".rst",
)  # fmt: skip
_VARIABLE_DIRECTORIES = ("group_vars", "host_vars")
_PLUGIN = re.compile(rb"^[\"']?plugin[\"']?[ ]*:", re.MULTILINE)
_META = re.compile(rb'"_meta"\s*:')
_CONVERT = "write it out once with `ansible-inventory --list --yaml --output hosts.yml -i "
_FILES_MAX = 200_000  # a host_vars file for each of 100 000 devices, and as many again


@dataclass(frozen=True, slots=True)
class Source:
    """One `-i`: a file or directory, a server, or names written on the command line.

    `base` is where group_vars and host_vars stand; None for a server and for a list of names.
    """

    text: str
    path: Path | None = None
    base: Path | None = None

    @property
    def is_server(self) -> bool:
        """Whether it is the address of a server."""
        return self.path is None and is_address(self.text)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of a list such as `gw1,gw2,`."""
        if self.is_server:
            return ()
        return tuple(name.strip() for name in self.text.split(",") if name.strip())


class Form(Enum):
    """How a file says which hosts there are."""

    YAML = auto()
    INI = auto()
    LISTING = auto()  # the JSON that programs print
    SERVED = auto()  # the same of a server, where no text is a template


@dataclass(frozen=True, slots=True)
class Access:
    """What a load may use beyond its files: passwords of vaults, programs, `ansible.cfg`, servers."""

    vault: Vault = CLOSED
    programs: Programs = NONE
    defaults: Defaults = NO_DEFAULTS
    servers: Servers = NO_SERVERS


@dataclass(frozen=True, slots=True)
class InventoryFile:
    """One file of groups and hosts, as it was read, or what a program said of it."""

    name: str  # as people know it
    data: bytes
    form: Form
    is_secret: bool  # it was encrypted


@dataclass(frozen=True, slots=True)
class Content:
    """The text of a file, opened where it was encrypted."""

    data: bytes
    is_secret: bool


class _RefusedError(Exception):
    """A file that may not be read; the text says why."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


class Reader:
    """Reads files below a directory, digests what it reads and keeps the findings."""

    def __init__(self, cwd: Path, access: Access) -> None:
        self._cwd = cwd
        self._access = access
        self._hash = sha256(b"rollout-inventory-1\0")
        self._file_count = 0
        self.paths: list[Path] = []  # of what was read, in order
        self.diagnostics: list[Diagnostic] = list(access.defaults.warnings)
        self._take_defaults(access.defaults)

    @property
    def digest(self) -> str:
        """SHA-256 over names and bytes of everything read, in order; the same in any checkout."""
        return self._hash.hexdigest()

    def _take_defaults(self, defaults: Defaults) -> None:
        """`ansible.cfg` is a file of the inventory where it says something; the project's is read."""
        if defaults.path is None or not (defaults.text or defaults.inventory):
            return
        if defaults.text:
            self._absorb(NAME, defaults.text.encode())
        if defaults.path.is_relative_to(self._cwd):
            self.paths.append(defaults.path)

    def source(self, text: str) -> Source | None:
        """What one `-i` names, None with a finding where there is nothing."""
        if is_address(text):
            return Source(text)
        path = self._cwd / Path(text).expanduser()
        if "," in text and not path.exists():
            self._absorb("", text.encode())
            return Source(text)
        base = path if path.is_dir() else path.parent
        if not path.exists():
            hint = "give a file, a directory, or a list of names with a comma, as `gw1,`"
            self._error(text, "I101", "there is no such inventory", hint)
            return None
        return Source(text, path, base)

    def inventory_files(self, source: Source) -> Iterator[InventoryFile]:
        """Each inventory file of a source, in Ansible's order; a server is one."""
        if source.is_server:
            yield from self._served(source.text)
        if source.path is None or source.base is None:
            return
        paths = _walk(source.path) if source.path.is_dir() else iter([source.path])
        for path in paths:
            content = self.read(path, source.base)
            if content is None:
                continue
            found = self._of_kind(path, content)
            if found is not None:
                yield found

    def _served(self, address: str) -> Iterator[InventoryFile]:
        name = shown_address(address)
        try:
            listing = self._access.servers.listing(address)
            yield replace(self._listed(name, listing), form=Form.SERVED)
        except ServerError as error:
            self._error(name, "I131", str(error), error.hint)

    def read(self, path: Path, base: Path) -> Content | None:
        """The text of a file, None with a finding where it may or can not be read."""
        name = self.shown(path)
        try:
            data = self._bytes(path, base)
        except _RefusedError as error:
            self._error(name, error.code, str(error), error.hint)
            return None
        except (OSError, RuntimeError) as error:  # RuntimeError: a circle of links, until 3.12
            loop = "too many levels of symbolic links"
            reason = system_reason(error) if isinstance(error, OSError) else loop
            self._error(name, "I102", f"the file cannot be read: {reason}")
            return None
        self.paths.append(path)
        self._absorb(os.path.relpath(path, base), data)
        if not data.startswith(VAULT_MARK.encode()):
            return Content(data, is_secret=False)
        try:
            return Content(self._access.vault.open(data), is_secret=True)
        except VaultError as error:
            hint = "name its password's file in `vault_passwords` of your own configuration"
            if isinstance(error, VaultDamagedError):
                hint = "restore the file, or encrypt it again; no password opens it"
            self._error(name, "I126", f"encrypted with ansible-vault: {error}", hint)
            return None

    def _bytes(self, path: Path, base: Path) -> bytes:
        self._file_count += 1
        if self._file_count > _FILES_MAX:
            raise _RefusedError("I102", f"more than {_FILES_MAX} files")
        real = path.resolve(strict=True)
        if not _is_inside(real, base):
            message = f"a link that leads out of the inventory, to `{real}`"
            hint = "keep the target beside the inventory or in its git work tree"
            raise _RefusedError("I111", message, hint)
        if real.is_dir():
            message = "a link to a directory, which is not followed here"
            hint = "link the files, or name the directory as a source of its own"
            raise _RefusedError("I111", message, hint)
        return _read_regular(real)

    def shown(self, path: Path) -> str:
        """The path as people know it: relative to where they stand, if it is below."""
        try:
            text = str(path.relative_to(self._cwd))
        except ValueError:
            text = str(path)
        return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")

    def _absorb(self, name: str, data: bytes) -> None:
        encoded = os.fsencode(name)
        self._hash.update(b"%d %d " % (len(encoded), len(data)) + encoded)
        self._hash.update(data)

    def _of_kind(self, path: Path, content: Content) -> InventoryFile | None:
        """The file in its form; what only a program can read is asked of it."""
        name, data = self.shown(path), content.data
        programs = self._access.programs
        try:
            if data.startswith(b"#!") or _is_executable(path):
                return self._listed(f"{name} --list", programs.run_script(path))
            if path.suffix == ".toml":
                hint = f"{_CONVERT}{name}`"
                self._error(name, "I103", "a TOML inventory, which is not read", hint)
                return None
            form = _form_of(path, data)
            if form is Form.YAML and _PLUGIN.search(data):
                return self._listed(f"{ANSIBLE_INVENTORY} -i {name}", programs.run_plugin(path))
        except ProgramError as error:
            self._error(name, "I103", str(error), error.hint)
            return None
        return InventoryFile(name, data, form, content.is_secret)

    def _listed(self, name: str, data: bytes) -> InventoryFile:
        self._absorb(name, data)
        return InventoryFile(name, data, Form.LISTING, is_secret=False)

    def _error(self, name: str, code: str, message: str, hint: str = "") -> None:
        self.diagnostics.append(Diagnostic(Where(name), code, message, hint))


def places_of(source: Source) -> tuple[Path, ...]:
    """The file or directory of a source, and where its variables lie."""
    if source.path is None or source.base is None:
        return ()
    return (source.path, *(source.base / name for name in _VARIABLE_DIRECTORIES))


def variable_files(directory: Path) -> dict[str, list[Path]]:
    """For each file or directory name without extension, the candidates in a variables directory.

    One listing instead of four look-ups per host.
    """
    found: dict[str, list[Path]] = {}
    if not directory.is_dir():
        return found
    for name in _names(directory):
        for stem in {name, *(name.removesuffix(suffix) for suffix in YAML_SUFFIXES)}:
            found.setdefault(stem, []).append(directory / name)
    return found


def chosen_variable_files(candidates: list[Path], name: str) -> tuple[list[Path], list[Path]]:
    """The files to read for a group or host, and those that Ansible would silently not read.

    The first of no extension, `.yml`, `.yaml`, `.json` counts; a directory stands for all of
    its files.
    """
    order = {name + suffix: rank for rank, suffix in enumerate(("", *YAML_SUFFIXES))}
    known = sorted((path for path in candidates if path.name in order), key=lambda p: order[p.name])
    if not known:
        return [], []
    first = known[0]
    return (list(_walk_variables(first)) if first.is_dir() else [first]), known[1:]


def _walk(directory: Path) -> Iterator[Path]:
    """Inventory files below a directory, by name; a directory at the place of its name."""
    for name in _names(directory):
        path = directory / name
        if name.endswith(_IGNORED_SUFFIXES) or name in _VARIABLE_DIRECTORIES:
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path


def _walk_variables(directory: Path) -> Iterator[Path]:
    for name in _names(directory):
        path = directory / name
        if path.is_dir() and not path.is_symlink():
            if "." not in name:
                yield from _walk_variables(path)
        elif "." not in name or name.endswith(YAML_SUFFIXES):
            yield path


def _names(directory: Path) -> list[str]:
    """Names in a directory, sorted, without hidden files and editors' copies."""
    names = (path.name for path in directory.iterdir())
    return sorted(name for name in names if not name.startswith(".") and not name.endswith("~"))


def _is_inside(real: Path, base: Path) -> bool:
    root = base.resolve()
    if real.is_relative_to(root):
        return True
    work_tree = next((up for up in (root, *root.parents) if (up / ".git").exists()), None)
    return work_tree is not None and real.is_relative_to(work_tree)


def _read_regular(path: Path) -> bytes:
    """The bytes of a regular file, at most one more than the loader accepts."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            message = "neither a file nor a directory (a pipe, a socket or a device)"
            raise _RefusedError("I102", message)
        return file.read(INVENTORY_POLICY.bytes_max + 1)


def _is_executable(path: Path) -> bool:
    return path.suffix not in YAML_SUFFIXES and os.access(path, os.X_OK)


def _form_of(path: Path, data: bytes) -> Form:
    """As Ansible chooses: by the extension, and without one YAML if the text is YAML."""
    if path.suffix == ".json" and _META.search(data):
        return Form.LISTING
    if path.suffix in YAML_SUFFIXES or not (path.suffix or _looks_like_ini(data)):
        return Form.YAML
    return Form.INI


def _looks_like_ini(data: bytes) -> bool:
    """Whether a file without an extension begins as INI: a section, or a bare host line."""
    for line in data.split(b"\n", 200)[:200]:
        text = line.strip()
        if not text or text.startswith((b"#", b";")):
            continue
        is_yaml = text.startswith((b"---", b"{", b"%")) or text.endswith(b":") or b": " in text
        return not is_yaml
    return False
