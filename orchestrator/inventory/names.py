"""Which names hosts and groups may have: what no shell, path, pattern or terminal reads wrongly.

Source: threats P24 and P25 (`-oProxyCommand=id`, `%h`, newline, escape codes, look-alikes).
"""

from __future__ import annotations

import re

from orchestrator.source import is_ipv6, shown

HOST_NAME_CHARS_MAX = 253  # the longest name in DNS
GROUP_NAME_CHARS_MAX = 128
ALL = "all"
UNGROUPED = "ungrouped"
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_HOST_CHAR = re.compile(r"[A-Za-z0-9_.@+-]")
_GROUP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_GROUP_CHAR = re.compile(r"[A-Za-z0-9_.-]")


def host_name_problem(name: str) -> str:
    """What is wrong with the name of a host, or ""."""
    if _HOST.fullmatch(name) and len(name) <= HOST_NAME_CHARS_MAX and ".." not in name:
        return ""
    if is_ipv6(name):
        return ""
    return _problem(name, _HOST_CHAR, HOST_NAME_CHARS_MAX, "a host name")


def group_name_problem(name: str) -> str:
    """What is wrong with the name of a group, or ""."""
    if _GROUP.fullmatch(name) and len(name) <= GROUP_NAME_CHARS_MAX:
        return ""
    return _problem(name, _GROUP_CHAR, GROUP_NAME_CHARS_MAX, "a group name")


def _problem(name: str, allowed: re.Pattern[str], chars_max: int, what: str) -> str:
    if not name:
        return f"{what} is empty"
    if len(name) > chars_max:
        return f"{what} has {len(name)} characters; at most {chars_max}"
    for char in name:
        if not allowed.fullmatch(char):
            point = f" (U+{ord(char):04X})" if not char.isascii() else ""
            return f"{what} cannot hold `{shown(char)}`{point}"
    if ".." in name:
        return f"{what} cannot hold `..`"
    return f"{what} cannot begin with `{name[0]}`"
