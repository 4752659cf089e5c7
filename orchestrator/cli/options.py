"""Options that several commands share, each set declared once as a dataclass.

A command takes a set as one parameter; `flatten` shows typer the single options instead and puts
the set together again. So commands stay short and options read the same everywhere.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ParamSpec, get_type_hints

import typer

from orchestrator.cli.completing import hosts, rollouts, waves
from orchestrator.units import parse_duration

P = ParamSpec("P")


class Color(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class LogFormat(StrEnum):
    """How a line of the log looks."""

    TEXT = "text"
    JSON = "json"


class Format(StrEnum):
    """Text for people or one JSON document."""

    TEXT = "text"
    JSON = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="text, or json for programs.")]
RolloutArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[ROLLOUT]",
        help="Id or its beginning; the newest if left out.",
        autocompletion=rollouts,
    ),
]
EventsOption = Annotated[
    str | None,
    typer.Option("--events", metavar="FILE", help="Write events as JSON lines; - for stdout."),
]
ProposalOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Save it for review, and do nothing yet."),
]
WhyOption = Annotated[
    str, typer.Option("--reason", "--why", metavar="TEXT", help="Reason for the journal.")
]
WaveOption = Annotated[
    str | None,
    typer.Option(
        "--wave", metavar="NAME", help="Only if it is about this wave.", autocompletion=waves
    ),
]
WaitOption = Annotated[
    bool,
    typer.Option(
        "--wait", help="Stay also while only approvals, windows, freezes or a pause are left."
    ),
]


MetricsFileOption = Annotated[
    Path | None,
    typer.Option(
        "--metrics-file",
        metavar="FILE",
        help="Keep figures here for Prometheus' textfile collector.",
    ),
]


TracesOption = Annotated[
    bool,
    typer.Option("--traces", help="Send traces to the collector of OTEL_EXPORTER_OTLP_ENDPOINT."),
]


@dataclass(frozen=True, slots=True)
class Common:
    """Options of every command; they may stand before the command's name too."""

    directory: Annotated[
        Path | None, typer.Option("-C", metavar="DIR", help="Work as if started in DIR.")
    ] = None
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="User configuration to read.")
    ] = None
    state: Annotated[
        str | None, typer.Option("--state", metavar="URL", help="State store, path or URL.")
    ] = None
    color: Annotated[
        Color | None, typer.Option("--color", metavar="WHEN", help="auto, always or never.")
    ] = None
    log_file: Annotated[
        str | None,
        typer.Option("--log-file", metavar="FILE", help="Append a structured log; - for stderr."),
    ] = None
    log_format: Annotated[
        LogFormat | None, typer.Option("--log-format", metavar="FORM", help="text or json.")
    ] = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only results and errors.")] = False
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, show_default=False, help="Say more.")
    ] = 0
    no_input: Annotated[
        bool, typer.Option("--no-input", help="Never ask; fail where an answer is needed.")
    ] = False

    def over(self, outer: Common | None) -> Common:
        """These options, with gaps filled from those that stood before the command."""
        if outer is None:
            return self
        empty = Common()
        given = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != getattr(empty, field.name)
        }
        return replace(outer, **given)


@dataclass(frozen=True, slots=True)
class InventoryOptions:
    """Which devices."""

    inventory: Annotated[
        list[str] | None,
        typer.Option("--inventory", "-i", metavar="SRC", help="Inventory; may repeat, later wins."),
    ] = None
    limit: Annotated[
        str | None,
        typer.Option(
            "--limit",
            "-l",
            metavar="PATTERN",
            help="Only these of the devices.",
            autocompletion=hosts,
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class SourceOptions(InventoryOptions):
    """Which devices, with which variables."""

    extra: Annotated[
        list[str] | None,
        typer.Option("--set", "-e", metavar="KEY=VALUE", help="Plan variable; may repeat."),
    ] = None


@dataclass(frozen=True, slots=True)
class Output:
    """Where the result goes."""

    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the result here.")
    ] = None


def command(
    app: typer.Typer, name: str | None = None, *, examples: str
) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """Registers a function as a command of `app`; its result is the exit code.

    Args:
        app: the module's own typer application.
        name: the command's name; needed only where `app` has several.
        examples: lines for the end of the help text, each a command or a comment.
    """
    epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines())

    def register(function: Callable[P, int]) -> Callable[P, int]:
        app.command(name, epilog=epilog)(spread(function, _exit))
        return function

    return register


def _exit(code: int) -> None:
    raise typer.Exit(int(code))


def spread(function: Callable[P, int], after: Callable[[int], None]) -> Callable[..., None]:
    """The function as typer wants it: option sets spread out, its result handed to `after`.

    The option set `common` is filled up from the options that stood before the command's name.
    """
    hints = get_type_hints(function, include_extras=True)
    own = inspect.signature(function).parameters
    sets = {name: hints[name] for name in own if dataclasses.is_dataclass(hints[name])}
    parameters = [_CONTEXT]
    for name, parameter in own.items():
        if name not in sets:
            parameters.append(parameter.replace(annotation=hints[name]))
    for name in sorted(sets, key=lambda name: name == "common"):  # what all have stands last
        parameters += _parameters(sets[name])
    ordered = sorted(parameters, key=lambda parameter: parameter.kind)

    @functools.wraps(function)
    def call(context: typer.Context, **values: object) -> None:
        for name, option_set in sets.items():
            fields = [field.name for field in dataclasses.fields(option_set)]
            built = option_set(**{field: values.pop(field) for field in fields})
            values[name] = built.over(context.find_root().obj) if name == "common" else built
        context.obj = values.get("common")
        after(function(**values))  # type: ignore[arg-type,call-arg]  # typer calls by the signature below

    call.__dict__["__signature__"] = inspect.Signature(ordered)
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    return call


_CONTEXT = inspect.Parameter(
    "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
)


def _parameters(option_set: type) -> list[inspect.Parameter]:
    hints = get_type_hints(option_set, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(option_set)
    ]


def _default(field: dataclasses.Field[object]) -> object:
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def key_values(items: list[str] | None, option: str) -> Mapping[str, str]:
    """`KEY=VALUE` items as a mapping; the last of equal keys wins.

    Raises:
        typer.BadParameter: an item has no `=` or no key.
    """
    found: dict[str, str] = {}
    for item in items or ():
        key, separator, value = item.partition("=")
        if not separator or not key:
            message = f"`{item}` is not KEY=VALUE"
            raise typer.BadParameter(message, param_hint=option)
        found[key] = value
    return found


def seconds(text: str, option: str) -> float:
    """A duration as plans write it, in seconds.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
