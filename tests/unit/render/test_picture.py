import xml.etree.ElementTree as ET

from orchestrator.render.picture import settled, svg


def test_lines_that_were_taken_back_are_gone() -> None:
    output = (
        "kept\r\n\x1b[?25la\x1b[K\nb\x1b[K\n\x1b[2F\x1b[Jsaid\na2\n\x1b[1F\x1b[J\x1b[?25h\nend\n"
    )

    assert settled(output) == "kept\nsaid\n\nend\n"


def test_output_without_a_live_view_stays() -> None:
    assert settled("one\ntwo\n") == "one\ntwo\n"


def test_a_line_that_was_written_again_shows_its_last_words() -> None:
    assert settled("asking 1\r\x1b[Kasking 2\r\x1b[K\r\nend\r\n") == "\nend\n"


def test_a_picture_is_xml_with_the_text_in_colour() -> None:
    picture = svg("\x1b[1;31mHALTED\x1b[0m after 6.2 s\n  <b>&\n", title="rollout", width=60)

    root = ET.fromstring(picture)
    words = "".join(root.itertext()).replace("\xa0", " ")
    assert "HALTED" in words
    assert "  <b>&" in words
    assert "\x1b" not in picture


def test_a_picture_is_the_same_each_time_and_calls_nobody() -> None:
    one = svg("text\n", title="t", width=60)

    assert one == svg("text\n", title="t", width=60)
    assert "@font-face" not in one
    assert "url(http" not in one
