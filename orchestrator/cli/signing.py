"""Options of who signs a ticket or a root, and how a person is asked for a passphrase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.session import Session
from orchestrator.errors import OrchestratorError

_KEY_HELP = "Sign with this private key, or agent:FINGERPRINT, hsm:..., awskms:..."

KeyOption = Annotated[str, typer.Option("--key", metavar="KEY", help=f"{_KEY_HELP}.")]
KeysOption = Annotated[
    list[str] | None, typer.Option("--key", metavar="KEY", help=f"{_KEY_HELP}; may repeat.")
]


PassphraseFileOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file", metavar="FILE", help="Its first line unlocks the key; else asked."
    ),
]


@dataclass(frozen=True, slots=True)
class Unlocking:
    """What else a signer needs. A passphrase is never an argument: others could see it."""

    passphrase_file: PassphraseFileOption = None
    public: Annotated[
        Path | None,
        typer.Option("--public", metavar="PUB", help="Public part of a key in a token or cloud."),
    ] = None


def signers(
    session: Session, keys: Sequence[str] | None, unlocking: Unlocking
) -> tuple[api.SignWith, ...]:
    """The signers as the api takes them."""
    unlock = unlock_of(session, unlocking.passphrase_file)
    return tuple(api.SignWith(key, unlock, unlocking.public) for key in keys or ())


def unlock_of(session: Session, file: Path | None) -> api.Unlock:
    """Where the passphrase of a key comes from."""
    return api.Unlock(file, _asker() if session.may_ask else None)


NewKeyArgument = Annotated[
    Path, typer.Argument(metavar="PATH", help="The private key; PATH.pub gets the public one.")
]
EncryptOption = Annotated[
    bool, typer.Option("--encrypt", help="Protect it with a passphrase, which is asked for.")
]
NewPassphraseOption = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="Its first line protects the key."),
]


def new_passphrase(session: Session, path: Path, file: Path | None) -> bytes:
    """What a new key is to be encrypted with: out of a file, or asked for twice.

    Raises:
        TrustError: there is nobody to ask, or it is empty or too long.
        OrchestratorError: the two are not the same.
    """
    what = f"passphrase of {path}"
    unlock = unlock_of(session, file)
    found = api.passphrase(what, unlock)
    if file is None and api.passphrase(f"{what}, once more", unlock) != found:
        message = "the two passphrases are not the same"
        raise OrchestratorError(message, hint="nothing was written")
    return found


def _asker() -> Callable[[str], str]:
    from orchestrator.render.text import escape

    def ask(what: str) -> str:
        import getpass

        try:
            return getpass.getpass(f"{escape(what)}: ")
        except EOFError as error:
            message = f"the {what} was not given"
            raise OrchestratorError(message) from error

    return ask
