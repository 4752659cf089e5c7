"""OpenSSH arguments that inventories carry, read for their meaning instead of being passed on.

Understood: `-J` and `ProxyJump`, `ProxyCommand="ssh -W %h:%p [-i KEY] ... GATEWAY"`, and options
that only tune OpenSSH's own connection (sharing it, compression). Everything else is refused, never ignored: an
option that is dropped silently is a device reached in another way than its owner wrote.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from ipaddress import ip_address

from orchestrator.device.model import SSH_PORT, Hop
from orchestrator.source import is_ipv6, shown

_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+\\-]{0,127}")
_HOP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]]+))"
    r"(?::(?P<port>[0-9]{1,6}))?/?"
)
_SETTING = re.compile(r"\s*([A-Za-z]{1,40})(?:\s*=\s*|\s+)(\S.*)")
_NO_MEANING_HERE = frozenset({"controlmaster", "controlpersist", "controlpath", "compression"})
_CHECKING_OFF = frozenset({"no", "off", "false", "accept-new"})
_PORT_MAX = 65535
_JUMPS_MAX = 8


class SshArgsError(ValueError):
    """Arguments that are refused; `code` is the diagnostic's, `hint` says what to write."""

    def __init__(self, message: str, hint: str = "", code: str = "I115") -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


@dataclass(frozen=True, slots=True)
class _Option:
    name: str
    value: str


def parse_jumps(text: str) -> tuple[Hop, ...]:
    """The jump hosts in a string of OpenSSH arguments, first hop first.

    Raises:
        SshArgsError: an argument that is not understood, or turns host key checking off.
    """
    jumps: tuple[Hop, ...] = ()
    for option in _options(_words(text)):
        found = _jumps_of(option)
        if found is None:
            continue
        if jumps and found != jumps:
            raise SshArgsError("two different ways to a jump host", "keep one of them")
        jumps = found
    return jumps


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise SshArgsError(f"`{shown(text)}` has an open quote") from error


def _options(words: list[str]) -> list[_Option]:
    options = []
    rest = iter(words)
    for word in rest:
        if word == "-C":
            options.append(_Option("compression", "yes"))
            continue
        flag, value = word[:2], word[2:]
        if flag not in ("-o", "-J"):
            hint = (
                "understood: `-J HOST`, `-o ProxyJump=HOST`; or use `ansible_port`, `ansible_user`"
            )
            raise SshArgsError(f"ssh argument `{shown(word)}` is not understood", hint)
        value = value or next(rest, "")
        if not value:
            raise SshArgsError(f"ssh argument `{flag}` has no value")
        if flag == "-J":
            options.append(_Option("proxyjump", value))
            continue
        match = _SETTING.fullmatch(value)
        if not match:
            raise SshArgsError(f"ssh option `{shown(value)}` has no value", "write `-o NAME=VALUE`")
        options.append(_Option(match[1].lower(), match[2].strip()))
    return options


def _jumps_of(option: _Option) -> tuple[Hop, ...] | None:
    match option.name:
        case "proxyjump":
            return _proxy_jump(option.value)
        case "proxycommand":
            return _proxy_command(option.value)
        case "stricthostkeychecking":
            if option.value.lower() in _CHECKING_OFF:
                raise _checking_off(f"StrictHostKeyChecking={option.value}")
            return None
        case "userknownhostsfile" | "globalknownhostsfile":
            raise _checking_off(f"{option.name}={option.value}")
        case name if name in _NO_MEANING_HERE:
            return None
    hint = "understood are ProxyJump and ProxyCommand with `ssh -W %h:%p`; remove the option"
    raise SshArgsError(f"ssh option `{shown(option.name)}` is not understood", hint)


def _checking_off(option: str) -> SshArgsError:
    message = f"`{shown(option)}` would accept any device that answers"
    hint = "remove it, and pin the device's key in `rollout_host_keys`"
    return SshArgsError(message, hint, "I116")


def _proxy_jump(value: str) -> tuple[Hop, ...]:
    if value.lower() == "none":
        return ()
    parts = value.split(",")
    if len(parts) > _JUMPS_MAX:
        raise SshArgsError(f"{len(parts)} jump hosts; at most {_JUMPS_MAX}")
    return tuple(parse_hop(part.strip()) for part in parts)


def _proxy_command(value: str) -> tuple[Hop, ...]:
    """The jump host of `ssh -W %h:%p [-q] [-i KEY] [-p N] [-l USER] [USER@]HOST`, in any order."""
    words = _words(value)
    hint = "write `-o ProxyJump=USER@HOST:PORT` instead"
    if not words or words[0] not in ("ssh", "/usr/bin/ssh") or "%h:%p" not in value:
        raise SshArgsError(f"ProxyCommand `{shown(value)}` runs a program of its own", hint)
    host = ""
    told: dict[str, str] = {}
    rest = iter(words[1:])
    for word in rest:
        if word in ("-q", "-W%h:%p"):
            continue
        if word in ("-W", "-p", "-l", "-i"):
            told[word] = next(rest, "")
        elif word.startswith("-") or host:
            message = f"`{shown(word)}` in ProxyCommand is not understood"
            raise SshArgsError(message, hint)
        else:
            host = word
    hop = parse_hop(f"{host}:{told['-p']}" if told.get("-p") else host)
    key_file = told.get("-i")
    if key_file is not None and (not key_file or "%" in key_file or not key_file.isprintable()):
        raise SshArgsError(f"`-i {shown(key_file)}` in ProxyCommand names no file", "name a file")
    return (Hop(hop.host, hop.port, told.get("-l") or hop.user, key_file),)


def parse_hop(text: str) -> Hop:
    """A jump host: `[USER@]HOST[:PORT]`, IPv6 in brackets.

    Raises:
        SshArgsError: not of that form.
    """
    match = _HOP.fullmatch(text)
    hop = (
        Hop(match["v6"] or match["host"], int(match["port"] or SSH_PORT), match["user"])
        if match
        else None
    )
    if hop is None or not _is_sound(hop, is_bracketed=text.rpartition("@")[2].startswith("[")):
        raise SshArgsError(f"`{shown(text)}` is not a jump host", "write `USER@HOST:PORT`")
    if not 1 <= hop.port <= _PORT_MAX:
        raise SshArgsError(f"port {hop.port} is outside 1..{_PORT_MAX}", code="I112")
    return hop


def _is_sound(hop: Hop, *, is_bracketed: bool) -> bool:
    if is_bracketed and not is_ipv6(hop.host):
        return False
    return is_host(hop.host) and (hop.user is None or is_user(hop.user))


def is_host(text: str) -> bool:
    """Whether the text is a host name or an address, and nothing a program could misread."""
    if _HOST.fullmatch(text):
        return True
    address, _, zone = text.partition("%")
    try:
        ip_address(address)
    except ValueError:
        return False
    return not zone or bool(_ZONE.fullmatch(zone))


def is_user(text: str) -> bool:
    """Whether the text is a login name."""
    return bool(_USER.fullmatch(text))
