"""`rollout release create | attach | evidence | sign | verify | inspect`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli.evidence import say_attached
from orchestrator.cli.options import Common, Format, FormatOption, command
from orchestrator.cli.release_evidence import EXAMPLES, evidence
from orchestrator.cli.session import Session, start
from orchestrator.cli.shown import show_result
from orchestrator.cli.signing import KeyOption, KeysOption, Unlocking, signers
from orchestrator.render.evidence import evidence_document, evidence_next, evidence_text
from orchestrator.render.release import TicketFacts, ticket_document, ticket_next, ticket_text

app = typer.Typer(help="Make, sign and verify release tickets.", no_args_is_help=True)

TicketArgument = Annotated[Path, typer.Argument(metavar="TICKET", help="A release ticket.")]
RootOption = Annotated[
    Path | None, typer.Option("--root", metavar="ROOT", help="The fleet's trust root.")
]


@dataclass(frozen=True, slots=True)
class TicketOptions:
    """What a ticket says beside what the artifact says."""

    fleet: Annotated[
        str | None, typer.Option("--fleet", metavar="NAME", help="The fleet; the root's if unset.")
    ] = None
    expires: Annotated[
        str, typer.Option("--expires", metavar="TIME", help="A time with its zone, or a duration.")
    ] = "30d"
    serial: Annotated[
        int | None,
        typer.Option(
            "--serial", metavar="N", min=0, help="Follows the tickets beside it if unset."
        ),
    ] = None
    security_version: Annotated[
        int | None,
        typer.Option(
            "--security-version", metavar="N", min=0, help="That of the last ticket if unset."
        ),
    ] = None
    min_security_version: Annotated[
        int | None,
        typer.Option(
            "--min-security-version",
            metavar="N",
            min=0,
            help="What devices refuse to go below once committed; the security version if unset.",
        ),
    ] = None
    openings: Annotated[
        list[str] | None,
        typer.Option(
            "--open", metavar="PERCENT@TIME", help="Devices let in from then on; may repeat."
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class PaperOptions:
    """What speaks for an artifact."""

    sbom: Annotated[
        Path | None,
        typer.Option("--sbom", metavar="FILE", help="CycloneDX 1.5/1.6 or SPDX 2.3, as JSON."),
    ] = None
    vex: Annotated[
        list[Path] | None,
        typer.Option("--vex", metavar="FILE", help="OpenVEX or CycloneDX; may repeat."),
    ] = None
    provenance: Annotated[
        list[Path] | None,
        typer.Option(
            "--provenance", metavar="FILE", help="SLSA provenance in a DSSE envelope; may repeat."
        ),
    ] = None

    def request(
        self, artifact: Path, root: Path | None, sign_with: tuple[api.SignWith, ...]
    ) -> api.AttachRequest:
        """These papers, to be bound to the artifact."""
        vex, provenance = tuple(self.vex or ()), tuple(self.provenance or ())
        return api.AttachRequest(artifact, self.sbom, vex, provenance, root, sign_with)


@command(
    app,
    "create",
    examples="""
rollout release create app-2.mender --root root-1.txt
rollout release create app-2.mender --root root-1.txt --key ann.key --sbom app.cdx.json
rollout release create app-2.mender --root root-1.txt --key ann.key --expires 14d
rollout release create app-2.mender --root root-1.txt --open 5%@1h --open 100%@2026-12-01T08:00Z
rollout release create app-2.mender --fleet acme-prod --serial 42 --security-version 7
""",
)
def create(  # noqa: PLR0913  each is an option of the command line
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="What is released.")],
    *,
    common: Common,
    options: TicketOptions,
    papers: PaperOptions,
    unlocking: Unlocking,
    root: RootOption = None,
    key: KeysOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="TICKET", help="Write here; beside the artifact if unset."
        ),
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Write a release ticket for an artifact.

    Name, device types and manifest come out of the artifact. With --root the artifact must be
    signed by a build key of the root, and keys given with --key must be its release keys.
    SBOM, VEX and provenance are bound to the artifact as by `rollout release attach`.
    """
    session = start(common)
    api.require_role(session.settings, "release create")  # before anybody types a passphrase
    request = api.TicketRequest(
        artifact=artifact,
        expires=options.expires,
        fleet=options.fleet or ("" if root else session.settings.fleet),
        root=root,
        serial=options.serial,
        security_version=options.security_version,
        min_security_version=options.min_security_version,
        openings=tuple(options.openings or ()),
        out=out,
        sign_with=signers(session, key, unlocking),
    )
    bound = papers.request(artifact, root, request.sign_with)
    if bound.has_papers:
        say_attached(session, api.release_attach(bound))
    return _show(session, api.release_create(request), format)


@command(
    app,
    "attach",
    examples="""
rollout release attach app-2.mender --root root-1.txt --key ann.key --sbom app.cdx.json
rollout release attach app-2.mender --key ann.key --sbom app.spdx.json --vex app.vex.json
rollout release attach app-2.mender --root root-1.txt --key bob.key
""",
)
def attach(  # noqa: PLR0913  each is an option of the command line
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="What they speak for.")],
    *,
    common: Common,
    papers: PaperOptions,
    unlocking: Unlocking,
    root: RootOption = None,
    key: KeysOption = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Bind SBOM, VEX and provenance to an artifact; without any, sign for those that are bound.

    They are copied beside the artifact, and a signed statement there (NAME.evidence.json) names
    their digests. New papers replace all that were bound, and every signature.
    """
    session = start(common)
    api.require_role(session.settings, "release attach")
    request = papers.request(artifact, root, signers(session, key, unlocking))
    facts = api.release_attach(request)
    then = "" if session.quiet else evidence_next(facts)
    document, text = evidence_document(facts), evidence_text(facts, session.out)
    return show_result(format, document, text, then=then)


command(app, "evidence", examples=EXAMPLES)(evidence)


@command(
    app,
    "sign",
    examples="""
rollout release sign app-2.ticket --key bob.key --root root-1.txt
rollout release sign app-2.ticket --key agent:SHA256:mVp... --root root-1.txt
rollout release sign app-2.ticket --key hsm:2?label=release --public release.pub --root root-1.txt
""",
)
def sign(  # noqa: PLR0913  each is an option of the command line
    ticket: TicketArgument,
    *,
    common: Common,
    key: KeyOption,
    unlocking: Unlocking,
    root: RootOption = None,
    artifact: Annotated[
        Path | None,
        typer.Option(
            "--artifact", metavar="FILE", help="For a build key; beside the ticket if unset."
        ),
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Add a signature to those beside a ticket, in TICKET.sig.

    Look at what you sign with `rollout release inspect` first. People sign one after the other,
    in any order; with --root a key that would not count is refused. A build key signs, for devices
    without openssl, only for an artifact that a build key signed already; those with usign or
    signify alone count Ed25519, and nothing else.
    """
    session = start(common)
    api.require_role(session.settings, "release sign")
    (signer,) = signers(session, (key,), unlocking)
    return _show(session, api.release_sign(ticket, signer, root=root, artifact=artifact), format)


@command(
    app,
    "verify",
    examples="""
rollout release verify app-2.ticket --root root-1.txt
rollout release verify app-2.ticket --root root-1.txt --artifact app-2.mender --device-type rpi4
rollout release verify app-2.ticket --root root-1.txt --device gw-044 --at 2026-12-01T08:00Z
""",
)
def verify(  # noqa: PLR0913  each is an option of the command line
    ticket: TicketArgument,
    *,
    common: Common,
    root: Annotated[Path, typer.Option("--root", metavar="ROOT", help="The fleet's trust root.")],
    artifact: Annotated[
        Path | None,
        typer.Option("--artifact", metavar="FILE", help="It is about this artifact."),
    ] = None,
    device_type: Annotated[
        str | None, typer.Option("--device-type", metavar="TYPE", help="It is for this type.")
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", metavar="ID", help="It lets this device begin.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Not now, but at this time.")
    ] = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Judge a ticket as a device does, as far as you say what the device would know.

    Ends with 0 when every check holds, and with 1 and the reason otherwise.
    """
    session = start(common)
    checks = api.TicketChecks(artifact=artifact, device_id=device, device_type=device_type, at=at)
    return _show(session, api.release_verify(ticket, root, checks), format)


@command(
    app,
    "inspect",
    examples="""
rollout release inspect app-2.ticket
rollout release inspect app-2.ticket --root root-1.txt --format json
""",
)
def inspect(
    ticket: TicketArgument,
    *,
    common: Common,
    root: RootOption = None,
    format: FormatOption = Format.TEXT,  # noqa: A002
) -> int:
    """Show what a ticket says; with --root also who signed it. Judges nothing."""
    session = start(common)
    return _show(session, api.release_inspect(ticket, root=root), format)


def _show(session: Session, facts: TicketFacts, form: Format) -> int:
    then = "" if session.quiet else ticket_next(facts)
    return show_result(form, ticket_document(facts), ticket_text(facts, session.out), then=then)
