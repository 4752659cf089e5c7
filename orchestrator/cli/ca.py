"""`rollout ca init | sign-host | sign-user`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.completing import hosts
from orchestrator.cli.options import Common, command, seconds
from orchestrator.cli.session import Session, start
from orchestrator.cli.signing import (
    EncryptOption,
    NewKeyArgument,
    NewPassphraseOption,
    PassphraseFileOption,
    new_passphrase,
    unlock_of,
)
from orchestrator.cli.streams import write_result
from orchestrator.errors import ExitCode
from orchestrator.render.text import escape

app = typer.Typer(
    help="Vouch for devices and logins by OpenSSH certificates.", no_args_is_help=True
)

HOST_VALID = "52w"
ValidOption = Annotated[
    str, typer.Option("--valid", metavar="DURATION", help="How long the certificate is good for.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="The certificate's file.")
]


@dataclass(frozen=True, slots=True)
class Signing:
    """Which authority vouches, and how it is unlocked."""

    ca: Annotated[Path, typer.Option("--ca", metavar="KEY", help="The authority's private key.")]
    passphrase_file: PassphraseFileOption = None
    out: OutOption = None


@command(
    app,
    "init",
    examples="""
rollout ca init host-ca
rollout ca init user-ca --encrypt
""",
)
def init(
    path: NewKeyArgument,
    *,
    common: Common,
    encrypt: EncryptOption = False,
    passphrase_file: NewPassphraseOption = None,
) -> int:
    """Make an authority: an Ed25519 key in OpenSSH's form. Existing files are never replaced."""
    session = start(common)
    api.require_role(session.settings, "ca init")
    passphrase = None
    if encrypt or passphrase_file is not None:
        passphrase = new_passphrase(session, path, passphrase_file)
    write_result(f"{escape(api.ca_init(path, passphrase))}\n", None)
    return ExitCode.DONE


@command(
    app,
    "sign-host",
    examples="""
rollout ca sign-host gw-001 ssh_host_ed25519_key.pub --ca host-ca --valid 52w
""",
)
def sign_host(
    device: Annotated[
        str,
        typer.Argument(metavar="DEVICE", help="Its name in the inventory.", autocompletion=hosts),
    ],
    host_key: Annotated[Path, typer.Argument(metavar="PUB", help="The host's public key.")],
    *,
    common: Common,
    signing: Signing,
    valid: ValidOption = HOST_VALID,
) -> int:
    """Make a host certificate with the device's name as its one principal."""
    session = start(common)
    api.require_role(session.settings, "ca sign-host")
    path = api.ca_sign_host(vouching_of(session, signing, valid), host_key, device)
    write_result(f"{escape(str(path))}\n", None)
    return ExitCode.DONE


@command(
    app,
    "sign-user",
    examples="""
rollout ca sign-user ~/.ssh/id_ed25519.pub --ca user-ca --valid 8h
rollout ca sign-user ci.pub --ca user-ca --id r-7f3a --source 192.0.2.7/32
""",
)
def sign_user(
    public_key: Annotated[Path, typer.Argument(metavar="PUB", help="The key that logs in.")],
    *,
    common: Common,
    signing: Signing,
    valid: ValidOption = "1h",
    key_id: Annotated[
        str | None, typer.Option("--id", metavar="TEXT", help="Stands in the devices' logs.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="NETWORK", help="Good from there only; may repeat."),
    ] = None,
) -> int:
    """Make a certificate that reaches the helpers and nothing else: no terminal, no forwarding."""
    session = start(common)
    api.require_role(session.settings, "ca sign-user")
    vouching = vouching_of(session, signing, valid)
    path = api.ca_sign_user(vouching, public_key, key_id, tuple(source or ()))
    write_result(f"{escape(str(path))}\n", None)
    return ExitCode.DONE


def vouching_of(session: Session, signing: Signing, valid: str) -> api.Vouching:
    """Who vouches for how long, as it was asked for.

    Raises:
        typer.BadParameter: for no time at all.
    """
    valid_s = int(seconds(valid, "--valid"))
    if valid_s <= 0:
        message = "a certificate is good for more than no time"
        raise typer.BadParameter(message, param_hint="--valid")
    unlock = unlock_of(session, signing.passphrase_file)
    return api.Vouching(signing.ca, unlock, valid_s, signing.out)
