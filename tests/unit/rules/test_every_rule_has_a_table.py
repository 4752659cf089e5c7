"""Each rule R1 to R17 has a table of cases: a parametrised `test_rN` or `test_rN_...` in tests/unit.

Tables are read, not run: what counts is what is written in them.
"""

import ast
import re
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1]
CASES_MIN = 10
_NAME = re.compile(r"test_r([0-9]{1,2})(_.*)?")


def cases(source):
    """For each table of a module, which rule it is of and how many cases it has."""
    module = ast.parse(source)
    lists = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        match = isinstance(node, _FUNCTION) and _NAME.fullmatch(node.name)
        for decorator in node.decorator_list if match else ():
            if isinstance(decorator, ast.Call) and len(decorator.args) > 1:
                table = decorator.args[1]
                if isinstance(table, ast.Name):
                    table = lists.get(table.id)
                if isinstance(table, ast.List):
                    yield int(match[1]), len(table.elts)


_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.fixture(scope="module")
def largest():
    found = {}
    for path in UNIT.rglob("test_*.py"):
        for rule, count in cases(path.read_text(encoding="utf-8")):
            found[rule] = max(count, found.get(rule, 0))
    return found


@pytest.mark.parametrize("rule", range(1, 18))
def test_rule_has_a_table_of_ten_cases(rule, largest):
    assert largest.get(rule, 0) >= CASES_MIN


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("", []),
        ("def test_r1(): pass", []),
        ("@mark('x', [1, 2])\ndef test_r1(x): pass", [(1, 2)]),
        ("@mark('x', [])\ndef test_r17_name(x): pass", [(17, 0)]),
        ("T = [1]\n@mark('x', T)\nasync def test_r2(x): pass", [(2, 1)]),
        ("@mark('x', [1])\ndef test_row(x): pass", []),
    ],
)
def test_tables_are_found(source, found):
    assert list(cases(source)) == found
