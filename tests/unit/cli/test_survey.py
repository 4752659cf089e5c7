from dataclasses import replace

from orchestrator.cli.survey import survey_line


def test_a_terminal_sees_one_line_that_goes_away(session, capsys) -> None:
    show = survey_line(replace(session, live=True))

    show(3, 24)
    show(24, 24)

    shown = capsys.readouterr()
    assert shown.err == "\r\x1b[Kasking devices: 3 of 24\r\x1b[K"
    assert shown.out == ""


def test_a_log_sees_nothing(session, capsys) -> None:
    survey_line(session)(3, 24)

    assert capsys.readouterr().err == ""
