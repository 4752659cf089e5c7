"""Kinds of gates that other packages bring, by entry point in the group `rollout.gates`.

Laws:
1. A package is imported only for a kind that a plan names and the operator's configuration allows:
   it is foreign code in a process that holds SSH keys.
2. An entry point is a callable without arguments that gives a `gates.kinds.Kind`. Two packages with
   a kind of one name are an error: neither wins by chance.
3. What it raises is an error of the sample; what it returns is held against the form of a sample
   before anybody reads it. Its deadline is kept for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from importlib.metadata import entry_points

from orchestrator.device.check import finite
from orchestrator.engine.ports import Sample
from orchestrator.gates.failure import ProbeError
from orchestrator.gates.kinds import Kind
from orchestrator.outward.failure import OutwardError
from orchestrator.plan.resolved import Probe

GROUP = "rollout.gates"
FIELDS_MAX = 64
TEXT_CHARS_MAX = 2_000
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Plugins:
    """Loads the kinds that are allowed, each once."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = frozenset(allowed)
        self._loaded: dict[str, Kind] = {}

    def kind(self, name: str) -> Kind:
        """The kind of that name.

        Raises:
            ProbeError: it is not allowed, not there, or cannot be loaded.
        """
        if name not in self._allowed:
            message = f"gate kind `{name}` is not allowed by this controller's configuration"
            raise ProbeError(message)
        if name not in self._loaded:
            self._loaded[name] = _Contained(name, _load(name))
        return self._loaded[name]


def _load(name: str) -> Kind:
    found = list(entry_points(group=GROUP, name=name))
    if len(found) != 1:
        message = f"{len(found)} installed packages bring the gate kind `{name}`, not one"
        raise ProbeError(message)
    try:
        kind: Kind = found[0].load()()
    except Exception as error:  # foreign code may raise anything
        raise _trouble(name, error) from error
    return kind


class _Contained:
    """A foreign kind whose exceptions, delays and results stay within the rules."""

    def __init__(self, name: str, kind: Kind) -> None:
        self._name, self._kind = name, kind

    def check(self, probe: Probe) -> None:
        try:
            self._kind.check(probe)
        except OutwardError:
            raise
        except Exception as error:  # as in _load
            raise _trouble(self._name, error) from error

    async def sample(self, probe: Probe, *, deadline_s: float) -> Sample:
        try:
            async with asyncio.timeout(deadline_s):
                sample = await self._kind.sample(probe, deadline_s=deadline_s)
        except OutwardError:
            raise
        except TimeoutError as error:
            message = f"gate kind `{self._name}` ran out of time ({deadline_s:g} s)"
            raise ProbeError(message) from error
        except Exception as error:  # as in _load
            raise _trouble(self._name, error) from error
        return _checked(self._name, sample)


def _trouble(name: str, error: Exception) -> ProbeError:
    return ProbeError(f"gate kind `{name}` failed: {type(error).__name__}: {error}")


def _checked(name: str, sample: object) -> Sample:
    sound = (
        isinstance(sample, Sample)
        and len(sample.fields) <= FIELDS_MAX
        and all(_is_field(key, value) for key, value in sample.fields.items())
        and all(_is_value(key, value) for key, value in sample.series.items())
    )
    if not sound or not isinstance(sample, Sample):
        message = f"gate kind `{name}` gave what is no sample"
        raise ProbeError(message)
    if sample.error:
        raise ProbeError(sample.error)
    fields = {key: value for key, value in sample.fields.items() if finite(value)}
    series = {key: value for key, value in sample.series.items() if finite(value)}
    return Sample(fields, series=series)


def _is_field(key: object, value: object) -> bool:
    single = value is None or isinstance(value, str | int | float)
    short = not isinstance(value, str) or len(value) <= TEXT_CHARS_MAX
    return isinstance(key, str) and bool(_FIELD.fullmatch(key)) and single and short


def _is_value(key: object, value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(key, str) and number
