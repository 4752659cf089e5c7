"""`rollout reconcile --git`: a controller that follows a branch."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from orchestrator import api
from orchestrator.cli import config
from orchestrator.cli.metering import metered
from orchestrator.cli.options import Common
from orchestrator.cli.running import drive
from orchestrator.cli.session import Session, configuration
from orchestrator.cli.streams import say, show, write_file
from orchestrator.cli.tracing import traces
from orchestrator.errors import OrchestratorError
from orchestrator.gitops.standing import Standing
from orchestrator.log import Log
from orchestrator.render.controller import document, lines
from orchestrator.render.json_text import dump

CHECKOUT_DEFAULT = ".rollout/checkout"
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class GitOptions:
    """Which branch is followed, and where that is told."""

    git: Annotated[
        str | None,
        typer.Option(
            "--git", metavar="DIR|URL", help="Follow this repository: a checkout, or an address."
        ),
    ] = None
    branch: Annotated[str, typer.Option("--branch", metavar="NAME", help="Its branch.")] = "main"
    plans: Annotated[
        str, typer.Option("--plans", metavar="GLOB", help="Which of its files are plans.")
    ] = "plans/*.yml"
    checkout: Annotated[
        Path | None,
        typer.Option(
            "--checkout", metavar="DIR", help=f"Its work tree here; {CHECKOUT_DEFAULT} if unset."
        ),
    ] = None
    accept_rewrite: Annotated[
        str,
        typer.Option(
            "--accept-rewrite",
            metavar="COMMIT",
            help="Take this commit although history was written anew.",
        ),
    ] = ""
    status: Annotated[
        Path | None,
        typer.Option("--status", metavar="FILE", help="Keep where it stands as JSON here."),
    ] = None


def follow(
    session: Session,
    common: Common,
    options: GitOptions,
    *,
    every_s: float,
    once: bool,
    meter: api.Meter | None,
) -> Standing:
    """Follows the branch until stopped, or for one pass; gives where it stands then.

    Raises:
        OrchestratorError: it cannot be followed.
    """
    following = _following(options, every_s)
    _refuse_own_state(common, following.checkout)

    def project(directory: Path) -> api.Settings:
        flags = config.Flags(state=session.settings.state, config=common.config)
        return config.load(flags, os.environ, directory).settings

    def work(drain: asyncio.Event) -> Awaitable[Standing]:
        teller = _Teller(session, options.status, meter, api.observing(outlet, meter))
        return api.control(
            session.settings, following, project, drain=drain, overseer=teller, once=once
        )

    with traces(session) as outlet:
        return drive(metered(meter, work))


def _following(options: GitOptions, every_s: float) -> api.Following:
    """What the options name: a directory that is a checkout is used as it is, all else is cloned."""
    assert options.git is not None, "asked for"
    if options.accept_rewrite and not _COMMIT.fullmatch(options.accept_rewrite):
        message = f"`{options.accept_rewrite}` is not the whole name of a commit"
        raise typer.BadParameter(message, param_hint="--accept-rewrite")
    place = Path(options.git)
    local = place.exists()
    own = options.checkout or Path(CHECKOUT_DEFAULT)
    if local and (place / ".git").exists() and options.checkout is None:
        url, own = "", place
    else:
        url = str(place.resolve()) if local else options.git
    return api.Following(
        url=url,
        checkout=own.resolve(),
        branch=options.branch,
        plans=options.plans,
        interval_s=every_s,
        accept=options.accept_rewrite,
        untrusted=(place.resolve(),) if local else (),
    )


def _refuse_own_state(common: Common, checkout: Path) -> None:
    """Refuses a store that a commit could name: it remembers what was taken of that history."""
    here = replace(common, directory=None)  # where the session went already
    given = configuration(here).given["state"][0]
    file = Path(given.where.file).resolve()
    if given.source is config.Source.PROJECT and file.is_relative_to(checkout):
        message = "the repository that is followed would choose the state store"
        hint = "name it with `--state`, or in your own configuration"
        raise OrchestratorError(message, hint=hint, where=given.where)


_log = Log("controller")


class _Teller:
    """Keeps the file of `--status`, and prints what is new: who reads a line finds the file so."""

    def __init__(
        self,
        session: Session,
        status: Path | None,
        meter: api.Meter | None,
        observe: Callable[[], api.Observer],
    ) -> None:
        self._quiet, self._status, self._meter = session.quiet, status, meter
        self._known: frozenset[str] = frozenset()
        self._before: Standing | None = None
        self._observe = observe

    def of_rollout(self) -> api.Observer:
        """Its traces, and the figures."""
        return self._observe()

    def stood(self, standing: Standing) -> None:
        """Takes where the controller stands now."""
        if self._meter is not None:
            self._meter.stood(standing)
        if self._status is not None:
            try:
                write_file(self._status, dump(document(standing)).encode())
            except OrchestratorError as error:  # a full disk stops no fleet
                say(f"warning: {error.message}")
        said = lines(standing, before=self._before)
        self._before = standing
        for line in said:
            if line not in self._known:
                _log.info("news", text=line)
        if not self._quiet:
            for line in said:
                if line not in self._known:
                    show(sys.stdout, f"{line}\n")
        self._known = frozenset(said) or self._known
