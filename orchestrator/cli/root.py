"""`rollout root init | add | rotate | sign | verify | show`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, Format, FormatOption, command, key_values
from orchestrator.cli.session import Session, start
from orchestrator.cli.shown import show_result
from orchestrator.cli.signing import KeyOption, KeysOption, Unlocking, signers
from orchestrator.render.release import RootFacts, root_document, root_next, root_text

app = typer.Typer(help="Make, sign and verify trust roots.", no_args_is_help=True)


class RoleName(StrEnum):
    """What a key's signatures are for."""

    ROOT = "root"
    RELEASE = "release"
    BUILD = "build"


RootArgument = Annotated[Path, typer.Argument(metavar="ROOT", help="A trust root, or a draft.")]
PreviousOption = Annotated[
    Path | None, typer.Option("--previous", metavar="ROOT", help="The version before it.")
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", help="Write here; root-VERSION.txt if unset."),
]


@dataclass(frozen=True, slots=True)
class RoleOptions:
    """Keys by role, and how many of them must sign."""

    root_key: Annotated[
        list[str] | None,
        typer.Option("--root-key", metavar="PUB", help="A key that signs roots; may repeat."),
    ] = None
    release_key: Annotated[
        list[str] | None,
        typer.Option("--release-key", metavar="PUB", help="One that signs tickets; may repeat."),
    ] = None
    build_key: Annotated[
        list[str] | None,
        typer.Option(
            "--build-key",
            metavar="PUB",
            help="One that signs artifacts, or (Ed25519) beside tickets; may repeat.",
        ),
    ] = None
    threshold: Annotated[
        list[str] | None,
        typer.Option("--threshold", metavar="ROLE=N", help="So many must sign; may repeat."),
    ] = None

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Every key after its role."""
        roles = (
            (RoleName.ROOT, self.root_key),
            (RoleName.RELEASE, self.release_key),
            (RoleName.BUILD, self.build_key),
        )
        return tuple((str(role), key) for role, keys in roles for key in keys or ())


@command(
    app,
    "init",
    examples="""
rollout root init acme-prod --root-key ann.pub --root-key bob.pub --threshold root=2 \\
  --release-key ann-release.pub --build-key build.key.pub
rollout root init acme-prod --root-key ann.pub
""",
)
def init(  # noqa: PLR0913  each is an option of the command line
    fleet: Annotated[str, typer.Argument(metavar="FLEET", help="The fleet's name.")],
    *,
    common: Common,
    roles: RoleOptions,
    unlocking: Unlocking,
    key: KeysOption = None,
    out: OutOption = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Write the first trust root of a fleet.

    Keys are files (PEM, or `id.pub` of SSH) or agent:FINGERPRINT. While a role has fewer keys than
    must sign the root is a draft: add the others with `rollout root add`, then sign.
    """
    session = start(common)
    api.require_role(session.settings, "root init")
    request = _request(session, roles, key, unlocking, out)
    return _show(session, api.root_init(fleet, request), format)


@command(
    app,
    "add",
    examples="""
rollout root add root-1.txt release carla.pub
rollout root add root-1.txt root agent:SHA256:mVp...
""",
)
def add(
    root: RootArgument,
    role: Annotated[RoleName, typer.Argument(metavar="ROLE", help="root, release or build.")],
    key: Annotated[list[str], typer.Argument(metavar="PUB...", help="Public keys.")],
    *,
    common: Common,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Add keys to a root that nobody has signed yet."""
    session = start(common)
    api.require_role(session.settings, "root add")
    return _show(session, api.root_add(root, str(role), key), format)


@command(
    app,
    "rotate",
    examples="""
rollout root rotate root-1.txt --remove 3f9a61c2 --release-key dora.pub
rollout root rotate root-1.txt --threshold release=2
""",
)
def rotate(  # noqa: PLR0913  each is an option of the command line
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The present root, signed.")],
    *,
    common: Common,
    roles: RoleOptions,
    unlocking: Unlocking,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="KEYID", help="Beginning of a key's id; may repeat."),
    ] = None,
    key: KeysOption = None,
    out: OutOption = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Write the version that follows a root, with other keys or thresholds.

    Devices take it when enough root keys of both versions signed it.
    """
    session = start(common)
    api.require_role(session.settings, "root rotate")
    request = _request(session, roles, key, unlocking, out, tuple(remove or ()))
    return _show(session, api.root_rotate(root, request), format)


@command(
    app,
    "sign",
    examples="""
rollout root sign root-1.txt --key ann.key
rollout root sign root-2.txt --key bob.key --previous root-1.txt
""",
)
def sign(
    root: RootArgument,
    *,
    common: Common,
    key: KeyOption,
    unlocking: Unlocking,
    previous: PreviousOption = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Add a signature to those beside a root, in ROOT.sig.

    Look at what you sign with `rollout root show` first. People sign one after the other.
    """
    session = start(common)
    api.require_role(session.settings, "root sign")
    (signer,) = signers(session, (key,), unlocking)
    return _show(session, api.root_sign(root, signer, previous=previous), format)


@command(
    app,
    "verify",
    examples="""
rollout root verify root-1.txt
rollout root verify root-2.txt --previous root-1.txt
""",
)
def verify(
    root: RootArgument,
    *,
    common: Common,
    previous: PreviousOption = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Judge a root as enrolment does, or with --previous as a device that holds that one.

    Ends with 0 when every check holds, and with 1 and the reason otherwise.
    """
    session = start(common)
    return _show(session, api.root_verify(root, previous=previous), format)


@command(
    app,
    "show",
    examples="""
rollout root show root-1.txt
rollout root show root-2.txt --previous root-1.txt --format json
""",
)
def show(
    root: RootArgument,
    *,
    common: Common,
    previous: PreviousOption = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show what a root says and who signed it. Judges nothing."""
    session = start(common)
    return _show(session, api.root_show(root, previous=previous), format)


def _request(
    session: Session,
    roles: RoleOptions,
    key: list[str] | None,
    unlocking: Unlocking,
    out: Path | None,
    remove: tuple[str, ...] = (),
) -> api.RootRequest:
    return api.RootRequest(
        out=out,
        add=roles.keys,
        remove=remove,
        thresholds=_counts(roles.threshold),
        sign_with=signers(session, key, unlocking),
    )


def _counts(items: list[str] | None) -> Mapping[str, int]:
    found = {}
    for role, text in key_values(items, "--threshold").items():
        if not (text.isascii() and text.isdecimal()):
            message = f"`{role}={text}` is not ROLE=N"
            raise typer.BadParameter(message, param_hint="--threshold")
        found[role] = int(text)
    return found


def _show(session: Session, facts: RootFacts, form: Format) -> int:
    then = "" if session.quiet else root_next(facts)
    return show_result(form, root_document(facts), root_text(facts, session.out), then=then)
