from __future__ import annotations

from orchestrator.errors import Where
from orchestrator.plan.model import ProbeText, Text
from orchestrator.plan.resolved import ProbeKind

WHERE = Where("p.yml", 4, 9)


def test_place_inside_a_text_counts_from_its_first_character() -> None:
    text = Text("abc", WHERE, Where("p.yml", 4, 10))

    assert text.at(2) == Where("p.yml", 4, 12)


def test_place_inside_a_text_over_several_lines_is_its_start() -> None:
    assert Text("abc", WHERE).at(2) == WHERE


def test_texts_of_a_probe_are_all_that_may_hold_templates() -> None:
    words = (Text("a", WHERE), Text("b", WHERE))
    url = Text("http://h", WHERE)

    assert ProbeText(ProbeKind.COMMAND, argv=words).texts == words
    assert ProbeText(ProbeKind.HTTP, url=url, value="/x").texts == (url,)
