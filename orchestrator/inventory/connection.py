"""Where a device answers, from Ansible's connection variables and our pinned host keys.

Laws:
1. The `ansible_ssh_*` names win over the short ones, as in Ansible.
2. Nothing turns host key checking off.
3. What is not understood is an error for the devices that are selected, not for the file:
   an inventory may hold hosts that no rollout ever touches.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.device.model import HELPER_USER, SSH_PORT, Address, Hop
from orchestrator.inventory.ssh_args import SshArgsError, is_host, is_user, parse_jumps
from orchestrator.source import shown

HOST_KEYS_VARIABLE = "rollout_host_keys"
_HOST_KEY = re.compile(r"([a-z0-9@.-]{1,64}) +([A-Za-z0-9+/]+={0,2})(?: .*)?")
_HOST_KEY_TYPES = frozenset({
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
})  # fmt: skip
_HOST_KEYS_MAX = 8
_ARGS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_CHECKING = ("ansible_ssh_host_key_checking", "ansible_host_key_checking")
CONNECTION_VARIABLES = frozenset({
    "ansible_host", "ansible_ssh_host", "ansible_port", "ansible_ssh_port", "ansible_user",
    "ansible_ssh_user", "ansible_private_key_file", "ansible_ssh_private_key_file",
    "ansible_become", "ansible_become_method", "ansible_connection", HOST_KEYS_VARIABLE,
    *_ARGS, *_CHECKING,
})  # fmt: skip
_CONNECTIONS = frozenset({"ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"})
_TRUE = ("true", "yes", "on", "1")
_BECOME = ("sudo", "doas")  # Ansible's default first
_PORT_MAX = 65535


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one variable of one device."""

    variable: str
    code: str
    message: str
    hint: str = ""


class _VariableError(Exception):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


def address_of(
    name: str, variables: Mapping[str, object], *, cwd: Path
) -> tuple[Address | None, tuple[Trouble, ...]]:
    """The address of a device, or everything that is wrong with its variables.

    Args:
        name: of the device in the inventory; its address if no variable gives one.
        variables: merged, as plain values; those of `CONNECTION_VARIABLES` are rendered.
        cwd: where relative key files begin.
    """
    troubles: list[Trouble] = []
    reader = _Reader(variables, troubles)
    reader.check_connection()
    reader.check_host_key_checking()
    host = reader.host(name)
    port = reader.port()
    user = reader.user()
    key_file = reader.key_file(cwd)
    host_keys = reader.host_keys()
    jumps = reader.jumps(cwd)
    become = reader.become()
    if troubles:
        return None, tuple(troubles)
    return Address(host, port, user, key_file, host_keys, jumps, become), ()


def normalised_host_keys(value: object) -> tuple[str, ...]:
    """Pinned keys of a variable (text or list of texts) as `type base64`, without comments.

    Raises:
        ValueError: not a list of public keys in OpenSSH's form.
    """
    texts = value if isinstance(value, list) else [value]
    if len(texts) > _HOST_KEYS_MAX:
        message = f"{len(texts)} host keys; at most {_HOST_KEYS_MAX}"
        raise ValueError(message)
    return tuple(dict.fromkeys(_host_key(text) for text in texts))


def _host_key(text: object) -> str:
    match = _HOST_KEY.fullmatch(text.strip()) if isinstance(text, str) else None
    if not match:
        message = f"`{shown(str(text))}` is not a public key"
        raise ValueError(message)
    kind, encoded = match[1], match[2]
    if kind not in _HOST_KEY_TYPES:
        message = f"`{kind}` is not a kind of host key that is accepted"
        raise ValueError(message)
    try:
        blob = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        message = f"the key after `{kind}` is not base64"
        raise ValueError(message) from error
    inner = len(kind).to_bytes(4, "big") + kind.encode()
    if not blob.startswith(inner) or len(blob) <= len(inner):
        message = f"the key after `{kind}` is cut off or of another kind"
        raise ValueError(message)
    return f"{kind} {encoded}"


class _Reader:
    """Reads one device's variables; a bad one is noted and replaced by a default."""

    def __init__(self, variables: Mapping[str, object], troubles: list[Trouble]) -> None:
        self._variables = variables
        self._troubles = troubles

    def host(self, name: str) -> str:
        variable, text = self._text("ansible_ssh_host", "ansible_host")
        if text is None:
            return name
        if not is_host(text):
            hint = "write a host name or an IP address"
            self._note(variable, "I106", f"`{shown(text)}` is not an address", hint)
        return text

    def port(self) -> int:
        variable, value = self._first("ansible_ssh_port", "ansible_port")
        if value is None:
            return SSH_PORT
        text = str(value) if isinstance(value, int) else value
        if isinstance(value, bool) or not isinstance(text, str) or not text.isdecimal():
            shown_value = shown(str(value))
            self._note(variable, "I112", f"`{shown_value}` is not a port", f"write 1..{_PORT_MAX}")
            return SSH_PORT
        if not 1 <= int(text[:9]) <= _PORT_MAX:
            self._note(variable, "I112", f"port {text} is outside 1..{_PORT_MAX}")
        return int(text[:9])

    def user(self) -> str:
        variable, text = self._text("ansible_ssh_user", "ansible_user")
        if text is not None and not is_user(text):
            self._note(variable, "I125", f"`{shown(text)}` is not a login name")
        return text or HELPER_USER

    def key_file(self, cwd: Path) -> str | None:
        variable, text = self._text("ansible_ssh_private_key_file", "ansible_private_key_file")
        if text is None:
            return None
        if not text.isprintable():
            self._note(variable, "I125", f"`{shown(text)}` is not a path")
            return None
        return str(cwd / Path(text).expanduser())

    def host_keys(self) -> tuple[str, ...]:
        value = self._variables.get(HOST_KEYS_VARIABLE)
        if value is None:
            return ()
        try:
            return normalised_host_keys(value)
        except ValueError as error:
            hint = "write lines as `ssh-keyscan HOST` prints them, without the host's name"
            self._note(HOST_KEYS_VARIABLE, "I114", str(error), hint)
            return ()

    def jumps(self, cwd: Path) -> tuple[Hop, ...]:
        jumps: tuple[Hop, ...] = ()
        for name in _ARGS:
            variable, text = self._text(name)
            if not text:
                continue
            try:
                jumps = parse_jumps(text) or jumps
            except SshArgsError as error:
                self._note(variable, error.code, str(error), error.hint)
        return tuple(
            replace(hop, key_file=str(cwd / Path(hop.key_file).expanduser()))
            if hop.key_file
            else hop
            for hop in jumps
        )

    def become(self) -> str | None:
        wanted = self._variables.get("ansible_become")
        if wanted is None or str(wanted).lower() not in _TRUE:
            return None
        variable, text = self._text("ansible_become_method")
        if text is not None and text not in _BECOME:
            message = f"`{shown(text)}` is not a way to become another user here"
            self._note(variable, "I125", message, "write `sudo` or `doas`")
            return None
        return text or _BECOME[0]

    def check_connection(self) -> None:
        variable, text = self._text("ansible_connection")
        if text is not None and text not in _CONNECTIONS:
            message = f"reached by `{shown(text)}`; rollouts go over ssh only"
            hint = "leave the host out of the pattern, as `!NAME`"
            self._note(variable, "I118", message, hint)

    def check_host_key_checking(self) -> None:
        for name in _CHECKING:
            value = self._variables.get(name)
            if value is not None and str(value).lower() not in _TRUE:
                message = f"`{name}: {shown(str(value))}` would accept any device that answers"
                hint = f"remove it, and pin the device's key in `{HOST_KEYS_VARIABLE}`"
                self._note(name, "I116", message, hint)

    def _first(self, *names: str) -> tuple[str, object]:
        for name in names:
            value = self._variables.get(name)
            if value is None:
                continue
            return name, value
        return names[-1], None

    def _text(self, *names: str) -> tuple[str, str | None]:
        variable, value = self._first(*names)
        if value is None or isinstance(value, str):
            return variable, value or None
        message = f"`{variable}` is {shown(repr(value))}, which is not text"
        self._note(variable, "I125", message, "put it into quotes")
        return variable, None

    def _note(self, variable: str, code: str, message: str, hint: str = "") -> None:
        self._troubles.append(Trouble(variable, code, message, hint))
