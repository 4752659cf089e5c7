"""`rollout device bundle | pin`: devices whose image brings the helper already."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.device_answers import (
    ChecksOption,
    ChosenArgument,
    FingerprintOption,
    FingerprintsOption,
    KeysOption,
    Many,
    ParallelOption,
    PinsOption,
    RootOption,
    accepting,
    named_pattern,
)
from orchestrator.cli.options import Common, Format, FormatOption, SourceOptions, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import source_of, start
from orchestrator.cli.streams import write_result
from orchestrator.device.model import HELPER_USER
from orchestrator.errors import ExitCode
from orchestrator.render.text import escape

app = typer.Typer()


class Boot(StrEnum):
    """What runs the boot hook on the device."""

    SYSTEMD = "systemd"
    PROCD = "procd"
    OPENRC = "openrc"
    INIT = "init"
    CRON = "cron"


class Step(StrEnum):
    """How the helper's account starts the root core."""

    SUDO = "sudo"
    DOAS = "doas"


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """What the image gets."""

    device_type: Annotated[
        str, typer.Option("--device-type", "-t", metavar="TYPE", help="Type of the devices.")
    ]
    key: KeysOption = None
    root: RootOption = None
    check: ChecksOption = None
    device_id: Annotated[
        str | None,
        typer.Option("--device-id", metavar="NAME", help="For one device; else its host's name."),
    ] = None
    login_key: Annotated[
        Path | None,
        typer.Option("--login-key", metavar="PUB", help="SSH key that may reach the helper."),
    ] = None
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="The helper's account.")] = (
        HELPER_USER
    )
    boot: Annotated[Boot, typer.Option("--boot", help="What runs the boot hook.")] = Boot.SYSTEMD
    become: Annotated[Step, typer.Option("--become", help="The step to root.")] = Step.SUDO
    revision: Annotated[
        int, typer.Option("--revision", metavar="N", min=1, help="Of the Debian package.")
    ] = 1


@dataclass(frozen=True, slots=True)
class PinOptions:
    """How a host key is known to be right, and where it is kept."""

    fingerprint: FingerprintOption = None
    fingerprints: FingerprintsOption = None
    pins: PinsOption = None
    parallel: ParallelOption = api.ADMIN_PARALLEL_COUNT


@command(
    app,
    "bundle",
    examples="""
rollout device bundle out/ --root root.txt -t rpi4
rollout device bundle out/ --key release.key.pub -t rpi4 --boot openrc --become doas
""",
)
def bundle(
    out: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files are written.")],
    *,
    common: Common,
    options: BundleOptions,
) -> int:
    """Write what enrolment places as a tar, an install script and a Debian package, for images.

    Devices of such an image are enrolled: at the first contact only their host keys are left to be
    pinned. The same options give the same bytes.
    """
    session = start(common)
    request = api.BundleRequest(
        out=out,
        device_type=options.device_type,
        keys=tuple(options.key or ()),
        trust_root=options.root,
        checks=tuple(options.check or ()),
        device_id=options.device_id,
        login_key=options.login_key,
        user=options.user,
        become=options.become,
        boot=options.boot,
        revision=options.revision,
    )
    for path in wait_for(api.device_bundle(session.settings, request)):
        write_result(f"{escape(str(path))}\n", None)
    return ExitCode.DONE


@command(
    app,
    "pin",
    examples="""
rollout device pin -l gateways --fingerprints factory.txt --pins inventory/pins.yml
rollout device pin gw-001 --fingerprint SHA256:...
""",
)
def pin(
    pattern: ChosenArgument = None,
    *,
    common: Common,
    source: SourceOptions,
    options: PinOptions,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Prove the host keys of devices that have the helper already; change nothing on them.

    The helper must answer behind that key, and say the inventory's type and, with a trust root,
    the inventory's name.
    """
    session = start(common)
    chosen = source_of(source)
    pattern = named_pattern(pattern, chosen)
    request = api.PinRequest(
        pattern=pattern,
        source=chosen,
        fingerprint=options.fingerprint,
        fingerprints=options.fingerprints,
        pins=options.pins,
        parallel_count=options.parallel,
        accept_host_key=accepting(session),
    )
    count = len(api.hosts(session.settings, pattern, chosen).names)
    work = Many(session, format, count, "pinned", details=options.pins is None)
    return work.run(lambda on: api.device_pin(session.settings, request, on))
