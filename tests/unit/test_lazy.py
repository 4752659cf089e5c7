"""The names of packages that load lazily: what type checkers read is what is found when a program runs."""

import ast
from pathlib import Path
from types import ModuleType

import pytest

from orchestrator import api, trust

PACKAGES = pytest.mark.parametrize("package", [api, trust])


def declared(package: ModuleType) -> dict[str, str]:
    """Each name that the package imports for type checkers, and its module."""
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (block,) = (one for one in tree.body if isinstance(one, ast.If))
    return {
        name.name: str(one.module).rpartition(".")[2]
        for one in block.body
        if isinstance(one, ast.ImportFrom)
        for name in one.names
    }


@PACKAGES
def test_what_type_checkers_read_is_what_runs(package: ModuleType) -> None:
    assert declared(package) == package._HOMES
    assert sorted(declared(package)) == sorted(package.__all__)
    assert all(getattr(package, name) is not None for name in package.__all__)


@PACKAGES
def test_no_name_is_hidden_by_a_module_of_the_package(package: ModuleType) -> None:
    modules = {path.stem for path in Path(package.__file__).parent.glob("*.py")}

    assert modules & set(package.__all__) == set()


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="has no attribute `rolout`"):
        api.rolout  # noqa: B018
