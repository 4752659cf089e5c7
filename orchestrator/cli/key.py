"""`rollout key generate` and `rollout key show`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, Format, FormatOption, command
from orchestrator.cli.session import start
from orchestrator.cli.shown import show_result
from orchestrator.cli.signing import (
    EncryptOption,
    NewKeyArgument,
    NewPassphraseOption,
    new_passphrase,
)
from orchestrator.render.shown import key_document, key_text

app = typer.Typer(help="Make and show signing keys.", no_args_is_help=True)


class Kind(StrEnum):
    """Kinds of keys; Ed25519 signs tickets and roots, and beside tickets, but no artifacts."""

    ECDSA = "ecdsa-p256"
    RSA = "rsa-3072"
    ED25519 = "ed25519"


@command(
    app,
    "generate",
    examples="""
rollout key generate keys/release.key
rollout key generate keys/release.key --kind rsa-3072
rollout key generate ann.key --kind ed25519 --encrypt
""",
)
def generate(
    path: NewKeyArgument,
    *,
    common: Common,
    kind: Annotated[Kind, typer.Option("--kind", help="Algorithm and size.")] = Kind.ECDSA,
    encrypt: EncryptOption = False,
    passphrase_file: NewPassphraseOption = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Make a key pair that signs artifacts, tickets or roots.

    The private key is readable by you alone and never leaves this machine; devices get the
    public one when they are enrolled. Existing files are never replaced. Ed25519 signs tickets
    and roots, and as a build key beside tickets, but no artifacts.
    """
    session = start(common)
    passphrase = None
    if encrypt or passphrase_file is not None:
        passphrase = new_passphrase(session, path, passphrase_file)
    return _show(api.key_generate(path, kind=str(kind), passphrase=passphrase), format)


@command(
    app,
    "show",
    examples="""
rollout key show keys/release.key.pub
rollout key show keys/release.key --format json
""",
)
def show(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A private or public key.")],
    *,
    common: Common,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show a key's kind and fingerprint; never its private part."""
    start(common)
    return _show(api.key_show(path), format)


def _show(key: api.KeyShown, form: Format) -> int:
    document = key_document(
        kind=key.kind,
        fingerprint=key.fingerprint,
        private=str(key.private) if key.private else None,
        public=str(key.public) if key.public else None,
        public_pem=key.public_pem,
    )
    return show_result(form, document, key_text(document))
