"""A device as every layer sees it: identity, labels, variables, and how to reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NewType

DeviceId = NewType("DeviceId", str)

SSH_PORT = 22
HELPER_USER = "rollout"  # the account behind whose forced command the helper answers


@dataclass(frozen=True, slots=True)
class Hop:
    """One jump host on the way to a device; its host key is checked like the device's.

    `key_file` is what it is logged in with, None: what the device is.
    """

    host: str
    port: int = SSH_PORT
    user: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a device answers and who it must prove to be.

    `host_keys` are pinned public keys in OpenSSH's form (`ssh-ed25519 AAAA...`); when empty,
    `known_hosts` files decide. There is no way to say "any key".

    `become` is `sudo` or `doas` where `user` is an ordinary account that has to become the helper's
    own first; None where its key leads straight to the helper.
    """

    host: str
    port: int = SSH_PORT
    user: str = HELPER_USER
    key_file: str | None = None
    host_keys: tuple[str, ...] = ()
    jumps: tuple[Hop, ...] = ()
    become: str | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """One target of a fleet; `id` is its name in the inventory and never its address.

    `labels` are strings used to select and spread; `variables` are JSON-like values of the
    inventory, for `{{ }}` in plans. Neither holds secrets or anything the device said.
    """

    id: DeviceId
    address: Address
    labels: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, object] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
