"""`rollout artifact build directory | single-file | module | script | helper`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.options import Common, Format, FormatOption, command, key_values
from orchestrator.cli.session import Session, start
from orchestrator.cli.shown_artifact import show
from orchestrator.cli.signing import PassphraseFileOption, unlock_of
from orchestrator.errors import ExitCode

app = typer.Typer(help="Build an artifact of one kind.", no_args_is_help=True)


class Compression(StrEnum):
    """How payloads are packed."""

    GZIP = "gzip"
    XZ = "xz"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackOptions:
    """What every artifact has, whoever gives it its content and its name."""

    device_type: Annotated[
        list[str],
        typer.Option("--device-type", "-t", metavar="TYPE", help="Fits this type; may repeat."),
    ]
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The artifact to write.")]
    key: Annotated[
        Path | None, typer.Option("--key", "--sign-key", metavar="KEY", help="Sign with this key.")
    ] = None
    passphrase_file: PassphraseFileOption = None
    compression: Annotated[Compression, typer.Option("--compression", help="Packing.")] = (
        Compression.GZIP
    )
    depends: Annotated[
        list[str] | None,
        typer.Option("--depends", metavar="KEY=VALUE", help="Needs this of the device."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions(PackOptions):
    """What an artifact of one's own content has."""

    name: Annotated[str, typer.Option("--name", "-n", metavar="NAME", help="The artifact's name.")]
    version: Annotated[
        str | None,
        typer.Option(
            "--software-version", metavar="V", help="Software version; the name if unset."
        ),
    ] = None
    provides: Annotated[
        list[str] | None,
        typer.Option("--provides", metavar="KEY=VALUE", help="The device has this afterwards."),
    ] = None
    allow_private_keys: Annotated[
        bool, typer.Option("--allow-private-keys", help="Pack files that hold private keys, too.")
    ] = False


@command(
    app,
    "directory",
    examples="""
rollout artifact build directory ./build --dest /opt/app -n app-1.0 -t rpi4 -o app-1.0.mender
rollout artifact build directory ./build --dest /opt/app -n app-1.0 -t rpi4 -o a.mender --key k.key
""",
)
def directory(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="The tree to deliver.")],
    *,
    common: Common,
    build: BuildOptions,
    dest: Annotated[str, typer.Option("--dest", metavar="PATH", help="Where it goes; absolute.")],
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """A tree that replaces a directory in one switch; the previous one is kept."""
    return _build(common, build, format, kind="directory", source=source, dest=dest)


@command(
    app,
    "single-file",
    examples="""
rollout artifact build single-file app.conf --dest /etc/app.conf -n conf-7 -t rpi4 -o c.mender
""",
)
def single_file(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="The file to deliver.")],
    *,
    common: Common,
    build: BuildOptions,
    dest: Annotated[str, typer.Option("--dest", metavar="PATH", help="Its place; absolute.")],
    owner: Annotated[
        str | None, typer.Option("--owner", metavar="USER:GROUP", help="Whose it is there.")
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """One file in its place; rolling back restores it exactly, also its absence."""
    return _build(common, build, format, kind="single-file", source=source, dest=dest, owner=owner)


@command(
    app,
    "script",
    examples="""
rollout artifact build script install.sh --rollback undo.sh -n fix-3 -t rpi4 -o fix-3.mender
""",
)
def script(
    source: Annotated[Path, typer.Argument(metavar="INSTALL", help="The install script.")],
    *,
    common: Common,
    build: BuildOptions,
    rollback: Annotated[
        Path | None, typer.Option("--rollback", metavar="SCRIPT", help="Takes it back.")
    ] = None,
    file: Annotated[
        list[Path] | None, typer.Option("--file", metavar="FILE", help="Lies beside the script.")
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Signed install and rollback scripts, with files they may use."""
    files = tuple(file or ())
    return _build(
        common, build, format, kind="script", source=source, rollback_script=rollback, files=files
    )


@command(
    app,
    "module",
    examples="""
rollout artifact build module deb --file app.deb -n app-1.0 -t rpi4 -o app-1.0.mender
rollout artifact build module docker --meta image=app:1 -n app-1 -t rpi4 -o app-1.mender
""",
)
def module(
    payload_type: Annotated[str, typer.Argument(metavar="TYPE", help="The update module's name.")],
    *,
    common: Common,
    build: BuildOptions,
    file: Annotated[
        list[Path] | None, typer.Option("--file", metavar="FILE", help="A payload file.")
    ] = None,
    meta: Annotated[
        list[str] | None, typer.Option("--meta", metavar="KEY=VALUE", help="Meta-data.")
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Files for an update module of your own on the devices."""
    pairs = key_values(meta, "--meta")
    files = tuple(file or ())
    return _build(
        common, build, format, kind="module", module=payload_type, files=files, meta=pairs
    )


@command(
    app,
    "helper",
    examples="""
rollout artifact build helper -t rpi4 -o helper.mender --key k.key
""",
)
def helper(
    *,
    common: Common,
    pack: PackOptions,
    name: Annotated[
        str | None,
        typer.Option("--name", "-n", metavar="NAME", help="The artifact's name; by its version."),
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """The helper of this version, to be rolled out like anything else."""
    session = start(common)
    show(session, api.helper_build(_request(session, pack, kind="helper", name=name or "")), format)
    return ExitCode.DONE


def _build(
    common: Common, build: BuildOptions, form: Format, *, kind: str, **special: object
) -> int:
    session = start(common)
    own = {
        "name": build.name,
        "version": build.version,
        "provides": key_values(build.provides, "--provides"),
        "private_keys": build.allow_private_keys,
    }
    show(session, api.artifact_build(_request(session, build, kind=kind, **own, **special)), form)
    return ExitCode.DONE


def _request(
    session: Session, pack: PackOptions, *, kind: str, **special: object
) -> api.BuildRequest:
    return api.BuildRequest(
        kind=kind,
        out=pack.out,
        device_types=tuple(pack.device_type),
        compression=str(pack.compression),
        sign_key=pack.key,
        unlock=unlock_of(session, pack.passphrase_file),
        depends=key_values(pack.depends, "--depends"),
        **special,  # type: ignore[arg-type]  # fields of the request, named by the callers above
    )
