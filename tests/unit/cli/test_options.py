import dataclasses
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from orchestrator.cli.options import Color, Common, command, key_values


@dataclasses.dataclass(frozen=True)
class Pair:
    left: Annotated[int, typer.Option("--left")]
    right: Annotated[int, typer.Option("--right")] = 2


def app_with(seen: list[object]) -> typer.Typer:
    app = typer.Typer()

    @command(app, examples="rollout add 1 --left 2\n")
    def add(number: int, *, pair: Pair, common: Common) -> int:
        """Adds."""
        seen.append((number, pair, common))
        return number

    return app


def test_a_set_of_options_arrives_as_one_value_and_the_result_is_the_exit_code() -> None:
    seen: list[object] = []

    result = CliRunner().invoke(app_with(seen), ["3", "--left", "5", "--color", "never", "-vv"])

    assert result.exit_code == 3
    ((number, pair, common),) = seen
    assert (number, pair) == (3, Pair(5, 2))
    assert (common.color, common.verbose) == (Color.NEVER, 2)


def test_a_field_without_default_is_a_required_option() -> None:
    result = CliRunner().invoke(app_with([]), ["3"])

    assert result.exit_code == 2
    assert "--left" in result.output


def test_examples_stand_in_the_help() -> None:
    result = CliRunner().invoke(app_with([]), ["--help"])

    assert "rollout add 1 --left 2" in result.output


def test_options_after_the_command_beat_those_before() -> None:
    outer = Common(color=Color.ALWAYS, quiet=True)

    assert Common(color=Color.NEVER).over(outer) == Common(color=Color.NEVER, quiet=True)
    assert Common().over(outer) == outer
    assert Common().over(None) == Common()


def test_key_values() -> None:
    assert key_values(["a=1", "b=x=y", "a=2"], "--set") == {"a": "2", "b": "x=y"}
    assert key_values(None, "--set") == {}


@pytest.mark.parametrize("item", ["a", "=1", ""])
def test_what_is_no_key_value_is_refused(item) -> None:
    with pytest.raises(typer.BadParameter, match="KEY=VALUE"):
        key_values([item], "--set")
