from orchestrator.render.table import Cell, Column, table
from orchestrator.render.text import Look, Style, cells

COLUMNS = (
    Column("name"),
    Column("count", right=True),
    Column("why", flex=True, drop=1),
    Column("note", drop=2),
)
ROWS = [
    [Cell("canary", Style.BOLD), "1", "because it was chosen by its place in the order", "new"],
    ["rest", "1 284", "all the others", ""],
]


def test_columns_line_up() -> None:
    assert table(COLUMNS, ROWS, Look(100)) == [
        "name    count  why                                              note",
        "canary      1  because it was chosen by its place in the order  new",
        "rest    1 284  all the others",
    ]


def test_flexible_columns_shrink_before_any_is_dropped() -> None:
    assert table(COLUMNS, ROWS, Look(45))[1] == "canary      1  because it was chosen b…  new"


def test_what_matters_least_is_dropped_where_there_is_no_room() -> None:
    assert table(COLUMNS, ROWS, Look(24))[0] == "name    count"


def test_no_line_is_wider_than_the_look() -> None:
    for width in range(14, 110):
        assert all(cells(line) <= width for line in table(COLUMNS, ROWS, Look(width)))


def test_columns_without_text_are_left_out() -> None:
    lines = table((Column("a"), Column("b")), [["1", ""], ["2", ""]], Look(80))

    assert lines == ["a", "1", "2"]


def test_colour_does_not_change_the_alignment() -> None:
    plain = table(COLUMNS, ROWS, Look(100))
    coloured = table(COLUMNS, ROWS, Look(100, colour=True))

    assert [_without_colour(line).rstrip() for line in coloured] == plain


def _without_colour(line: str) -> str:
    for style in Style:
        line = line.replace(f"\x1b[{style.value}m", "")
    return line.replace("\x1b[0m", "")
