"""Configuration: flags > `ROLLOUT_*` > `rollout.toml` of the project > the user's file > defaults.

Laws:
1. The project's file comes from git, so it grants no power: keys in `POWER_KEYS`, and a state URL
   with a password, are errors there.
2. Unknown keys are errors with a did-you-mean, in both files.
3. Paths in a file are relative to that file, paths in flags and variables to the working
   directory; everything that leaves here is absolute.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from orchestrator.api import Settings
from orchestrator.errors import OrchestratorError, Where, system_reason
from orchestrator.units import parse_duration

PROJECT_FILE = "rollout.toml"
STATE_DEFAULT = ".rollout/state.db"
FILE_BYTES_MAX = 1024 * 1024  # a configuration is a page of text
CONNECTIONS_MAX = 10_000

KINDS: Mapping[str, type] = {
    "state": str,
    "inventory": list,
    "color": str,
    "trusted_keys": list,
    "allow_commands": list,
    "allow_gate_kinds": list,
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
}
POWER_KEYS = frozenset({
    "allow_commands", "allow_gate_kinds", "allowed_signers", "audit_checkpoints", "audit_key",
    "evidence_policy", "fleet", "gate_tokens", "hook_secrets", "host_ca", "inventory_program_env",
    "inventory_programs", "mail_from", "mail_login", "mail_server", "people",
    "require_signed_commit", "require_signed_reports", "revoked_signers", "roles", "trust_root",
    "trusted_keys", "user_ca", "vault_passwords",
})  # fmt: skip
_FILE_KEYS = frozenset({
    "state", "mail_login", "allowed_signers", "revoked_signers", "trust_root", "audit_key",
    "audit_checkpoints", "evidence_policy", "host_ca", "user_ca",
})  # fmt: skip
PATH_KEYS = frozenset({"inventory", "trusted_keys", "known_hosts", "identity_files"})
COLORS = ("auto", "always", "never")
_KIND_NAMES = {str: "a text", list: "a list of texts", int: "a whole number", bool: "true or false"}
_SEPARATORS = {"gate_tokens": ",", "hook_secrets": ","}  # in variables: addresses hold colons
_ANY = re.compile(r".*", re.DOTALL)
_PLACE = re.compile(r"https?://[^=/]+=(file:/.+|env:[A-Za-z_][A-Za-z0-9_]*)")
_PLACE_FORM = "are `https://host:port=file:/path` or `https://host:port=env:NAME`"
_FORMS = {  # of texts, and of each text of a list
    "gate_tokens": (_PLACE, _PLACE_FORM),
    "hook_secrets": (_PLACE, _PLACE_FORM),
    "inventory_programs": (re.compile(r"/.+"), "are absolute paths of programs"),
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
        re.compile(r"(author|approver|releaser|operator|auditor)=[^=,\s]+(,[^=,\s]+)*"),
        "has author, approver, releaser, operator and auditor, each a list of names",
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
_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")

Value = str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line itself says; None or empty: nothing."""

    state: str | None = None
    color: str | None = None
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration in force."""

    settings: Settings
    color: str = "auto"
    project_file: Path | None = None


def load(flags: Flags, environment: Mapping[str, str], directory: Path) -> Config:
    """The configuration for a command that works in `directory`.

    Raises:
        OrchestratorError: a file or variable is wrong; says where and how it should be.
    """
    root, project_file = find_project(directory)
    user_file = flags.config or _user_file(environment)
    layers = (
        _from_flags(flags),
        _from_environment(environment, directory),
        _from_file(project_file, is_project=True) if project_file else {},
        _from_file(user_file, is_project=False) if user_file else {},
    )
    merged: dict[str, Value] = {}
    for layer in reversed(layers):
        merged.update(layer)
    return Config(
        settings=_settings(merged, root, directory),
        color=str(merged.get("color", "auto")),
        project_file=project_file,
    )


def find_project(directory: Path) -> tuple[Path, Path | None]:
    """The project's directory and its file: the nearest upward, not beyond the git root.

    Without a file the project is where its state lies, else the git root, else `directory`: a
    rollout under way must be found again from anywhere below.
    """
    for place in (directory, *directory.parents):
        if (place / PROJECT_FILE).is_file():
            return place, place / PROJECT_FILE
        if _may_be_there(place / STATE_DEFAULT) or (place / ".git").exists():
            return place, None
    return directory, None


def _may_be_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # its directory is closed to us, as another user's is; opening it says so
        return True


def _user_file(environment: Mapping[str, str]) -> Path | None:
    if named := environment.get("ROLLOUT_CONFIG"):
        return Path(named)
    import platformdirs

    path = Path(platformdirs.user_config_dir("rollout")) / "config.toml"
    return path if _may_be_there(path) else None  # it may forbid something: never left out


def _from_flags(flags: Flags) -> dict[str, Value]:
    given = {"state": flags.state, "color": flags.color}
    return {key: value for key, value in given.items() if value is not None}


def _from_environment(environment: Mapping[str, str], directory: Path) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, kind in KINDS.items():
        name = f"ROLLOUT_{key.upper()}"
        text = environment.get(name, "")
        if not text:
            continue
        where = Where(f"environment variable {name}")
        raw: object = text
        if kind is list:
            raw = [part for part in text.split(_SEPARATORS.get(key, os.pathsep)) if part]
        elif kind is int:
            raw = int(text) if text.isascii() and text.isdigit() else text
        elif kind is bool:
            raw = {"true": True, "false": False}.get(text, text)
        found[key] = _checked(key, raw, where, directory)
    return found


def _from_file(path: Path, *, is_project: bool) -> dict[str, Value]:
    text = _read(path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _TOML_PLACE.search(str(error))
        where = Where(str(path), int(place[1]), int(place[2])) if place else Where(str(path))
        message = f"not TOML: {_TOML_PLACE.sub('', str(error)).lower()}"
        raise OrchestratorError(message, where=where, code="C101") from error
    found: dict[str, Value] = {}
    for key, raw in table.items():
        where = _where(path, text, key)
        if key not in KINDS:
            raise _unknown(key, where)
        if is_project and (key in POWER_KEYS or _has_password(key, raw)):
            raise _power(key, where)
        value = _role_lines(raw) if key == "roles" else raw
        found[key] = _checked(key, value, where, path.parent)
    return found


def _role_lines(table: object) -> object:
    """The table `[roles]` as the variable writes it: `ROLE=NAME,NAME`."""
    if not isinstance(table, dict) or not all(isinstance(one, list) for one in table.values()):
        return table
    return [f"{role}={','.join(map(str, names))}" for role, names in table.items()]


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            message = f"configuration `{path}` is larger than 1 MiB"
            raise OrchestratorError(message, where=Where(str(path)), code="C103")
        return data.decode("utf-8")
    except OSError as error:
        message = f"cannot read configuration `{path}`: {system_reason(error)}"
        raise OrchestratorError(message, where=Where(str(path)), code="C103") from error
    except UnicodeDecodeError as error:
        message = f"configuration `{path}` is not UTF-8"
        raise OrchestratorError(message, where=Where(str(path)), code="C103") from error


def _where(path: Path, text: str, key: str) -> Where:
    pattern = re.compile(rf"^\s*(?:\[+)?[\"']?{re.escape(key)}[\"']?\s*[.=\]]")
    for number, line in enumerate(text.splitlines(), 1):
        if pattern.match(line):
            return Where(str(path), number, len(line) - len(line.lstrip()) + 1)
    return Where(str(path))


def _unknown(key: str, where: Where) -> OrchestratorError:
    from orchestrator.source.suggest import did_you_mean

    message = f"unknown key `{key}`{did_you_mean(key, KINDS)}"
    return OrchestratorError(
        message, hint=f"known keys: {', '.join(sorted(KINDS))}", where=where, code="C102"
    )


def _power(key: str, where: Where) -> OrchestratorError:
    what = "a state URL with a password" if key == "state" else f"`{key}`"
    hint = f"it grants power; set it in your own configuration or as ROLLOUT_{key.upper()}"
    message = f"{what} may not be set in the project's file"
    return OrchestratorError(message, hint=hint, where=where, code="C104")


def _has_password(key: str, raw: object) -> bool:
    return key == "state" and isinstance(raw, str) and bool(_PASSWORD.match(unquote(raw)))


def _checked(key: str, raw: object, where: Where, base: Path) -> Value:
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


def _settings(values: Mapping[str, Value], root: Path, directory: Path) -> Settings:
    def texts(key: str) -> tuple[str, ...]:
        value = values.get(key, ())
        return value if isinstance(value, tuple) else ()

    def paths(key: str) -> tuple[Path, ...]:
        return tuple(Path(item) for item in texts(key))

    def path(key: str) -> Path | None:
        return Path(str(found)) if (found := values.get(key)) else None

    limit, every = values.get("connections_max", 100), values.get("reconcile_every")
    return Settings(
        root=root,
        state=absolute(str(values.get("state", root / STATE_DEFAULT)), directory),
        inventory=texts("inventory"),
        trusted_keys=paths("trusted_keys"),
        allow_commands=texts("allow_commands"),
        allow_gate_kinds=texts("allow_gate_kinds"),
        gate_tokens=texts("gate_tokens"),
        known_hosts=paths("known_hosts"),
        identity_files=paths("identity_files"),
        people=texts("people"),
        roles=texts("roles"),
        hook_secrets=texts("hook_secrets"),
        vault_passwords=texts("vault_passwords"),
        inventory_programs=texts("inventory_programs"),
        inventory_program_env=texts("inventory_program_env"),
        mail_server=str(values.get("mail_server", "")),
        mail_from=str(values.get("mail_from", "")),
        mail_login=path("mail_login"),
        host_ca=path("host_ca"),
        user_ca=path("user_ca"),
        fleet=str(values.get("fleet", "")),
        trust_root=path("trust_root"),
        allowed_signers=path("allowed_signers"),
        revoked_signers=path("revoked_signers"),
        evidence_policy=path("evidence_policy"),
        require_signed_commit=values.get("require_signed_commit") is True,
        require_signed_reports=values.get("require_signed_reports") is True,
        audit_key=path("audit_key"),
        audit_checkpoints=path("audit_checkpoints"),
        connections_max=limit if isinstance(limit, int) else 100,
        reconcile_every_s=None if every is None else parse_duration(str(every)),
    )
