from orchestrator.outward.failure import OutwardError


def test_text_is_printable_ascii_of_bounded_length():
    text = str(OutwardError("\x1b[2J\u202e\n" + "x" * 1000))

    assert text.isprintable()
    assert text.isascii()
    assert len(text) == 300
    assert text.startswith("\\x1b[2J\\u202e\\nxxx")
