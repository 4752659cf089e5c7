"""`rollout device enroll | release | adopt | root | check | facts | unhold`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.confirm import confirm_devices, confirm_key
from orchestrator.cli.options import Common, Format, FormatOption, SourceOptions, command
from orchestrator.cli.running import wait_for
from orchestrator.cli.session import Session, source_of, start
from orchestrator.cli.streams import say, write_result
from orchestrator.errors import ExitCode, PlanError
from orchestrator.render.documents import dump
from orchestrator.render.shown import AnswerFacts, answer_line, answer_text, answers_document
from orchestrator.render.text import plural

app = typer.Typer(help="Enrol, release, check and look at devices.", no_args_is_help=True)

PatternArgument = Annotated[str, typer.Argument(metavar="PATTERN", help="Ansible host pattern.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for a confirmation.")]
BECOME = ("sudo", "doas")
OnAnswer = Callable[[api.DeviceAnswer], None]
Answers = tuple[api.DeviceAnswer, ...]


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
    login: LoginOption = None
    become: BecomeOption = None
    ask_become_pass: AskPasswordOption = False


@dataclass(frozen=True, slots=True)
class ReleaseOptions:
    """How releasing gets in, and whether it only looks."""

    login: LoginOption = None
    become: BecomeOption = None
    ask_become_pass: AskPasswordOption = False
    dry_run: DryRunOption = False


@command(
    app,
    "enroll",
    examples="""
rollout device enroll gw-001 -i inventory/ --key release.key.pub --device-type rpi4 --dry-run
rollout device enroll web1 --key release.key.pub -t debian --login admin --become sudo
rollout device enroll gw-001 --root root.txt -t rpi4 --dry-run
""",
)
def enroll(
    pattern: PatternArgument,
    *,
    common: Common,
    source: SourceOptions,
    options: EnrollOptions,
    dry_run: DryRunOption = False,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Put the helper, the trusted keys and the health checks on devices.

    A host key that is neither pinned in the inventory nor given by --fingerprint is shown and
    wants a typed confirmation. Enrolling again brings a device up to date. With a trust root
    (--root, or `trust_root` of the configuration) the device takes only releases with a ticket,
    signed as the root says, and the keys of --key count no more.
    """
    session = start(common)

    def accept(device: str, fingerprint: str) -> bool:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:  # the event loop waits for the person: Ctrl-C must end the question
            return confirm_key(session, device, fingerprint)
        finally:
            signal.signal(signal.SIGINT, before)

    request = api.EnrollRequest(
        pattern=pattern,
        source=source_of(source),
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
    )
    return _ask_all(
        session,
        format,
        lambda on: api.device_enroll(session.settings, request, on),
        with_facts=True,
    )


@command(
    app,
    "release",
    examples="""
rollout device release gw-001 --dry-run
rollout device release web1 --login admin --become sudo --yes
""",
)
def release(
    pattern: PatternArgument,
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
    if not options.dry_run:
        names = api.hosts(session.settings, pattern, chosen).names
        confirm_devices(session, "Release", len(names), yes=yes)
    request = api.ReleaseRequest(
        pattern=pattern,
        source=chosen,
        login=options.login,
        become=become_of(options.become),
        become_password=_password(options.ask_become_pass),
        look_only=options.dry_run,
    )
    return _ask_all(
        session,
        format,
        lambda on: api.device_release(session.settings, request, on),
        with_facts=True,
    )


@command(
    app,
    "adopt",
    examples="""
rollout device adopt all --yes
rollout device adopt gateways --component modem
""",
)
def adopt(
    pattern: PatternArgument,
    *,
    common: Common,
    source: SourceOptions,
    component: Annotated[
        str, typer.Option("--component", metavar="NAME", help="Part of the device.")
    ] = "main",
    yes: YesOption = False,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Make devices serve this project instead of another one, or of a lost state store."""
    session = start(common)
    chosen = source_of(source)
    names = api.hosts(session.settings, pattern, chosen).names
    confirm_devices(session, "Adopt", len(names), yes=yes)
    return _ask_all(
        session,
        format,
        lambda on: api.device_adopt(session.settings, pattern, chosen, on, component),
    )


@command(
    app,
    "root",
    examples="""
rollout device root all root.2.txt
rollout device root gateways root.2.txt root.3.txt -i inventory/
""",
)
def root(
    pattern: PatternArgument,
    roots: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Roots; signatures in FILE.sig.")
    ],
    *,
    common: Common,
    source: SourceOptions,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Give devices the trust roots that follow the one they have.

    A device takes the next version only, and only if enough root keys of both versions signed it;
    so name every version that it may lack. The first root comes with `device enroll`.
    """
    session = start(common)
    chosen = source_of(source)
    return _ask_all(
        session,
        format,
        lambda on: api.device_root(session.settings, pattern, chosen, roots, on),
        with_facts=True,
    )


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


@command(
    app,
    "check",
    examples="""
rollout device check all -i inventory/
rollout device check gw-044
""",
)
def check(
    pattern: PatternArgument,
    *,
    common: Common,
    source: SourceOptions,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Check the way to devices: connection, host key, login, helper, space, state."""
    session = start(common)
    chosen = source_of(source)
    return _ask_all(
        session, format, lambda on: api.device_check(session.settings, pattern, chosen, on)
    )


@command(
    app,
    "facts",
    examples="""
rollout device facts gw-001
rollout device facts all --format json
""",
)
def facts(
    pattern: PatternArgument,
    *,
    common: Common,
    source: SourceOptions,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show what devices say of themselves: type, artifact, state, helper, space."""
    session = start(common)
    chosen = source_of(source)
    return _ask_all(
        session,
        format,
        lambda on: api.device_facts(session.settings, pattern, chosen, on),
        with_facts=True,
    )


def _ask_all(
    session: Session,
    form: Format,
    work: Callable[[OnAnswer], Coroutine[object, object, Answers]],
    *,
    with_facts: bool = False,
) -> int:
    """Asks devices, shows answers as they come (text) or all at the end (JSON)."""

    def show(answer: api.DeviceAnswer) -> None:
        line = answer_text if with_facts else answer_line
        if form is Format.TEXT:
            write_result(line(_facts(answer), session.out) + "\n", None)

    answers = wait_for(work(show))
    if form is Format.JSON:
        write_result(dump(answers_document([_facts(answer) for answer in answers])), None)
    bad_count = sum(not answer.ok for answer in answers)
    if bad_count and not session.quiet:
        say(f"{bad_count} of {plural(len(answers), 'device')} did not answer well")
    return ExitCode.PARTIAL if bad_count else ExitCode.DONE


def _facts(answer: api.DeviceAnswer) -> AnswerFacts:
    return AnswerFacts(answer.device, answer.ok, answer.reason, answer.detail, answer.facts)


@command(
    app,
    "unhold",
    examples="""
rollout device unhold gw-044 --reason 'modem replaced'
""",
)
def unhold(
    devices: Annotated[list[str], typer.Argument(metavar="DEVICE...", help="Names of devices.")],
    *,
    common: Common,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it may go again.")],
) -> int:
    """Let devices take part again that failed, were taken back or could not go back.

    Rollouts leave them out until then, or until a new artifact; see `held` in a preview.
    """
    session = start(common)
    freed = wait_for(api.device_unhold(session.settings, devices, reason=reason))
    for name in devices:
        say(f"{name}: {'free again' if name in freed else 'was not held'}")
    return ExitCode.DONE
