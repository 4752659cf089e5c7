"""Which values of an inventory are secret: what is encrypted, and what is one by its name.

Laws:
1. A secret value is no label and reaches no plan, no template of one, and no output.
2. Only variables of the connection may be secret and used: an address is part of every plan
   anyway, and who encrypts one keeps it out of git, not out of plans.
3. What stands in the mapping `labels` was meant for plans by whoever wrote it there, whatever it is called.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.secret_names import is_secret_name
from orchestrator.source import VAULT_TAG, Entry, MappingNode, Node, ScalarNode

SECRET_VARIABLES = frozenset({  # rollouts use keys, not passwords
    "ansible_password", "ansible_ssh_pass", "ansible_ssh_password", "ansible_become_password",
    "ansible_become_pass", "ansible_sudo_pass", "ansible_su_pass", "ansible_ssh_passphrase",
    "ansible_private_key_passphrase", "ansible_private_key", "ansible_ssh_private_key",
})  # fmt: skip
_LABELS = "labels"
_OPENED_TAG = "!opened"  # of values from a file that was encrypted as a whole; no tag of YAML


def opened(entry: Entry) -> Entry:
    """The entry of a file that was encrypted, marked so."""
    value = entry.value
    if isinstance(value, ScalarNode) and value.tag == VAULT_TAG:
        return entry  # encrypted twice; the inner one is still closed
    return Entry(entry.key, replace(value, tag=_OPENED_TAG))


def is_secret(name: str, value: Node) -> bool:
    """Whether a variable of this name and value is secret; a part of it makes it so."""
    if is_named_secret(name):
        return True
    return _holds_secret(value, by_name=name != _LABELS)


def is_named_secret(name: str) -> bool:
    """Whether the name says that its value is a secret: `ansible_password`, `api_token`, `dbPass`."""
    return name in SECRET_VARIABLES or is_secret_name(name)


def is_closed(value: Node) -> bool:
    """Whether the value is text of a vault that nobody has opened."""
    return isinstance(value, ScalarNode) and value.tag == VAULT_TAG


def is_opened(value: Node) -> bool:
    """Whether the value comes from a file that was encrypted."""
    return value.tag == _OPENED_TAG


def _holds_secret(value: Node, *, by_name: bool) -> bool:
    if value.tag in (VAULT_TAG, _OPENED_TAG):
        return True
    match value:
        case ScalarNode():
            return False
        case MappingNode():
            return any(
                (by_name and is_named_secret(key.text)) or _holds_secret(item, by_name=by_name)
                for key, item in value.entries
            )
        case _:
            return any(_holds_secret(item, by_name=by_name) for item in value.items)
