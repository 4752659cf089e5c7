"""The tar reader on single headers; whole files stand in test_reader.py."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.artifact import ArtifactError, Rule
from orchestrator.artifact.tar import TarReader
from tests.unit.artifact.crafting import header, member, seal, tar


@settings(deadline=None)
@given(
    name=st.binary(max_size=100),
    size=st.binary(min_size=12, max_size=12) | st.integers(0, 600),
    kind=st.binary(min_size=1, max_size=1) | st.just(b"0"),
    mode=st.integers(0, 0o7777),
    rest=st.binary(max_size=1200),
)
def test_any_header_is_understood_or_refused(name, size, kind, mode, rest):
    reader = TarReader(io.BytesIO(header(name, size, kind=kind, mode=mode) + rest), what="x")

    try:
        found = reader.next_member()
        data = reader.read_all(10**6) if found else b""
    except ArtifactError:
        return

    assert found is None or (len(data) == found.size_bytes and found.name.isascii())


@pytest.mark.parametrize("size", [2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1, 2**32 + 1, 8**11 - 1])
def test_large_sizes_are_read_exactly(size):  # A54
    reader = TarReader(io.BytesIO(header("big", size)), what="payload")

    found = reader.next_member()

    assert found is not None
    assert found.size_bytes == size


def test_members_are_read_in_order_and_exactly():
    contents = {"a": b"", "b": b"x" * 511, "c": b"y" * 512, "d": b"z" * 513}
    reader = TarReader(
        io.BytesIO(tar(*(member(name, data) for name, data in contents.items()))), what="x"
    )

    found = {}
    while entry := reader.next_member():
        found[entry.name] = reader.read_all(1000)

    assert found == contents


def test_member_beyond_the_limit_is_not_read():
    reader = TarReader(io.BytesIO(tar(member("a", b"x" * 100))), what="x")
    reader.next_member()

    with pytest.raises(ArtifactError) as caught:
        reader.read_all(99)

    assert caught.value.rule is Rule.SIZE_LIMIT


@pytest.mark.parametrize(
    "field", [b"000000\0\0", b"0000000\0", b" 00000\0 ", b"000000  ", b"\0\0\0\0\0\0\0 "]
)
def test_other_forms_of_the_checksum_are_refused(field):
    block = bytearray(header("a", 0))
    digits = bytes(block[148:154])
    block[148:156] = field.replace(b"000000", digits, 1)

    with pytest.raises(ArtifactError) as caught:
        TarReader(io.BytesIO(bytes(block)), what="x").next_member()

    assert caught.value.rule is Rule.TAR_CHECKSUM


def test_data_in_the_unused_end_of_a_header_is_refused():
    block = bytearray(header("a", 0))
    block[-1] = 1

    with pytest.raises(ArtifactError) as caught:
        TarReader(io.BytesIO(seal(block)), what="x").next_member()

    assert caught.value.rule is Rule.TAR_FORMAT


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (b"x", "has data after its end block"),  # behind it
        (b"\x00" * 600 + b"x", "has data after its end block"),
        (b"\x00" * 10, "is cut off"),
    ],
)
def test_bytes_that_were_appended_are_not_called_a_cut(end, said):
    reader = TarReader(io.BytesIO(b"\x00" * 1024 + end), what="artifact")

    with pytest.raises(ArtifactError, match=said):
        reader.next_member()
