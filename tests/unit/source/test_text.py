from __future__ import annotations

from orchestrator.errors import Severity, Where
from orchestrator.source.text import Findings, SourceText, displayable, excerpt


def test_excerpt_gives_the_line_without_its_end() -> None:
    data = b"one\r\ntwo \xff\nthree"

    assert excerpt(data, Where("f", 1, 1)) == "one"
    assert excerpt(data, Where("f", 2, 1)) == "two \ufffd"
    assert excerpt(data, Where("f", 3, 1)) == "three"
    assert excerpt(data, Where("f", 4, 1)) == ""
    assert excerpt(data, Where("f")) == ""


def test_displayable_neither_steers_a_terminal_nor_reverses_text() -> None:
    assert displayable("a\x1b[2Jb\u202e") == "a\\u{001b}[2Jb\\u{202e}"
    assert displayable("x" * 500) == "x" * 200
    assert displayable("a\tb") == "a\tb"


def test_place_of_an_offset() -> None:
    source = SourceText("f", "ab\ncd\n")

    assert source.where(0) == Where("f", 1, 1)
    assert source.where(4) == Where("f", 2, 2)


def test_warning_gives_way_to_an_error_of_the_same_line_and_code() -> None:
    findings = Findings(SourceText("f", "x\ny\n"))
    findings.add(Where("f", 1, 1), "Y106", "seen", severity=Severity.WARNING)
    findings.add(Where("f", 1, 2), "Y106", "worse")
    findings.add(Where("f", 2, 1), "Y106", "first", severity=Severity.WARNING)
    findings.add(Where("f", 2, 2), "Y106", "second", severity=Severity.WARNING)

    assert [found.message for found in findings.result()] == ["worse", "first"]


def test_dropped_warnings_do_not_refuse_the_file() -> None:
    findings = Findings(SourceText("f", ""))
    for line in range(1, 500):
        findings.add(Where("f", line, 1), "Y119", "x", severity=Severity.WARNING)

    assert not findings.has_errors()
    assert {found.severity for found in findings.result()} == {Severity.WARNING}
