"""Gates as a resolved plan holds them: what is asked, when, and what the answers mean.

Source: rollout-rules R9 (limits), R11 (comparisons).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.device.model import DeviceId


class Stage(StrEnum):
    """When a gate speaks."""

    PREFLIGHT = "preflight"  # before the first device of a wave is started
    DEVICE = "device"  # right after a device was activated, once per device
    WAVE = "wave"  # at the end of the soak
    BACKGROUND = "background"  # all the time until the rollout ends


class ProbeKind(StrEnum):
    """How a gate takes its samples."""

    CHECK = "check"  # a named health check on the device
    HTTP = "http"  # from the controller
    COMMAND = "command"  # on the controller, argv only, allowed by the operator's configuration
    TCP = "tcp"  # a connection from the controller
    PROMETHEUS = "prometheus"  # an instant query
    STATS = "stats"  # what the rollout itself counted
    PLUGIN = "plugin"  # a kind of another package, allowed by the operator's configuration


REMEMBERED_KINDS = frozenset({ProbeKind.PROMETHEUS})  # what was can be asked for later


class StatName(StrEnum):
    """What the rollout counts about a wave."""

    OFFLINE_AFTER_UPDATE = "offline_after_update"  # devices dark or lost since their update
    DURATION = "duration"  # median seconds from start to proof
    REGRESSIONS = "regressions"  # devices that were proven and then failed


class OnNoData(StrEnum):
    """What missing evidence means; never success."""

    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"


class CompareTo(StrEnum):
    """What updated devices are compared with."""

    CONTROL = "control"  # devices not started yet, in the same time range
    BEFORE = "before"  # the same devices before their update


class CompareTest(StrEnum):
    """How two groups are compared."""

    MANN_WHITNEY = "mann_whitney"
    FISHER = "fisher"
    RATIO = "ratio"


class Direction(StrEnum):
    """Which change does harm."""

    INCREASE = "increase"
    DECREASE = "decrease"


@dataclass(frozen=True, slots=True)
class Probe:
    """What a gate asks. Exactly the fields of its kind are set.

    `value` is a JSON pointer (RFC 6901) into an HTTP answer's body. `url` and `query` ask
    Prometheus, `label` names the label whose value is a device ("" for one value for all).
    `host` and `port` are of a TCP connection; `stat` is a `StatName`. `plugin` names a kind of
    another package, `options` are the texts that it is given.
    """

    kind: ProbeKind
    check: str = ""
    url: str = ""
    value: str | None = None
    argv: tuple[str, ...] = ()
    host: str = ""
    port: int = 0
    query: str = ""
    label: str = ""
    stat: str = ""
    plugin: str = ""
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Compare:
    """A comparison in place of a condition.

    `min_effect` is the factor between both groups that matters: above 1 where an increase does
    harm, below 1 where a decrease does. Fewer than `min_samples` on a side are no data.
    """

    to: CompareTo
    test: CompareTest
    alpha: float
    direction: Direction
    min_effect: float
    min_samples: int


@dataclass(frozen=True, slots=True)
class Gate:
    """A health condition with its limits (R9).

    `probes` holds a probe per device where the plan's text depends on the device; otherwise
    `probe` is for all. `success_when` and `fail_when` are checked expressions
    (`plan.expression`); at least one is set, or `compare` instead of both.
    """

    name: str
    stage: Stage
    probe: Probe
    probes: Mapping[DeviceId, Probe] = field(default_factory=dict)
    success_when: str | None = None
    fail_when: str | None = None
    compare: Compare | None = None
    count: int = 1
    interval_s: float = 10.0
    initial_delay_s: float = 0.0
    timeout_s: float = 30.0
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = 4
    consecutive_success_limit: int | None = None
    on_no_data: OnNoData = OnNoData.INCONCLUSIVE
    waves: tuple[str, ...] = ()  # empty: all waves
    dry_run: bool = False
