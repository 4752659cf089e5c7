"""The kinds of gates that are built in: what each asks, and how its sample is made of the answer.

A kind of one's own (`gates.plugins`) is an object with the same two methods, and passes the same
contract (`orchestrator.testing.gates.KindContract`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from orchestrator.engine.ports import Sample
from orchestrator.gates import command, http, pointer, prometheus, tcp
from orchestrator.gates.failure import ProbeError
from orchestrator.outward.command import Commands
from orchestrator.outward.http import checked_url
from orchestrator.outward.tokens import Tokens
from orchestrator.plan.resolved import Probe, ProbeKind


class Kind(Protocol):
    """A way to take samples from the controller."""

    def check(self, probe: Probe) -> None:
        """Looks at a probe without asking anything.

        Raises:
            OutwardError: it could never be sampled, or must not be.
        """
        ...

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """One sample.

        Raises:
            OutwardError: there was none.
        """
        ...


class HttpKind:
    """`http`: the status of a page, and one value in it."""

    def check(self, probe: Probe) -> None:
        """Refuses what is no address or no pointer."""
        checked_url(probe.url)
        try:
            pointer.tokens(probe.value or "")
        except ValueError as error:
            raise ProbeError(str(error)) from error

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """Fields `status` and `value`."""
        return Sample(await http.ask(probe.url, probe.value, deadline_s=deadline_s))


class CommandKind:
    """`command`: exit code and JSON line of a program that the operator allows."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def check(self, probe: Probe) -> None:
        """Refuses programs that are not allowed or not there."""
        self._commands.program(probe.argv)

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """Fields `exit` and those of the JSON line."""
        return Sample(await command.ask(self._commands, probe.argv, deadline_s=deadline_s))


class TcpKind:
    """`tcp`: whether a port takes a connection."""

    def check(self, probe: Probe) -> None:
        """Nothing can be wrong that a plan's reader has not seen."""

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """Field `open`."""
        return Sample(await tcp.connect(probe.host, probe.port, deadline_s=deadline_s))


class PrometheusKind:
    """`prometheus`: a value, or one per device; also of the past."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def check(self, probe: Probe) -> None:
        """Refuses what is no base address, and tokens that cannot be read."""
        problem = prometheus.problem(probe.url, probe.query)
        if problem:
            raise ProbeError(problem)
        self._tokens.for_url(probe.url)

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        """Field `value`, or `series`."""
        return _sample(await prometheus.instant(self._query(probe), deadline_s=deadline_s))

    async def history(
        self, probe: Probe, *, start_at: float, end_at: float, step_s: float, deadline_s: float
    ) -> tuple[tuple[float, Sample], ...]:
        """What `sample` would have given at each step.

        Raises:
            OutwardError: there was no answer that can be used.
        """
        found = await prometheus.past(
            self._query(probe),
            start_at=start_at,
            end_at=end_at,
            step_s=step_s,
            deadline_s=deadline_s,
        )
        return tuple((at, _sample(answer)) for at, answer in found)

    def _query(self, probe: Probe) -> prometheus.Query:
        token = self._tokens.for_url(probe.url)
        return prometheus.Query(probe.url, probe.query, probe.label, token)


def _sample(found: prometheus.Found) -> Sample:
    fields = {} if found.value is None else {"value": found.value}
    return Sample(fields, series=found.series or {})


def built_in(commands: Commands, tokens: Tokens) -> Mapping[ProbeKind, Kind]:
    """All kinds that the controller asks by itself."""
    return {
        ProbeKind.HTTP: HttpKind(),
        ProbeKind.COMMAND: CommandKind(commands),
        ProbeKind.TCP: TcpKind(),
        ProbeKind.PROMETHEUS: PrometheusKind(tokens),
    }
