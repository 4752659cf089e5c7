"""Loads inventories: every source, every file, every finding at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import Diagnostic, PlanError, Severity, Where, system_reason
from orchestrator.inventory.connection import HOST_KEYS_VARIABLE, normalised_host_keys
from orchestrator.inventory.files import (
    YAML_SUFFIXES,
    Access,
    Form,
    InventoryFile,
    Reader,
    Source,
    chosen_variable_files,
    places_of,
    variable_files,
)
from orchestrator.inventory.graph import Graph, Variables
from orchestrator.inventory.grouping import GroupBy, add_groups, circles
from orchestrator.inventory.ini import read_ini
from orchestrator.inventory.listed import read_listing
from orchestrator.inventory.model import Beside, Inventory, InventoryFiles, failure
from orchestrator.inventory.names import UNGROUPED, host_name_problem
from orchestrator.inventory.parse import FileReader
from orchestrator.inventory.ranges import RangeError, expand, split_port
from orchestrator.inventory.secret import opened
from orchestrator.inventory.variables import VariableTable
from orchestrator.source import (
    INVENTORY_POLICY,
    MappingNode,
    ScalarNode,
    did_you_mean,
    load_yaml,
    shown,
    to_plain,
)
from orchestrator.source.load import without_garbage_collection

FILES_ONLY = Access()
LABELLED_MAX = 2000  # hosts whose labels or variables are read while somebody waits for names
NAMES_MAX = 3  # hosts that a finding names; more are counted
_REFUSED = "the inventory has errors"


def load_inventory(sources: Sequence[str], *, cwd: Path, access: Access = FILES_ONLY) -> Inventory:
    """Reads inventory sources; a later one wins over an earlier one.

    A source is a YAML, JSON or INI file in Ansible's form, a directory of such files, or a list of
    names with a comma (`gw1,gw2,`). group_vars/ and host_vars/ beside a source are read.
    Cost: 10 000 devices take about a second, 100 000 about ten.

    Args:
        sources: as written behind `-i`.
        cwd: where relative paths begin.
        access: passwords of ansible-vault, programs that may run, and what ansible.cfg says.

    Raises:
        PlanError: no source, or any error in any file; `diagnostics` has all of them.
    """
    if not sources or not all(source.strip() for source in sources):
        message = "no inventory is named" if not sources else "the name of an inventory is empty"
        raise PlanError(message, hint="name one, as `-i inventories/lab/`", code="I101")
    with without_garbage_collection():
        try:
            return _Loader(cwd.absolute(), access).load(sources)
        except OSError as error:  # files are handled one by one; this is a directory
            reason = system_reason(error)
            message = f"`{shown(str(error.filename))}` cannot be read: {reason}"
            raise PlanError(message, hint="check its permissions", code="I102") from error


def names_in_files(sources: Sequence[str], *, cwd: Path) -> tuple[str, ...]:
    """Hosts, then groups, that the files of sources name; for who types one.

    No program and no server is asked, nothing that is encrypted is opened, and variables are read
    only where labels make groups: what needs any of these, and what is wrong, has no names here.

    Raises:
        OSError: a directory cannot be read.
    """
    with without_garbage_collection():
        return _Loader(cwd.absolute(), FILES_ONLY).names(sources)


def inventory_in_files(sources: Sequence[str], *, cwd: Path) -> Inventory:
    """What the files of sources say of their devices; for who types a name of that.

    As with `names_in_files` nothing is asked and nothing opened.

    Raises:
        PlanError: something in them is wrong, or only to be had otherwise, or so much that one
            would wait for it.
        OSError: a directory cannot be read.
    """
    with without_garbage_collection():
        return _Loader(cwd, FILES_ONLY).load(sources, hosts_max=LABELLED_MAX)


class _Loader:
    """State of one load: the graph, the reader, and what was found."""

    def __init__(self, cwd: Path, access: Access) -> None:
        self._vault = access.vault
        self._defaults = access.defaults
        self._cwd = cwd
        self._graph = Graph()
        self._reader = Reader(cwd, access)
        self._found: list[Diagnostic] = []
        self._unnamed: list[Diagnostic] = []  # files of variables that belong to nobody
        self._rules: list[GroupBy] = []
        self._read_variables: dict[tuple[str, Path], Variables] = {}

    def load(self, texts: Sequence[str], *, hosts_max: float = math.inf) -> Inventory:
        sources = [found for text in texts if (found := self._reader.source(text)) is not None]
        for source in sources:
            self._read_source(source)
        if len(self._graph.hosts) > hosts_max:
            message = f"the inventory has more than {hosts_max} devices"
            raise PlanError(message)
        self._refuse_cycle()
        self._graph.settle()
        table = self._table(sources)
        if self._rules:
            table = self._grouped(sources, table)
        self._check_names()
        self._check_host_keys(table)
        errors, warnings = self._sorted()
        inventory = self._inventory(sources, table, warnings)
        if errors:  # with what is wrong with hosts, so that nobody learns of it one by one
            raise failure([*errors, *inventory.findings()], _REFUSED)
        return inventory

    def names(self, texts: Sequence[str]) -> tuple[str, ...]:
        sources = list(filter(None, map(self._reader.source, texts)))
        for source in sources:
            self._read_source(source)
        if self._rules and len(self._graph.hosts) <= LABELLED_MAX:
            with suppress(PlanError):  # a circle of groups: those that are written
                self._refuse_cycle()
                self._graph.settle()
                self._grouped(sources, self._table(sources))
        return (*self._graph.hosts, *self._graph.groups)

    def _table(self, sources: Sequence[Source]) -> VariableTable:
        self._unnamed.clear()
        group_files = [self._variable_files(source, "group_vars") for source in sources]
        host_files = [self._variable_files(source, "host_vars") for source in sources]
        return VariableTable(self._graph, group_files, host_files)

    def _grouped(self, sources: Sequence[Source], table: VariableTable) -> VariableTable:
        """Adds the groups that labels make; they may have variables of their own."""
        before = self._inventory(sources, table)
        labels = {host: before.labels(host) for host in self._graph.hosts}
        self._found.extend(add_groups(self._rules, labels, self._graph))
        self._graph.settle()
        table = self._table(sources)
        self._found.extend(circles(self._rules, labels, self._inventory(sources, table).labels))
        return table

    def _inventory(
        self, sources: Sequence[Source], table: VariableTable, warnings: Sequence[Diagnostic] = ()
    ) -> Inventory:
        places = [path for one in sources for path in places_of(one)]
        if self._defaults.place is not None:
            places.append(self._defaults.place)
        files = InventoryFiles(tuple(self._reader.paths), tuple(places), self._reader.digest)
        return Inventory(
            self._graph,
            table,
            warnings=warnings,
            files=files,
            beside=Beside(self._cwd, self._vault, self._defaults.variables),
        )

    def _read_source(self, source: Source) -> None:
        if source.path is None:
            self._read_names(source)
        for file in self._reader.inventory_files(source):
            self._found.extend(self._read_file(file))

    def _read_file(self, file: InventoryFile) -> Sequence[Diagnostic]:
        match file.form:
            case Form.INI:
                found = read_ini(file.data, file.name, self._graph, is_secret=file.is_secret)
                return found.result()
            case Form.LISTING:
                return read_listing(file.data, file.name, self._graph, is_secret=file.is_secret)
            case Form.SERVED:
                return read_listing(file.data, file.name, self._graph, is_unsafe=True)
            case Form.YAML:
                document = load_yaml(file.data, file=file.name, policy=INVENTORY_POLICY)
                reader = FileReader(document, self._graph, is_secret=file.is_secret)
                reader.read()
                self._rules.extend(reader.rules)
                both = [*document.diagnostics, *reader.diagnostics]
                return sorted(both, key=lambda found: (found.where.line, found.where.column))

    def _read_names(self, source: Source) -> None:
        group = self._graph.groups[UNGROUPED]
        where = Where(f"-i {shown(source.text)}")
        for key in source.names:
            try:
                pattern, port = split_port(key)
                names = expand(pattern)
            except RangeError as error:
                self._found.append(Diagnostic(where, "I108", str(error), error.hint))
                continue
            for name in names:
                problem = host_name_problem(name)
                if problem:
                    self._found.append(Diagnostic(where, "I106", f"`{shown(name)}`: {problem}"))
                    break
                if name not in self._graph.hosts:
                    self._graph.add_host(name, group, where, port)

    def _variable_files(self, source: Source, kind: str) -> dict[str, Variables]:
        """Variables by group or host name from a directory beside a source."""
        if source.base is None:
            return {}
        directory = source.base / kind
        known = self._graph.groups if kind == "group_vars" else self._graph.hosts
        found: dict[str, Variables] = {}
        candidates = variable_files(directory)
        used: set[Path] = set()
        for name in sorted(candidates.keys() & known.keys()):
            paths, hidden = chosen_variable_files(candidates[name], name)
            used.update(candidates[name])
            merged: Variables = {}
            for path in paths:
                merged.update(self._variables_of(path, source.text, source.base))
            if merged:
                found[name] = merged
            for path in hidden:
                self._warn_hidden(path, paths[0] if paths else directory / name)
        self._warn_unknown(candidates, used, list(known), kind)
        return found

    def _variables_of(self, path: Path, source: str, base: Path) -> Variables:
        """The variables of a file, which is read once for a source."""
        known = self._read_variables.get((source, path))
        if known is None:
            known = self._read_variables[source, path] = self._read_variable_file(path, base)
        return known

    def _read_variable_file(self, path: Path, base: Path) -> Variables:
        content = self._reader.read(path, base)
        if content is None:
            return {}
        document = load_yaml(content.data, file=self._reader.shown(path), policy=INVENTORY_POLICY)
        self._found.extend(document.diagnostics)
        root = document.root
        if root is None or (isinstance(root, ScalarNode) and root.value is None):
            return {}
        if isinstance(root, MappingNode):
            entries = map(opened, root.entries) if content.is_secret else root.entries
            return {entry.key.text: entry for entry in entries}
        message = f"a file of variables is a mapping, not {root.kind}"
        self._found.append(document.diagnostic(root, "I104", message))
        return {}

    def _warn_hidden(self, path: Path, winner: Path) -> None:
        message = f"not read, because `{winner.name}` comes first"
        hint = "merge the two; Ansible reads only one of them too"
        self._warn(self._reader.shown(path), "I121", message, hint)

    def _warn_unknown(
        self, candidates: dict[str, list[Path]], used: set[Path], known: list[str], kind: str
    ) -> None:
        thing = "group" if kind == "group_vars" else "host"
        paths = {path for paths in candidates.values() for path in paths} - used
        for path in sorted(paths):
            if "." in path.name and path.suffix not in YAML_SUFFIXES:
                continue
            name = path.stem if path.suffix in YAML_SUFFIXES else path.name
            message = f"variables for {thing} `{shown(name)}`, which is in no inventory file"
            message += did_you_mean(name, known)
            where = Where(self._reader.shown(path))
            self._unnamed.append(Diagnostic(where, "I120", message, "", Severity.WARNING))

    def _check_names(self) -> None:
        for name in sorted(self._graph.groups.keys() & self._graph.hosts.keys()):
            where = self._graph.hosts[name].where
            message = f"`{name}` is both a group and a host; in patterns it is the host"
            hint = "rename one of them"
            self._found.append(Diagnostic(where, "I122", message, hint, Severity.WARNING))

    def _check_host_keys(self, table: VariableTable) -> None:
        """Two devices that prove themselves with one key cannot be told apart."""
        owners: dict[str, dict[str, Where]] = {}
        for host in self._graph.hosts.values():
            node = table.own_entry(host, HOST_KEYS_VARIABLE)
            if node is None:
                continue
            try:
                keys = normalised_host_keys(to_plain(node))
            except ValueError:
                continue  # among the troubles of the host
            for key in keys:
                owners.setdefault(key, {})[host.name] = node.where
        hint = "pin the key of each device; a copied image needs new host keys"
        for hosts in owners.values():
            if len(hosts) > 1:
                second = list(hosts.values())[1]
                self._found.append(Diagnostic(second, "I113", _same_key(list(hosts)), hint))

    def _warn(self, file: str, code: str, message: str, hint: str = "") -> None:
        self._found.append(Diagnostic(Where(file), code, message, hint, Severity.WARNING))

    def _refuse_cycle(self) -> None:
        """Ends the load where groups have no order, in which their variables would count."""
        cycle = self._graph.find_cycle()
        if not cycle:
            return
        where = self._graph.groups[cycle[0]].children.get(cycle[1], Where(""))
        message = f"group `{cycle[0]}` contains itself: {' -> '.join(cycle)}"
        hint = "remove one of the `children`"
        self._found.append(Diagnostic(where, "I109", message, hint))
        errors, warnings = self._sorted()
        raise failure([*errors, *warnings], _REFUSED)

    def _sorted(self) -> tuple[list[Diagnostic], list[Diagnostic]]:
        """Errors and warnings of all that was read."""
        # Sources of one directory have their files of variables in common.
        found = list(dict.fromkeys((*self._found, *self._unnamed, *self._reader.diagnostics)))
        errors = [each for each in found if each.severity is Severity.ERROR]
        return errors, [each for each in found if each.severity is Severity.WARNING]


def _same_key(hosts: Sequence[str]) -> str:
    if len(hosts) == 2:  # noqa: PLR2004  a pair
        return f"hosts `{hosts[0]}` and `{hosts[1]}` have the same pinned host key"
    shown = ", ".join(f"`{host}`" for host in hosts[:NAMES_MAX])
    more = len(hosts) - NAMES_MAX
    rest = f" and {more} more" if more > 0 else ""
    return f"{len(hosts)} hosts have the same pinned host key: {shown}{rest}"
