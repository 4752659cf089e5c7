"""What a command works with: configuration, streams, and whether it may ask."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from orchestrator.api import Settings, Source
from orchestrator.cli import config
from orchestrator.cli.config_keys import absolute
from orchestrator.cli.options import Common, LogFormat, SourceOptions, key_values
from orchestrator.cli.streams import look_of
from orchestrator.errors import OrchestratorError, system_reason
from orchestrator.render.folds import Pipeline, pipeline_of
from orchestrator.render.text import Look


@dataclass(frozen=True, slots=True)
class Session:
    """One command's surroundings.

    `live` says that stderr is a terminal that may be redrawn; `may_ask` that a person can answer;
    `pipeline` whose log stderr is; `logs` that a structured log is written;
    `traces` that traces were asked for.
    """

    settings: Settings
    out: Look
    err: Look
    live: bool
    may_ask: bool
    quiet: bool = False
    verbose: int = 0
    pipeline: Pipeline = Pipeline.NONE
    logs: bool = False
    traces: bool = False


def start(common: Common) -> Session:
    """The session of a command, in the directory of `-C`.

    Raises:
        OrchestratorError: the directory or the configuration is wrong.
    """
    loaded = configuration(common)
    if common.log_file is not None:
        from orchestrator.cli.log_file import open_log

        form = common.log_format or LogFormat.TEXT
        open_log(common.log_file, form, everything=common.verbose > 0)
    in_ci = bool(os.environ.get("CI"))
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return Session(
        settings=loaded.settings,
        out=look_of(sys.stdout, loaded.color),
        err=look_of(sys.stderr, loaded.color),
        live=terminal and not in_ci and not common.quiet,
        may_ask=sys.stdin.isatty() and terminal and not in_ci and not common.no_input,
        quiet=common.quiet,
        verbose=common.verbose,
        pipeline=pipeline_of(os.environ),
        logs=common.log_file is not None,
    )


def configuration(common: Common) -> config.Config:
    """The configuration in force; changes to the directory of `-C` first, as `git` and `make` do.

    Raises:
        OrchestratorError: the directory, a file or a variable is wrong.
    """
    if common.directory is not None:
        _change_directory(common.directory)
    flags = config.Flags(
        state=common.state,
        color=str(common.color) if common.color else None,
        config=common.config,
    )
    return config.load(flags, os.environ, Path.cwd())


def _change_directory(directory: Path) -> None:
    try:
        os.chdir(directory)
    except OSError as error:
        message = f"cannot change to directory `{directory}`: {system_reason(error)}"
        raise OrchestratorError(message) from error


def source_of(options: SourceOptions) -> Source:
    """The options as the api takes them."""
    return Source(
        inventory=tuple(
            # an empty name, as `"$UNSET"`, is not the directory where one is
            absolute(text, Path.cwd()) if text.strip() else text
            for text in options.inventory or ()
        ),
        limit=options.limit,
        extra_vars=key_values(options.extra, "--set"),
    )
