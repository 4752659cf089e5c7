"""Whatever a header says, it is understood or refused; nothing else comes out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.artifact import ArtifactError, Rule, ScriptPolicy
from orchestrator.artifact.header import parse_header
from tests.unit.artifact.crafting import Craft, compact, member, tar

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9) | st.just("single-file"),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "artifact_name", "artifact_group", "device_type", "k"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
FIELDS = [
    "payloads",
    "artifact_provides",
    "artifact_depends",
    "type",
    "clears_artifact_provides",
    "other",
]


def header_tar(info, type_info):
    parts = [("header-info", info), ("headers/0000/type-info", type_info)]
    return tar(*(member(name, data) for name, data in parts))


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), VALUES),
    st.dictionaries(st.sampled_from(FIELDS), VALUES),
)
def test_any_json_is_understood_or_refused(info_changes, type_changes):
    info = compact(Craft().info_json() | info_changes)
    type_info = compact({"type": "single-file"} | type_changes)

    try:
        found = parse_header(header_tar(info, type_info), policy=ScriptPolicy.KNOWN_STATES)
    except ArtifactError:
        return

    assert found.payload_type
    assert all(text.isprintable() for text in (found.name, *found.device_types, *found.provides))


@pytest.mark.parametrize("value", [[], 0, "", False, "text", [1]])
@pytest.mark.parametrize("field", ["artifact_depends", "artifact_provides"])
def test_field_of_another_type_is_refused(field, value):
    type_info = compact({"type": "single-file", field: value})

    with pytest.raises(ArtifactError) as caught:
        parse_header(
            header_tar(compact(Craft().info_json()), type_info), policy=ScriptPolicy.KNOWN_STATES
        )

    assert caught.value.rule is Rule.HEADER_FIELD
