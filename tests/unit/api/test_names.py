"""The names of the api: what type checkers read is what is found when a program runs."""

import ast
from pathlib import Path

import pytest

from orchestrator import api


def declared() -> dict[str, str]:
    """Each name that the package imports for type checkers, and its module."""
    tree = ast.parse(Path(api.__file__).read_text(encoding="utf-8"))
    (block,) = (one for one in tree.body if isinstance(one, ast.If))
    return {
        name.name: str(one.module).rpartition(".")[2]
        for one in block.body
        if isinstance(one, ast.ImportFrom)
        for name in one.names
    }


def test_what_type_checkers_read_is_what_runs() -> None:
    assert declared() == api._HOMES
    assert sorted(declared()) == sorted(api.__all__)
    assert all(getattr(api, name) is not None for name in api.__all__)


def test_no_name_is_hidden_by_a_module_of_the_package() -> None:
    modules = {path.stem for path in Path(api.__file__).parent.glob("*.py")}

    assert modules & set(api.__all__) == set()


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute `rolout`"):
        api.rolout  # noqa: B018
