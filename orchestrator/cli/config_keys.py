"""The keys of a configuration: what each may hold, and which grant power.

Laws:
1. A value is right or an error; nothing is turned into something else but paths, which become
   absolute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from orchestrator.errors import OrchestratorError, Where
from orchestrator.units import parse_duration

Value = str | int | tuple[str, ...]

CONNECTIONS_MAX = 10_000
KINDS: Mapping[str, type] = {
    "state": str,
    "inventory": list,
    "color": str,
    "trusted_keys": list,
    "allow_commands": list,
    "allow_gate_kinds": list,
    "allow_device_access": list,
    "gate_tokens": list,
    "known_hosts": list,
    "identity_files": list,
    "connections_max": int,
    "reconcile_every": str,
    "people": list,
    "roles": list,
    "fleet": str,
    "trust_root": str,
    "allowed_signers": str,
    "revoked_signers": str,
    "require_hardware_keys": bool,
    "require_signed_commit": bool,
    "require_signed_reports": bool,
    "audit_key": str,
    "audit_checkpoints": str,
    "evidence_policy": str,
    "hook_secrets": list,
    "mail_server": str,
    "mail_from": str,
    "mail_login": str,
    "host_ca": str,
    "user_ca": str,
    "vault_passwords": list,
    "inventory_programs": list,
    "inventory_program_env": list,
    "inventory_servers": list,
}
NEVER = "insecure_host_keys"  # people look for it; docs/how-to/enroll.md says what to do instead
POWER_KEYS = frozenset({
    "allow_commands", "allow_device_access", "allow_gate_kinds", "allowed_signers",
    "audit_checkpoints", "audit_key",
    "evidence_policy", "fleet", "gate_tokens", "hook_secrets", "host_ca", "inventory_program_env",
    "inventory_programs", "inventory_servers", "known_hosts", "mail_from", "mail_login",
    "mail_server", "people",
    "require_hardware_keys", "require_signed_commit", "require_signed_reports", "revoked_signers", "roles", "trust_root",
    "trusted_keys", "user_ca", "vault_passwords",
})  # fmt: skip
_FILE_KEYS = frozenset({
    "state", "mail_login", "allowed_signers", "revoked_signers", "trust_root", "audit_key",
    "audit_checkpoints", "evidence_policy", "host_ca", "user_ca",
})  # fmt: skip
# Whoever may write these chooses whom to trust, so they lie outside of the project's repository.
TRUST_FILES = ("allowed_signers", "revoked_signers", "trust_root", "host_ca", "user_ca")
PATH_KEYS = frozenset({"inventory", "trusted_keys", "known_hosts", "identity_files"})
COLORS = ("auto", "always", "never")
_KIND_NAMES = {str: "a text", list: "a list of texts", int: "a whole number", bool: "true or false"}
SEPARATORS = {
    "gate_tokens": ",",
    "hook_secrets": ",",
    "inventory_servers": ",",
}  # in variables: addresses hold colons
_ANY = re.compile(r".*", re.DOTALL)
_PLACE = re.compile(r"https?://[^=/]+=(file:/.+|env:[A-Za-z_][A-Za-z0-9_]*)")
_PLACE_FORM = "are `https://host:port=file:/path` or `https://host:port=env:NAME`"
# Two at least, for a directory may be called `user=ann`.
_NOT_LIBPQ = re.compile(
    r"(?!(?:(?:|.*[\s/])(?:host|hostaddr|port|dbname|user|password|service)\s*=){2}).*"
    r"|.+://.*",
    re.DOTALL,
)
_FORMS = {  # of texts, and of each text of a list
    "state": (
        _NOT_LIBPQ,
        "is a path or `postgresql://USER@HOST:PORT/DATABASE`, not the `key=value` of libpq",
    ),
    "allow_device_access": (re.compile(r"shell|fetch"), "has `shell`, `fetch` or both"),
    "gate_tokens": (_PLACE, _PLACE_FORM),
    "hook_secrets": (_PLACE, _PLACE_FORM),
    "inventory_programs": (re.compile(r"/.+"), "are absolute paths of programs"),
    "inventory_servers": (
        re.compile(r"https?://[^=/@]+(=(file:/.+|env:[A-Za-z_][A-Za-z0-9_]*))?"),
        "are `https://host:port`, with a token `=file:/path` or `=env:NAME` behind it",
    ),
    "inventory_program_env": (
        re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
        "are names of variables, as `NETBOX_TOKEN`",
    ),
    "vault_passwords": (
        re.compile(r"(?:[A-Za-z0-9_.-]+=)?/.+"),
        "are `/path` or `LABEL=/path`, each a file that holds the password",
    ),
    "people": (
        re.compile(r"[^=,\s]+=[^=,\s]+(,[^=,\s]+)*"),
        "are `NAME=ROLE,ROLE`, such as `ann=ops,safety`",
    ),
    "roles": (
        re.compile(r"(author|approver|releaser|operator|break-glass|auditor)=[^=,\s]+(,[^=,\s]+)*"),
        "has author, approver, releaser, operator, break-glass and auditor, each a list of names",
    ),
    "fleet": (
        re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}"),
        "is a name of letters, digits and `._+-`, such as `acme-prod`",
    ),
    "mail_server": (
        re.compile(r"smtp(s|\+starttls)?://[^\s/@?#]+"),
        "is `smtp+starttls://HOST:PORT`, or with `smtps` or `smtp`",
    ),
    "mail_from": (
        re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+"),
        "is one address, as `rollout@example.org`",
    ),
}
_PASSWORD = re.compile(r"[a-z0-9+]+://(?:[^@]*:[^@]*@|.*[?&](?:ssl)?password=)", re.IGNORECASE)


def checked(key: str, raw: object, where: Where, base: Path) -> Value:
    """The value as settings take it; `base` is where its paths begin.

    Raises:
        OrchestratorError: it is not what the key may hold.
    """
    if problem := _problem(key, raw):
        raise OrchestratorError(problem, where=where, code="C105")
    if isinstance(raw, list):
        return tuple(absolute(item, base) if key in PATH_KEYS else item for item in raw)
    if isinstance(raw, int):
        return raw
    return absolute(str(raw), base) if key in _FILE_KEYS else str(raw)


def _problem(key: str, raw: object) -> str:
    kind = KINDS[key]
    right = type(raw) is kind
    if isinstance(raw, list):
        right = right and all(isinstance(item, str) and item for item in raw)
    if not right:
        return f"`{key}` must be {_KIND_NAMES[kind]}"
    if key == "color" and raw not in COLORS:
        return f"`color` must be one of {', '.join(COLORS)}"
    if kind is int and isinstance(raw, int) and not 1 <= raw <= CONNECTIONS_MAX:
        return f"`connections_max` must be between 1 and {CONNECTIONS_MAX}"
    if key == "reconcile_every" and not _is_duration(str(raw)):
        return "`reconcile_every` is a duration above zero, such as `15m`"
    pattern, form = _FORMS.get(key, (_ANY, ""))
    if not all(pattern.fullmatch(str(item)) for item in (raw if isinstance(raw, list) else [raw])):
        return f"`{key}` {form}"
    return ""


def _is_duration(text: str) -> bool:
    try:
        return parse_duration(text) > 0
    except ValueError:
        return False


def absolute(text: str, base: Path) -> str:
    """A path seen from `base`; URLs and host lists (`a,b,`) stay as they are."""
    if "://" in text or "," in text:
        return text
    return str(base / Path(text).expanduser())


def unknown(key: str, where: Where) -> OrchestratorError:
    """There is no such key."""
    if key == NEVER:
        message = f"`{key}` is refused everywhere: whoever answers first would be the device"
        hint = "remove it, and pin the keys (`rollout device pin`), or certify them (`rollout ca`)"
        return OrchestratorError(message, hint=hint, where=where, code="C106")
    from orchestrator.source.suggest import did_you_mean

    message = f"unknown key `{key}`{did_you_mean(key, KINDS)}"
    return OrchestratorError(
        message, hint=f"known keys: {', '.join(sorted(KINDS))}", where=where, code="C102"
    )


def too_powerful(key: str, where: Where) -> OrchestratorError:
    """The project's file may not set it."""
    what = "a state URL with a password" if key == "state" else f"`{key}`"
    hint = f"it grants power; set it in your own configuration or as ROLLOUT_{key.upper()}"
    message = f"{what} may not be set in the project's file"
    return OrchestratorError(message, hint=hint, where=where, code="C104")


def in_repository(key: str, file: str, where: Where) -> OrchestratorError:
    """What it names lies where plans do."""
    message = f"`{key}` may not lie in the repository of the project, as `{file}` does"
    hint = "whoever writes there would choose whom to trust; keep it where only operators write"
    return OrchestratorError(message, hint=hint, where=where, code="C104")


def has_password(key: str, raw: object) -> bool:
    """Whether it is a state URL with a password in it."""
    return key == "state" and isinstance(raw, str) and bool(_PASSWORD.match(unquote(raw)))
