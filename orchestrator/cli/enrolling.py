"""`rollout device enroll | release`: what an administrator does to one device or to many."""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.confirm import confirm_devices, confirm_key
from orchestrator.cli.device_answers import Answers, OnAnswer, YesOption, facts_of
from orchestrator.cli.options import Common, Format, FormatOption, SourceOptions, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session, source_of, start
from orchestrator.cli.streams import say, write_result
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode, PlanError
from orchestrator.render.documents import dump
from orchestrator.render.gathered import gathered_text
from orchestrator.render.shown import answer_line, answer_text, answers_document
from orchestrator.render.text import plural

app = typer.Typer()

BECOME = ("sudo", "doas")
ChosenArgument = Annotated[
    str | None,
    typer.Argument(metavar="PATTERN", help="Ansible host pattern; all that -l leaves."),
]
LoginOption = Annotated[
    str | None, typer.Option("--login", metavar="USER", help="Log in as this administrator.")
]
BecomeOption = Annotated[
    str | None, typer.Option("--become", metavar="sudo|doas", help="How that user gets root.")
]
AskPasswordOption = Annotated[
    bool, typer.Option("--ask-become-pass", "-K", help="Ask for the password of sudo.")
]
ParallelOption = Annotated[
    int,
    typer.Option("--parallel", metavar="N", min=1, max=1000, help="Devices at one time."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would change on the devices.")
]


@dataclass(frozen=True, slots=True)
class EnrollOptions:
    """What enrolment places on a device, and how it gets in."""

    key: Annotated[
        list[Path] | None,
        typer.Option(
            "--key", metavar="PUB", help="Public key whose artifacts it takes; may repeat."
        ),
    ] = None
    root: Annotated[
        Path | None,
        typer.Option("--root", metavar="FILE", help="Trust root; signatures in FILE.sig."),
    ] = None
    device_type: Annotated[
        str | None, typer.Option("--device-type", "-t", metavar="TYPE", help="Its type.")
    ] = None
    check: Annotated[
        list[Path] | None,
        typer.Option("--check", metavar="FILE", help="Health check to place; may repeat."),
    ] = None
    fingerprint: Annotated[
        str | None,
        typer.Option("--fingerprint", metavar="SHA256:...", help="The host key it must show."),
    ] = None
    fingerprints: Annotated[
        Path | None,
        typer.Option("--fingerprints", metavar="FILE", help="Lines `DEVICE SHA256:...` of many."),
    ] = None
    pins: Annotated[
        Path | None,
        typer.Option("--pins", metavar="FILE", help="Inventory file to keep the host keys in."),
    ] = None
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
    keys of --key count no more.
    """
    session = start(common)
    chosen = source_of(source)
    pattern = _pattern(pattern, chosen)

    def accept(device: str, fingerprint: str) -> bool:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:  # the event loop waits for the person: Ctrl-C must end the question
            return confirm_key(session, device, fingerprint)
        finally:
            signal.signal(signal.SIGINT, before)

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
        accept_host_key=accept,
        fingerprints=options.fingerprints,
        pins=options.pins,
        parallel_count=options.parallel,
    )
    count = len(api.hosts(session.settings, pattern, chosen).names)
    done = "would change" if dry_run else "enrolled"
    shown = dry_run or options.pins is None  # somebody has to write the host keys down
    work = _Many(session, format, count, done, details=shown)
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
    pattern = _pattern(pattern, chosen)
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
    work = _Many(session, format, count, done, details=options.dry_run)
    return work.run(lambda on: api.device_release(session.settings, request, on))


def _pattern(pattern: str | None, source: api.Source) -> str:
    """Which devices: of the argument, else all that `--limit` leaves.

    Raises:
        PlanError: neither was given.
    """
    if pattern is None and source.limit is None:
        message = "no devices were named"
        raise PlanError(
            message, hint="give a PATTERN, or `-l PATTERN`; `all` means all", code="D117"
        )
    return pattern or "all"


def worst(answers: Answers) -> ExitCode:
    """The exit code of the worst device; one that may be changed in part needs somebody to look."""
    bad = {answer.reason for answer in answers if not answer.ok}
    if Reason.INTERRUPTED in bad:
        return ExitCode.NEEDS_HUMAN
    return ExitCode.PARTIAL if bad else ExitCode.DONE


class _Many:
    """Work of an administrator on devices: each as it ends, then counts and the exceptions."""

    def __init__(
        self, session: Session, form: Format, device_count: int, done: str, *, details: bool
    ) -> None:
        self._session = session
        self._form = form
        self._device_count = device_count
        self._done = done
        self._details = details or device_count == 1
        self._ended_count = 0

    def run(self, work: Callable[[OnAnswer], Coroutine[object, object, Answers]]) -> int:
        """Does the work; the exit code is that of the worst device."""
        if not self._session.quiet and self._device_count > 1:
            say(plural(self._device_count, "device"))
        answers = wait_for(work(self._show))
        facts = [facts_of(answer) for answer in answers]
        if self._form is Format.JSON:
            write_result(dump(answers_document(facts)), None)
        elif len(facts) > 1:
            write_result(gathered_text(facts, self._session.out, done=self._done), None)
        return worst(answers)

    def _show(self, answer: api.DeviceAnswer) -> None:
        self._ended_count += 1
        if self._form is not Format.TEXT:
            return
        if self._details:
            write_result(answer_text(facts_of(answer), self._session.out) + "\n", None)
        elif not self._session.quiet:
            line = answer_line(facts_of(answer), self._session.err)
            say(f"{self._ended_count}/{self._device_count} {line}")


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
