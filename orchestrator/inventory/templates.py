"""Variables with `{{ }}`: rendered for one host, only where we use them, as Ansible would.

Laws:
1. A value is rendered when it is asked for: what nobody uses may hold any of Ansible's Jinja.
2. Names in it are the host's variables (which may be templates themselves) and
   `inventory_hostname`, `inventory_hostname_short`, `group_names`, `groups`, and `hostvars` with
   the name of a host in quotes. The language is that of plans (`plan.template`).
3. A secret value is rendered for the connection alone, which has the vault's passwords.
4. `{{ name }}` alone is the value of the variable, of whatever kind; `!unsafe` is never a template.

Source: inventory.md, "Connection" and a.3.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from operator import is_

from orchestrator.inventory.graph import Variables
from orchestrator.inventory.secret import is_closed, is_named_secret, is_secret
from orchestrator.plan.template import TemplateError, check_template, is_template, plain, render
from orchestrator.source import UNSAFE_TAG, MappingNode, Node, SequenceNode
from orchestrator.trust.ansible_vault import Vault, VaultError

_ALONE = re.compile(r"\{\{\s*([A-Za-z][A-Za-z0-9_]*)\s*\}\}")
_HOSTVARS = re.compile(r"\bhostvars\s*\[\s*(?:'([^']*)'|\"([^\"]*)\")\s*\]")
_HOSTVARS_ANY = re.compile(r"\bhostvars\b")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CHAIN_MAX = 16  # variables that name variables; Ansible's own users stay below four


@dataclass(frozen=True, slots=True)
class HostTemplates:
    """The variables of one host, rendered one by one on demand.

    Args:
        name: of the host.
        entries: its winning entries, for the tags of the values.
        values: the same as plain values.
        groups: names of its groups, sorted.
        members: the hosts of each group by its name; asked only where a template says `groups`.
        others: the templates of another host with that vault, None for an unknown name.
        vault: opens encrypted values; None where secret values are not to be read at all.
    """

    name: str
    entries: Variables
    values: Mapping[str, object]
    groups: tuple[str, ...]
    members: Callable[[], Mapping[str, list[str]]]
    others: Callable[[str, Vault | None], HostTemplates | None]
    vault: Vault | None = None
    _done: dict[str, object] = field(default_factory=dict, init=False)

    def value(self, variable: str) -> object:
        """One of the host's variables with everything in it rendered.

        Raises:
            TemplateError: a template that is not ours to render, or reads what is not there.
        """
        return self._variable(variable, ())

    def usable(self, names: Iterable[str]) -> dict[str, object]:
        """These variables, rendered; those that only Ansible could render are left out."""
        found: dict[str, object] = {}
        for name in names:
            with contextlib.suppress(TemplateError):
                found[name] = self.value(name)
        return found

    def _variable(self, variable: str, chain: tuple[str, ...]) -> object:
        """The value, rendered once: what many variables name is not rendered many times."""
        if variable in self._done:
            return self._done[variable]
        value, node = self.values[variable], self.entries[variable].value
        secret = is_secret(variable, node)
        if not secret and _is_final(value):
            return value
        link = f"`{variable}` of `{self.name}`"
        if link in chain:
            circle = " -> ".join((*chain[chain.index(link) :], link))
            raise TemplateError(f"a variable that names itself: {circle}", hint="break the circle")
        if len(chain) >= _CHAIN_MAX:
            raise TemplateError(f"more than {_CHAIN_MAX} variables that name one another")
        if secret:
            value = self._secret(variable, node)
        value = self._rendered(value, node, (*chain, link))
        self._done[variable] = value
        return value

    def _secret(self, variable: str, node: Node) -> object:
        named = is_named_secret(variable)
        if named or self.vault is None:
            hint = "only variables of the connection may be encrypted and used"
            if named:
                hint = "its name says so; what plans may read is called otherwise"
            raise TemplateError(f"`{variable}` is secret", hint=hint)
        if not is_closed(node):
            return self.values[variable]
        try:
            return self.vault.open(str(self.values[variable]).encode()).decode()
        except (VaultError, UnicodeDecodeError) as error:
            why = str(error) if isinstance(error, VaultError) else "it holds no text"
            hint = "name its password's file in `vault_passwords` of your own configuration"
            message = f"`{variable}` is encrypted with ansible-vault: {why}"
            raise TemplateError(message, hint=hint) from error

    def _rendered(self, value: object, node: Node, chain: tuple[str, ...]) -> object:
        """The same object where nothing is rendered: hosts of a group go on sharing it."""
        if node.tag == UNSAFE_TAG:  # that of a collection holds for all that is in it
            return value
        match value, node:
            case str(), _:
                return self._text(value, chain) if is_template(value) else value
            case list(), SequenceNode(items=below):
                items = [self._rendered(*pair, chain) for pair in zip(value, below, strict=True)]
                return value if all(map(is_, items, value)) else items
            case dict(), MappingNode(entries=entries):
                nodes = {key.text: item for key, item in entries}
                parts = {key: self._rendered(value[key], nodes[key], chain) for key in value}
                return value if all(map(is_, parts.values(), value.values())) else parts
            case _:
                return value

    def _text(self, text: str, chain: tuple[str, ...]) -> object:
        known: dict[str, object] = {}
        for name in check_template(text).names:
            if name in self.entries:
                known[name] = self._variable(name, chain)
            elif name == "hostvars":
                known[name] = self._hostvars(text, chain)
            elif name in _MAGIC:
                known[name] = _MAGIC[name](self)
        alone = _ALONE.fullmatch(text.strip())
        if alone and alone[1] in known:
            return plain(known[alone[1]])
        return render(text, known)

    def _hostvars(self, text: str, chain: tuple[str, ...]) -> dict[str, object]:
        """Variables of the hosts that the text names; all of all would be the whole inventory."""
        names = [first or second for first, second in _HOSTVARS.findall(text)]
        if len(names) != len(_HOSTVARS_ANY.findall(text)):
            hint = "write `hostvars['NAME'].variable`"
            raise TemplateError("`hostvars` takes the name of a host in quotes", hint=hint)
        found: dict[str, object] = {}
        for name in names:
            other = self.others(name, self.vault)
            if other is None:
                raise TemplateError(f"`hostvars` of `{name}`, which is no host")
            found[name] = other._mentioned(text, chain)  # noqa: SLF001 (the same class)
        return found

    def _mentioned(self, text: str, chain: tuple[str, ...]) -> dict[str, object]:
        """The variables whose names stand in a text."""
        words = set(_WORD.findall(text))
        return {name: self._variable(name, chain) for name in self.values if name in words}


def _is_final(value: object) -> bool:
    """Whether nothing in it can be a template: nearly every value of an inventory."""
    return not is_template(value) if isinstance(value, str) else not isinstance(value, list | dict)


_MAGIC: Mapping[str, Callable[[HostTemplates], object]] = {
    "inventory_hostname": lambda host: host.name,
    "inventory_hostname_short": lambda host: host.name.partition(".")[0],
    "group_names": lambda host: list(host.groups),
    "groups": lambda host: dict(host.members()),
}
