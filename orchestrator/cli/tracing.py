"""Traces of what a command drives: `--traces`, or a collector that the environment names."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace

from orchestrator import api
from orchestrator.cli.session import Session
from orchestrator.cli.streams import say


def with_traces(session: Session, wanted: bool) -> Session:
    """The session of a command that was asked for traces or not.

    Raises:
        OrchestratorError: they are wanted, and the extra is not installed.
    """
    api.require_extra(wanted=wanted)
    return replace(session, traces=wanted)


@contextlib.contextmanager
def traces(session: Session) -> Iterator[api.Outlet | None]:
    """Where spans go, None where nobody wants any; says at the end if they did not arrive.

    Raises:
        OrchestratorError: they are wanted, and the extra is not installed.
    """
    outlet = api.open_traces(os.environ, wanted=session.traces)
    try:
        yield outlet
    finally:
        if outlet is not None and not outlet.close():
            say("warning: the collector did not take all traces; the rollout's journal has it all")
