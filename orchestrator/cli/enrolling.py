"""`rollout device enroll | release`: what an administrator does to one device or to many."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.ca import HOST_VALID, Signing, ValidOption, vouching_of
from orchestrator.cli.confirm import confirm_devices
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
    YesOption,
    accepting,
    named_pattern,
)
from orchestrator.cli.options import Common, Format, FormatOption, SourceOptions, command
from orchestrator.cli.session import source_of, start
from orchestrator.cli.signing import PassphraseFileOption
from orchestrator.errors import PlanError

app = typer.Typer()

BECOME = ("sudo", "doas")
LoginOption = Annotated[
    str | None, typer.Option("--login", metavar="USER", help="Log in as this administrator.")
]
BecomeOption = Annotated[
    str | None, typer.Option("--become", metavar="sudo|doas", help="How that user gets root.")
]
AskPasswordOption = Annotated[
    bool, typer.Option("--ask-become-pass", "-K", help="Ask for the password of sudo.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would change on the devices.")
]


@dataclass(frozen=True, slots=True)
class EnrollOptions:
    """What enrolment places on a device, and how it gets in."""

    key: KeysOption = None
    root: RootOption = None
    device_type: Annotated[
        str | None, typer.Option("--device-type", "-t", metavar="TYPE", help="Its type.")
    ] = None
    check: ChecksOption = None
    fingerprint: FingerprintOption = None
    fingerprints: FingerprintsOption = None
    pins: PinsOption = None
    certify: Annotated[
        Path | None,
        typer.Option("--certify", metavar="CA", help="Place host certificates of this authority."),
    ] = None
    valid: ValidOption = HOST_VALID
    passphrase_file: PassphraseFileOption = None
    login: LoginOption = None
    become: BecomeOption = None
    ask_become_pass: AskPasswordOption = False
    parallel: ParallelOption = api.ADMIN_PARALLEL_COUNT


@dataclass(frozen=True, slots=True)
class ReleaseOptions:
    """How releasing gets in, and whether it only looks."""

    login: LoginOption = None
    become: BecomeOption = None
    ask_become_pass: AskPasswordOption = False
    parallel: ParallelOption = api.ADMIN_PARALLEL_COUNT
    dry_run: DryRunOption = False


@command(
    app,
    "enroll",
    examples="""
rollout device enroll gw-001 -i inventory/ --key release.key.pub --device-type rpi4 --dry-run
rollout device enroll web1 --key release.key.pub -t debian --login admin --become sudo
rollout device enroll -l gateways --root root.txt --fingerprints factory.txt --pins inventory/pins.yml
rollout device enroll gw-001 --root root.txt -t rpi4 --login admin --become sudo --certify host-ca
""",
)
def enroll(
    pattern: ChosenArgument = None,
    *,
    common: Common,
    source: SourceOptions,
    options: EnrollOptions,
    dry_run: DryRunOption = False,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Put the helper, the trusted keys and the health checks on devices.

    A host key that is neither pinned in the inventory nor given by --fingerprint or
    --fingerprints is shown and wants a typed confirmation; with --pins what was proven becomes an
    inventory file. Enrolling again brings a device up to date, and leaves it alone where it is so:
    what was interrupted is just repeated. With a trust root (--root, or `trust_root` of the
    configuration) the device takes only releases with a ticket, signed as the root says, and the
    keys of --key count no more. With --certify each SSH server that reads `sshd_config.d` shows a
    certificate with the device's name; one that is good for half of --valid still is left.
    """
    session = start(common)
    chosen = source_of(source)
    pattern = named_pattern(pattern, chosen)
    signing = Signing(options.certify, options.passphrase_file) if options.certify else None

    request = api.EnrollRequest(
        pattern=pattern,
        source=chosen,
        keys=tuple(options.key or ()),
        trust_root=options.root,
        device_type=options.device_type,
        checks=tuple(options.check or ()),
        fingerprint=options.fingerprint,
        login=options.login,
        become=become_of(options.become),
        become_password=_password(options.ask_become_pass),
        look_only=dry_run,
        accept_host_key=accepting(session),
        fingerprints=options.fingerprints,
        pins=options.pins,
        parallel_count=options.parallel,
        vouching=vouching_of(session, signing, options.valid) if signing else None,
    )
    count = len(api.hosts(session.settings, pattern, chosen).names)
    done = "would change" if dry_run else "enrolled"
    shown = dry_run or options.pins is None  # somebody has to write the host keys down
    work = Many(session, format, count, done, details=shown)
    return work.run(lambda on: api.device_enroll(session.settings, request, on))


@command(
    app,
    "release",
    examples="""
rollout device release gw-001 --dry-run
rollout device release -l gateways --login admin --become sudo --yes
""",
)
def release(
    pattern: ChosenArgument = None,
    *,
    common: Common,
    source: SourceOptions,
    options: ReleaseOptions,
    yes: YesOption = False,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Take the helper off devices; what they run stays as it is."""
    session = start(common)
    chosen = source_of(source)
    pattern = named_pattern(pattern, chosen)
    count = len(api.hosts(session.settings, pattern, chosen).names)
    if not options.dry_run:
        confirm_devices(session, "Release", count, yes=yes)
    request = api.ReleaseRequest(
        pattern=pattern,
        source=chosen,
        login=options.login,
        become=become_of(options.become),
        become_password=_password(options.ask_become_pass),
        look_only=options.dry_run,
        parallel_count=options.parallel,
    )
    done = "would change" if options.dry_run else "released"
    work = Many(session, format, count, done, details=options.dry_run)
    return work.run(lambda on: api.device_release(session.settings, request, on))


def become_of(text: str | None) -> str | None:
    """The way to become root, checked.

    Raises:
        PlanError: there is no such way.
    """
    if text is None or text in BECOME:
        return text
    message = f"there is no way `{text}` to become root"
    raise PlanError(message, hint=f"ways: {', '.join(BECOME)}", code="D113")


def _password(wanted: bool) -> str | None:
    if not wanted:
        return None
    import getpass

    return getpass.getpass("Password of sudo: ")
