"""A project's files: scaffold it, validate its plans, list its inventory."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orchestrator
from orchestrator.api.schemas import schema_named
from orchestrator.api.values import Settings, Source, Validated
from orchestrator.errors import Diagnostic, PlanError, Severity, Where, system_reason
from orchestrator.source import shown

if TYPE_CHECKING:
    from orchestrator.inventory.ansible_cfg import Defaults
    from orchestrator.inventory.model import Inventory
    from orchestrator.trust.ansible_vault import Vault

PLAN_SUFFIXES = (".yml", ".yaml")
PLAN_BYTES_MAX = 64 * 1024 * 1024  # a saved plan of 100 000 devices; YAML has its own limit

_EXAMPLE_PLAN = """\
# yaml-language-server: $schema=../schemas/plan.v1.json
schema: 1
name: example
hosts: all
artifact: ../releases/app-1.0.mender
waves: [1, 25%, rest]
soak: 30s
on_failure: rollback
gates:
  - name: application healthy
    check: app
    success_when: result.exit == 0
"""

_EXAMPLE_INVENTORY = """\
# yaml-language-server: $schema=../schemas/inventory-file.v1.json
# Ansible's YAML form. `rollout device enroll` prints the host key to pin for each device.
gateways:
  hosts:
    gw-[01:03].example.net:
  vars:
    ansible_user: rollout
    labels: {site: berlin}
"""

_EXAMPLE_CONFIGURATION = """\
# Project settings; powers (trusted keys, programs that gates may run) belong to the user's own
# configuration and are refused here.
inventory = ["inventory/hosts.yml"]
"""

_EXAMPLE_SERVICE = """\
{"version": "1.0", "healthy": true}
"""

_IGNORED = """\
.rollout/
/releases
*.key
*.plan
"""


def init(directory: Path) -> tuple[Path, ...]:
    """Writes a project that passes its own validation; gives the files written.

    Raises:
        PlanError: one of its files exists, or nothing can be written there; nothing was written.
    """
    files = {
        "rollout.toml": _EXAMPLE_CONFIGURATION,
        ".gitignore": _IGNORED,
        "app/service.json": _EXAMPLE_SERVICE,
        "inventory/hosts.yml": _EXAMPLE_INVENTORY,
        "plans/example.yml": _EXAMPLE_PLAN,
        "schemas/plan.v1.json": schema_named("plan"),
        "schemas/inventory-file.v1.json": schema_named("inventory-file"),
        ".github/workflows/rollout.yml": _pipeline("github.yml"),
        ".gitlab-ci.yml": _pipeline("gitlab.yml"),
    }
    targets = {directory / name: text for name, text in files.items()}
    if os.path.lexists(directory) and not directory.is_dir():
        message = f"`{directory}` is a file, and no directory to write a project into"
        raise PlanError(message, hint="name another, or move it away", code="S111")
    taken = [path for path in targets if os.path.lexists(path)]
    if taken:
        names = ", ".join(f"`{path}`" for path in taken)
        message = f"{names} would be overwritten"
        raise PlanError(message, hint="choose another directory, or move them away", code="S110")
    made: list[Path] = []
    try:
        for name in (".github/workflows", "app", "inventory", "plans", "releases", "schemas"):
            _make_directory(directory / name, made)
        for path, text in targets.items():
            made.append(path)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        _remove(made)
        message = f"cannot write a project into `{directory}`: {system_reason(error)}"
        hint = "name a directory that can be written; nothing is left there"
        raise PlanError(message, hint=hint, code="S111") from error
    return tuple(targets)


def _pipeline(name: str) -> str:
    """A file for a forge's pipelines, which install this version."""
    package = Path(orchestrator.__file__).parent
    shipped = package / "pages"
    place = (shipped if shipped.is_dir() else package.parent / "docs") / "pipelines"
    text = (place / name).read_text(encoding="utf-8")
    return text.replace("@VERSION@", orchestrator.__version__)


def _make_directory(path: Path, made: list[Path]) -> None:
    """Makes a directory with its parents, and notes which were made."""
    missing = [up for up in (path, *path.parents) if not up.exists()]
    for each in reversed(missing):
        each.mkdir()
        made.append(each)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def _remove(made: Sequence[Path]) -> None:
    """Removes what was made, newest first."""
    for path in reversed(made):
        with contextlib.suppress(OSError):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)


def validate(
    paths: Sequence[Path], settings: Settings | None = None, source: Source | None = None
) -> Validated:
    """Every problem of plans and of an inventory, offline: no device, no script.

    Plans of these files that require each other in a circle are one.

    A file that cannot be read is a finding too: it hides nothing of the others.

    Args:
        paths: plan files, and directories whose `*.yml` and `*.yaml` are plans.
        settings: the operator's configuration; needed with a source.
        source: an inventory, all of whose devices (or those of its limit) must be reachable as
            written.
    """
    from orchestrator.api.plan_circles import circles_in

    findings: list[Diagnostic] = []
    looked_at: list[str] = []
    plans: list[Path] = []
    if settings is not None and source is not None:
        of_inventory = _check_inventory(settings, source)
        findings.extend(of_inventory.diagnostics)
        looked_at += of_inventory.files
    for path in paths:
        try:
            files = plans_of(path)
        except PlanError as error:
            findings.extend(error.diagnostics)
            continue
        looked_at += map(str, files)
        plans += files
        findings.extend(found for file in files for found in _check(file))
    findings.extend(circles_in(plans))
    return Validated(tuple(findings), tuple(looked_at))


def _check_inventory(settings: Settings, source: Source) -> Validated:
    try:
        inventory = load_inventory(settings, source)
        devices = inventory.select(source.limit or "all")
    except PlanError as error:
        whole = Diagnostic(Where(""), error.code, error.message, error.hint)
        found = tuple(error.diagnostics) or (whole,)
        return Validated(found, tuple(dict.fromkeys(each.where.file for each in found)))
    findings = inventory.findings(device.id for device in devices)
    if not devices:
        findings += (nobody(settings, source, "all"),)
    root = settings.root
    read = (
        path.relative_to(root) if path.is_relative_to(root) else path
        for path in inventory.files.read
    )
    return Validated(findings, tuple(map(str, read)))


def _check(file: Path) -> Sequence[Diagnostic]:
    from orchestrator.plan.envelope import from_saved, is_proposal, is_saved
    from orchestrator.plan.parse import check_plan

    try:
        data = read_file(file)
        if not is_saved(data):
            return check_plan(data, file=str(file))
        if is_proposal(data):
            from orchestrator.rollout.proposal import from_file

            from_file(data, file=str(file))
            return ()
        from_saved(data, file=str(file))
    except PlanError as error:
        whole = Diagnostic(Where(str(file)), error.code, error.message, error.hint)
        return error.diagnostics or (whole,)
    return ()


def read_file(path: Path, limit_bytes: int = PLAN_BYTES_MAX) -> bytes:
    """The bytes of a regular file.

    Raises:
        PlanError: there is none, it is no regular file, or it is too large.
    """
    where = Where(str(path))
    try:
        if not path.exists():
            message = f"there is no file `{path}`"
            raise PlanError(message, where=where, code="P001")
        if not path.is_file():
            message = f"`{path}` is no regular file"
            raise PlanError(message, where=where, code="P002")
        with path.open("rb") as file:
            data = file.read(limit_bytes + 1)
    except OSError as error:
        message = f"`{path}` cannot be read: {system_reason(error)}"
        raise PlanError(message, where=where, code="P003") from error
    if len(data) > limit_bytes:
        message = f"`{path}` is larger than {limit_bytes // 2**20} MiB"
        raise PlanError(message, where=where, code="P004")
    return data


def load_inventory(settings: Settings, source: Source) -> Inventory:
    """The inventory of a request, or the project's.

    Raises:
        PlanError: there is none, or it does not load.
    """
    from orchestrator.inventory.load import load_inventory as load

    sources = inventory_sources(settings, source)
    if not sources:
        message = "no inventory was given"
        hint = "name one with `-i inventory.yml`, or `inventory = [...]` in rollout.toml"
        raise PlanError(message, hint=hint, code="I100")
    from orchestrator.inventory.files import Access
    from orchestrator.inventory.programs import allowed_programs
    from orchestrator.inventory.servers import Servers

    programs = allowed_programs(
        settings.inventory_programs, settings.inventory_program_env, os.environ
    )
    servers = Servers(settings.inventory_servers, os.environ)
    access = Access(_vault(settings), programs, _ansible_defaults(settings), servers)
    return load(sources, cwd=settings.root, access=access)


def inventory_sources(settings: Settings, source: Source) -> tuple[str, ...]:
    """The sources of a request, else the configuration's, else those that ansible.cfg names.

    Raises:
        PlanError: ansible.cfg was asked and cannot be read.
    """
    return source.inventory or settings.inventory or _ansible_defaults(settings).inventory


def nobody(
    settings: Settings, source: Source, pattern: str, severity: Severity = Severity.ERROR
) -> Diagnostic:
    """That a pattern, every name of which is known, means no device, or its limit leaves none."""
    first = Path(inventory_sources(settings, source)[0])
    where = first.relative_to(settings.root) if first.is_relative_to(settings.root) else first
    terms = [term for term in (pattern, source.limit or "all") if term != "all"]
    cut = " cut down to ".join(f"`{shown(term)}`" for term in terms)
    message = f"no device is in {cut}" if terms else "the inventory has no devices"
    hint = (
        f"`rollout inventory {'graph` shows who is where' if terms else 'list` shows what it has'}"
    )
    return Diagnostic(Where(str(where)), "I207", message, hint, severity)


def _ansible_defaults(settings: Settings) -> Defaults:
    from orchestrator.inventory.ansible_cfg import find_defaults

    return find_defaults(os.environ, cwd=settings.root, home=Path("~").expanduser())


def _vault(settings: Settings) -> Vault:
    """The passwords of ansible-vault; of each file its first line, as Ansible reads it.

    Raises:
        TrustError: a file cannot be read, or is empty.
    """
    from orchestrator.trust.ansible_vault import Password, Vault
    from orchestrator.trust.passphrase import Passphrases

    passwords = []
    for text in settings.vault_passwords:
        label, _, path = text.partition("=") if not text.startswith("/") else ("", "", text)
        secret = Passphrases(Path(path)).get("password of ansible-vault")
        passwords.append(Password(label, secret))
    return Vault(tuple(passwords))


def plans_of(path: Path) -> list[Path]:
    """The plans of a directory, or the file that it is.

    Raises:
        PlanError: the directory cannot be read, or holds none.
    """
    try:
        if not path.is_dir():
            return [path]
        found = sorted(file for file in path.iterdir() if file.suffix in PLAN_SUFFIXES)
    except OSError as error:
        message = f"`{path}` cannot be read: {system_reason(error)}"
        raise PlanError(message, where=Where(str(path)), code="P003") from error
    if not found:
        message = f"directory `{path}` holds no plan"
        raise PlanError(message, hint="plans end in `.yml`", where=Where(str(path)), code="P005")
    return found
