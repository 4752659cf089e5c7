"""Work with its figures: what `--metrics-file` and `--listen` add to a command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import typer

from orchestrator import api
from orchestrator.cli.session import Session
from orchestrator.cli.streams import say
from orchestrator.render.text import escape

T = TypeVar("T")
LOOPBACK = "127.0.0.1"
PORT_MAX = 65535


def meter_of(
    session: Session, file: Path | None, listen: str | None = None, *, interval_s: float = 0.0
) -> api.Meter | None:
    """A meter, where anybody wants its figures.

    Raises:
        typer.BadParameter: `listen` is no address.
    """
    if file is None and listen is None:
        return None
    host, port = ("", 0) if listen is None else _address(listen)
    metering = api.Metering(file, host, port)
    return api.Meter(session.settings, metering, interval_s=interval_s)


def metered(
    meter: api.Meter | None, work: Callable[[asyncio.Event], Awaitable[T]]
) -> Callable[[asyncio.Event], Awaitable[T]]:
    """The work while the meter runs."""
    if meter is None:
        return work

    async def run(drain: asyncio.Event) -> T:
        try:
            async with meter.running():
                if meter.port:
                    say(f"listening on port {meter.port}: /metrics, /healthz")
                return await work(drain)
        finally:
            if meter.trouble:
                say(f"warning: no figures were written: {escape(meter.trouble)}")

    return run


def _address(text: str) -> tuple[str, int]:
    """`HOST:PORT`; without a host this machine alone is answered."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= PORT_MAX):
        message = f"`{text}` is not HOST:PORT"
        raise typer.BadParameter(message, param_hint="--listen")
    return host.strip("[]") or LOOPBACK, int(port)
