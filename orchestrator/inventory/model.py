"""An inventory that has been read: selection, devices, and the view that Ansible has of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.device.model import Device, DeviceId
from orchestrator.errors import Diagnostic, PlanError, Severity, Where
from orchestrator.inventory import pattern as patterns
from orchestrator.inventory.ansible_cfg import NAME as ANSIBLE_CFG
from orchestrator.inventory.connection import CONNECTION_VARIABLES, Trouble, address_of
from orchestrator.inventory.graph import Graph, Host, Variables
from orchestrator.inventory.labels import labels_of
from orchestrator.inventory.limit import limit_terms
from orchestrator.inventory.names import ALL
from orchestrator.inventory.secret import is_closed, is_opened, is_secret
from orchestrator.inventory.templates import HostTemplates
from orchestrator.inventory.variables import Layer, VariableTable
from orchestrator.plan.template import TemplateError
from orchestrator.source import to_plain
from orchestrator.trust.ansible_vault import Vault

_Troubles = dict[tuple[Where, Trouble], list[str]]  # with the hosts that have them


@dataclass(frozen=True, slots=True)
class InventoryFiles:
    """Files that were read, and the places in which a file more or less would count too."""

    read: tuple[Path, ...]
    places: tuple[Path, ...]
    digest: str  # SHA-256 (hexadecimal) over the bytes that were read, in order


@dataclass(frozen=True, slots=True)
class Beside:
    """What counts beside the files of an inventory.

    `cwd` is where relative paths begin, `vault` has the passwords of ansible-vault, `defaults` are
    ansible.cfg's: below all variables, for the connection alone.
    """

    cwd: Path
    vault: Vault
    defaults: Variables


@dataclass(frozen=True, slots=True)
class Written:
    """One value of a variable as it stands in a file; without the value where it is secret."""

    step: str  # as `group web`, `group_vars/all`, `host`
    where: Where
    value: object
    secret: bool


class Inventory:
    """Hosts, groups and variables of all sources. Nothing changes it after loading."""

    def __init__(
        self,
        graph: Graph,
        table: VariableTable,
        *,
        warnings: Iterable[Diagnostic],
        files: InventoryFiles,
        beside: Beside,
    ) -> None:
        self.files = files
        self._graph = graph
        self._vault = beside.vault
        self._defaults = beside.defaults
        self._plain_defaults = {
            name: to_plain(entry.value) for name, entry in beside.defaults.items()
        }
        self._table = table
        self._cwd = beside.cwd
        self._warnings: tuple[Diagnostic, ...] = tuple(warnings)
        self._members_of_groups: dict[str, list[str]] | None = None
        self._named_by_templates: dict[tuple[str, bool], HostTemplates] = {}

    @property
    def digest(self) -> str:
        """SHA-256 (hexadecimal) over the bytes that were parsed, in order."""
        return self.files.digest

    @property
    def host_names(self) -> tuple[str, ...]:
        """Every host, in the order of the files."""
        return tuple(self._graph.hosts)

    @property
    def group_names(self) -> tuple[str, ...]:
        """Every group with `all` and `ungrouped`, in the order of the files."""
        return tuple(self._graph.groups)

    def match(self, pattern: str, *, limit: str | None = None) -> tuple[str, ...]:
        """Names of the hosts of a pattern, in the pattern's order, cut down to a limit.

        Raises:
            PlanError: a group or host that does not exist, an empty pattern or limit, or a
                pattern that does not parse. An empty result is not an error.
        """
        names = patterns.match(self._graph, pattern)
        if limit is not None:
            terms = limit_terms(limit, cwd=self._cwd)
            allowed = set(patterns.match_terms(self._graph, terms))
            names = [name for name in names if name in allowed]
        return tuple(names)

    def select(self, pattern: str, *, limit: str | None = None) -> tuple[Device, ...]:
        """Devices of an Ansible host pattern, in the pattern's order, cut down to a limit.

        Raises:
            PlanError: as `match`; or connection variables or labels of a selected host that
                cannot be used. Every one of them is among the diagnostics, and as a warning
                whatever else `findings` has to say.
        """
        troubles: _Troubles = {}
        devices = []
        names = self.match(pattern, limit=limit)
        for name in names:
            device = self._device(self._graph.hosts[name], troubles)
            if device is not None:
                devices.append(device)
        if troubles:
            findings = [*_findings(troubles, Severity.ERROR), *self.findings(names)]
            raise failure(findings, "the selected devices cannot be reached as written")
        return tuple(devices)

    def findings(self, selected: Iterable[str] = ()) -> tuple[Diagnostic, ...]:
        """Warnings: what is odd in the files, and why hosts could not be selected as written.

        Args:
            selected: hosts that `select` has looked at already.
        """
        troubles: _Troubles = {}
        known = frozenset(selected)
        for host in self._graph.hosts.values():
            if host.name not in known:
                self._device(host, troubles)
        return (*self._warnings, *_findings(troubles, Severity.WARNING))

    def variables(self, host: str) -> dict[str, object]:
        """All variables of a host as plain values; the collections in it are shared."""
        return self._table.plain(self._graph.hosts[host])

    def labels(self, host: str) -> dict[str, str]:
        """The labels of a host, as far as they can be used."""
        return labels_of(self._templates(self._graph.hosts[host], None))[0]

    def groups_of(self, host: str) -> tuple[str, ...]:
        """Names of the groups of a host, sorted, without `all`."""
        return self._table.groups_of(self._graph.hosts[host])

    def children_of(self, group: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The groups right below a group, and the hosts that stand in it by name."""
        found = self._graph.groups[group]
        return tuple(found.children), tuple(found.hosts)

    def history(self, host: str) -> dict[str, tuple[Written, ...]]:
        """For each variable of a host every value that is written for it, low to high.

        The last one counts. Values of secret variables are left out.
        """
        history: dict[str, list[Written]] = {}
        defaults = (Layer(ANSIBLE_CFG, self._defaults),)
        for layer in (*defaults, *self._table.layers(self._graph.hosts[host])):
            for name, entry in layer.variables.items():
                secret = is_secret(name, entry.value)
                value = None if secret else to_plain(entry.value)
                written = Written(layer.step, entry.key.where, value, secret)
                history.setdefault(name, []).append(written)
        return {name: tuple(history[name]) for name in sorted(history)}

    def origin(self, host: str, variable: str) -> Where | None:
        """Where the winning value of a variable was written, None if it has none."""
        entry = self._table.entries(self._graph.hosts[host]).get(variable)
        return entry.key.where if entry is not None else None

    def to_ansible_list(self) -> dict[str, object]:
        """The shape of `ansible-inventory --list`: groups and `_meta.hostvars`.

        Groups without hosts and children, and hosts without variables, are left out there too.
        Encrypted values are the text of their vault; those of an encrypted file are left out.
        """
        listing: dict[str, object] = {}
        hostvars = {}
        for name in self._graph.members(ALL):
            entries = self._table.entries(self._graph.hosts[name])
            values = {
                variable: {"__ansible_vault": value}
                if is_closed(entries[variable].value)
                else value
                for variable, value in self.variables(name).items()
                if not is_opened(entries[variable].value)
            }
            if values:
                hostvars[name] = values
        listing["_meta"] = {"hostvars": hostvars}
        for group in self._graph.groups.values():
            shape: dict[str, Sequence[str]] = {}
            if group.hosts and group.name != ALL:
                shape["hosts"] = list(group.hosts)
            if group.children:
                shape["children"] = list(group.children)
            if shape:
                listing[group.name] = shape
        return listing

    def _device(self, host: Host, found: _Troubles) -> Device | None:
        templates = self._templates(host, None)
        connecting = self._connecting(templates)
        rendered, unrendered = _connection(connecting)
        address, troubles = address_of(host.name, rendered, cwd=self._cwd)
        labels, label_troubles = labels_of(templates)
        for trouble in (*unrendered, *troubles, *label_troubles):
            entry = connecting.entries.get(trouble.variable)
            where = entry.key.where if entry is not None else host.where
            found.setdefault((where, trouble), []).append(host.name)
        if address is None or unrendered or label_troubles:
            return None
        usable = templates.usable(templates.values)
        return Device(DeviceId(host.name), address, labels, usable, templates.groups)

    def _connecting(self, templates: HostTemplates) -> HostTemplates:
        """The variables with the vault's passwords, and below them what ansible.cfg says."""
        if not self._defaults:
            return replace(templates, vault=self._vault)
        entries = {**self._defaults, **templates.entries}
        values = {**self._plain_defaults, **templates.values}
        return replace(templates, vault=self._vault, entries=entries, values=values)

    def _templates(self, host: Host, vault: Vault | None) -> HostTemplates:
        return HostTemplates(
            host.name, self._table.entries(host), self._table.plain(host),
            self._table.groups_of(host), self._members, self._templates_of, vault,
        )  # fmt: skip

    def _members(self) -> dict[str, list[str]]:
        if self._members_of_groups is None:
            self._members_of_groups = {
                name: self._graph.members(name) for name in self._graph.groups
            }
        return self._members_of_groups

    def _templates_of(self, name: str, vault: Vault | None) -> HostTemplates | None:
        host = self._graph.hosts.get(name)
        if host is None:
            return None
        key = (name, vault is not None)
        known = self._named_by_templates.get(key)
        if known is None:
            known = self._named_by_templates[key] = self._templates(host, vault)
        return known


def _findings(troubles: _Troubles, severity: Severity) -> Iterator[Diagnostic]:
    """One finding for each place, however many hosts have their variable from there."""
    for (where, trouble), names in troubles.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        message = f"host `{names[0]}`{more}: {trouble.message}"
        yield Diagnostic(where, trouble.code, message, trouble.hint, severity)


def failure(findings: Sequence[Diagnostic], what: str) -> PlanError:
    """The error that carries findings, errors first: the first is its message and place."""
    first = findings[0]
    error_count = sum(found.severity is Severity.ERROR for found in findings)
    is_only = error_count == 1
    message = first.message if is_only else f"{what}: {error_count} findings"
    where = first.where if is_only else None
    return PlanError(message, hint=first.hint, where=where, code=first.code, diagnostics=findings)


def _connection(templates: HostTemplates) -> tuple[dict[str, object], list[Trouble]]:
    """Variables of the connection, rendered, and those that cannot be."""
    rendered: dict[str, object] = {}
    troubles = []
    for name in CONNECTION_VARIABLES & templates.values.keys():
        try:
            rendered[name] = templates.value(name)
        except TemplateError as error:
            troubles.append(Trouble(name, "I117", f"`{name}`: {error.message}", error.hint))
    return rendered, sorted(troubles, key=lambda trouble: trouble.variable)
