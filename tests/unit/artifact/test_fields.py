"""Single values of a header."""

import pytest

from orchestrator.artifact import ArtifactError, Rule
from orchestrator.artifact.fields import (
    check_depends,
    check_device_type,
    check_payload_type,
    check_provides,
    check_text,
    show,
)


@pytest.mark.parametrize("text", ["a", "raspberrypi4", "qemux86-64", "My Board 3.1", "a:b+c@d"])
def test_device_types_in_use_are_taken(text):
    assert check_device_type(text) == text


@pytest.mark.parametrize(
    "text", ["", " a", "a ", "*", "a?", "[ab]", "a|b", "$(id)", "a\n", None, 1]
)
def test_patterns_are_no_device_types(text):
    with pytest.raises(ArtifactError) as caught:
        check_device_type(text)

    assert caught.value.rule is Rule.DEVICE_TYPE


@pytest.mark.parametrize("text", ["single-file", "directory", "docker_2", "a.b"])
def test_names_of_update_modules_are_payload_types(text):
    assert check_payload_type(text) == text


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "-a", "a b", "x" * 65, None, 3, ["a"]])
def test_paths_are_no_payload_types(text):
    with pytest.raises(ArtifactError) as caught:
        check_payload_type(text)

    assert caught.value.rule is Rule.PAYLOAD_TYPE


@pytest.mark.parametrize("text", ["a", "../../etc", "größe 1", "x" * 256, "\N{SNOWMAN}"])
def test_printable_text_is_taken(text):
    assert check_text(text, "name") == text


@pytest.mark.parametrize(
    "text", ["", " ", "a ", "a\tb", "\x7f", "\u202e", "\ud800", "x" * 257, "ü" * 129, None, 1]
)
def test_other_text_is_refused(text):
    with pytest.raises(ArtifactError) as caught:
        check_text(text, "name")

    assert caught.value.rule is Rule.TEXT
    assert caught.value.message.isprintable()


def test_provides_and_depends_keep_their_values():
    assert check_provides({"a": "1", "b": ""}, "provides") == {"a": "1", "b": ""}
    assert check_depends({"a": "1", "b": ["2", "3"]}, "depends") == {"a": ("1",), "b": ("2", "3")}


def test_shown_values_are_short():
    assert show("x" * 1000) == f"`'{'x' * 59}...`"
