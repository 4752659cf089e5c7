"""Finding artifacts by path and by name."""

import pytest

from orchestrator.artifact import ArtifactError, Rule, find
from tests.unit.artifact.crafting import Craft


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / "some.mender").write_bytes(Craft(name="rel-1").build())
    (folder / "copy.mender").write_bytes(Craft(name="rel-1").build())
    (folder / "two.mender").write_bytes(Craft(name="rel-2").build())
    (folder / "rel-3.mender").write_bytes(b"broken")
    return tmp_path


def test_path_is_relative_to_the_plan(base):
    assert find("artifacts/two.mender", base=base) == base / "artifacts" / "two.mender"
    assert find("two.mender", base=base / "artifacts") == base / "artifacts" / "two.mender"


def test_name_is_looked_up_in_the_repository(base):
    assert find("rel-2", base=base) == base / "artifacts" / "two.mender"
    assert find("rel-2", base=base / "x", repository=base / "artifacts").name == "two.mender"


def test_equal_files_of_one_name_are_one_artifact(base):
    assert find("rel-1", base=base).name == "copy.mender"


def test_different_artifacts_of_one_name_are_ambiguous(base):
    (base / "artifacts" / "other.mender").write_bytes(Craft(name="rel-1", suffix="").build())

    with pytest.raises(ArtifactError) as caught:
        find("rel-1", base=base)

    assert caught.value.rule is Rule.AMBIGUOUS
    assert "`other.mender`" in caught.value.hint


def test_unknown_name_suggests_a_close_one(base):
    with pytest.raises(ArtifactError) as caught:
        find("rel-22", base=base)

    assert caught.value.rule is Rule.NOT_FOUND
    assert caught.value.hint == "did you mean `rel-2`?"


def test_broken_artifact_that_is_meant_tells_what_is_wrong(base):
    with pytest.raises(ArtifactError) as caught:
        find("rel-3", base=base)

    assert caught.value.rule is Rule.TRUNCATED


@pytest.mark.parametrize("text", ["missing.mender", "../x", "a/b", "a\0.mender", "artifacts/"])
def test_missing_path_is_refused(base, text):
    with pytest.raises(ArtifactError) as caught:
        find(text, base=base)

    assert caught.value.rule is Rule.NOT_FOUND


def test_missing_repository_is_not_found(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        find("rel-1", base=tmp_path)

    assert caught.value.rule is Rule.NOT_FOUND
