import pytest

from orchestrator.gates.pointer import Absent, find, tokens

# The document of RFC 6901, section 5.
DOCUMENT = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6,
    " ": 7, "m~n": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1),
        ("/c%d", 2), ("/e^f", 3), ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_examples_of_the_rfc(pointer, value):
    assert find(DOCUMENT, pointer) == value


@pytest.mark.parametrize(
    "pointer",
    ["/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/-1", "/foo/1e0", "/foo/bar", "/bar", "/foo/0/x",
     "/foo/99999999999", "//"],
)  # fmt: skip
def test_place_that_is_not_there_is_absent(pointer):
    with pytest.raises(Absent):
        find(DOCUMENT, pointer)


def test_escapes_are_read_in_the_order_of_the_rfc():
    assert tokens("/~01/~10") == ("~1", "/0")
    assert find({"~1": "found"}, "/~01") == "found"


@pytest.mark.parametrize("pointer", ["foo", "/~", "/~2", "/a~"])
def test_what_is_no_pointer_is_refused(pointer):
    with pytest.raises(ValueError, match="JSON pointer"):
        tokens(pointer)
