"""`rollout artifact sign | verify | inspect | delta`, and `build` from its own module."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli import artifact_build
from orchestrator.cli.options import Common, Format, FormatOption, command
from orchestrator.cli.session import start
from orchestrator.cli.shown import show_result
from orchestrator.cli.shown_artifact import show
from orchestrator.cli.signing import PassphraseFileOption, unlock_of
from orchestrator.errors import ExitCode
from orchestrator.render.shown import DeltaFacts, delta_document, delta_text

app = typer.Typer(help="Build, sign, verify and inspect artifacts.", no_args_is_help=True)
app.add_typer(artifact_build.app, name="build")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="An artifact.")]


@command(
    app,
    "sign",
    examples="""
rollout artifact sign app-1.0.mender --key release.key
rollout artifact sign app-1.0.mender --key release.key --out app-1.0-signed.mender
""",
)
def sign(
    file: FileArgument,
    *,
    common: Common,
    key: Annotated[Path, typer.Option("--key", metavar="KEY", help="The private key.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write here, not in place.")
    ] = None,
    passphrase_file: PassphraseFileOption = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Sign an artifact, in place unless --out is given."""
    session = start(common)
    unlock = unlock_of(session, passphrase_file)
    show(session, api.artifact_sign(file, key, out=out, unlock=unlock), format)
    return ExitCode.DONE


@command(
    app,
    "verify",
    examples="""
rollout artifact verify app-1.0.mender --key release.key.pub
""",
)
def verify(
    file: FileArgument,
    *,
    common: Common,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="PUB", help="A public key; may repeat, one must fit."),
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Verify structure, every checksum and the signature.

    Ends with 0 when every rule holds, and with 1 and the reason otherwise.
    """
    session = start(common)
    keys = tuple(key or session.settings.trusted_keys)
    show(session, api.artifact_verify(file, keys), format)
    return ExitCode.DONE


@command(
    app,
    "inspect",
    examples="""
rollout artifact inspect app-1.0.mender
rollout artifact inspect app-1.0.mender --format json
""",
)
def inspect(
    file: FileArgument,
    *,
    common: Common,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show what an artifact holds; checks structure and checksums, not the signature."""
    session = start(common)
    show(session, api.artifact_inspect(file), format)
    return ExitCode.DONE


@command(
    app,
    "delta",
    examples="""
rollout artifact delta system-4.mender system-5.mender
""",
)
def delta(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The artifact that devices run.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The artifact for them.")],
    *,
    common: Common,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Write the difference between two artifacts beside the newer one.

    Devices that run OLD and have xdelta3 then get the difference, and make the payload of NEW of what
    they have. They check it as if it had been sent; whatever goes wrong, the whole is sent. Packed
    payloads have little in common: leave them unpacked.
    """
    session = start(common)
    made = api.artifact_delta(old, new)
    facts = DeltaFacts(
        path=str(made.path),
        old=made.old,
        new=made.new,
        file=made.file,
        patch_bytes=made.patch_bytes,
        whole_bytes=made.whole_bytes,
    )
    return show_result(format, delta_document(facts), delta_text(facts, session.out))
