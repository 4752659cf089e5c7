"""Builders of payloads: the files that the update modules expect."""

import pytest

from orchestrator.artifact import (
    ArtifactError,
    Rule,
    directory_payload,
    module_payload,
    single_file_payload,
)


def contents(payload):
    return {file.name: b"".join(file.chunks()) for file in payload.files}


def test_single_file_has_the_files_of_its_module(tmp_path):
    path = tmp_path / "app.conf"
    path.write_text("x=1\n")
    path.chmod(0o640)

    payload = single_file_payload(path, dest_dir="/etc/app")

    assert payload.type == "single-file"
    assert contents(payload) == {
        "dest_dir": b"/etc/app\n",
        "filename": b"app.conf\n",
        "permissions": b"640\n",
        "app.conf": b"x=1\n",
    }


def test_single_file_may_get_another_name_and_mode(tmp_path):
    path = tmp_path / "a"
    path.write_text("")

    found = contents(single_file_payload(path, dest_dir="/x", filename="b", permissions="0755"))

    assert (found["filename"], found["permissions"], found["b"]) == (b"b\n", b"0755\n", b"")


def test_single_file_may_get_an_owner(tmp_path):
    (tmp_path / "a").write_text("")

    found = contents(single_file_payload(tmp_path / "a", dest_dir="/x", owner="app:1000"))

    assert found["owner"] == b"app:1000\n"


@pytest.mark.parametrize("owner", ["", "app", "app:", ":app", "a:b:c", "-R:x", "a b:c"])
def test_an_owner_that_is_none_is_refused(tmp_path, owner):
    (tmp_path / "a").write_text("")

    with pytest.raises(ArtifactError, match="owner"):
        single_file_payload(tmp_path / "a", dest_dir="/x", owner=owner)


def test_directory_has_tree_and_destination(tmp_path):
    (tmp_path / "f").write_text("")

    payload = directory_payload(tmp_path, dest_dir="/opt/app")

    assert payload.type == "directory"
    assert [file.name for file in payload.files] == ["update.tar", "dest_dir"]
    assert contents(payload)["dest_dir"] == b"/opt/app\n"


def test_module_takes_any_files_under_their_names(tmp_path):
    (tmp_path / "f").write_text("1")

    payload = module_payload("deb", (tmp_path / "f",))

    assert (payload.type, contents(payload)) == ("deb", {"f": b"1"})


@pytest.mark.parametrize(
    "dest_dir",
    [
        "",
        "/",
        "opt",
        "/opt/../etc",
        "/opt/./x",
        "/opt/",
        "//opt",
        "/o pt",
        "/o\npt",
        "/$HOME",
        "/*",
        "/etc",
        "/usr/lib",
        "/var/lib/rollout",
        "/etc/rollout/keys",
    ],
)
def test_unsafe_destination_is_refused(tmp_path, dest_dir):
    with pytest.raises(ArtifactError) as caught:
        directory_payload(tmp_path, dest_dir=dest_dir)

    assert caught.value.rule is Rule.WRITE_DESTINATION


@pytest.mark.parametrize("permissions", ["", "4755", "rw-", "88", "64", "1777"])
def test_unsafe_permissions_are_refused(tmp_path, permissions):
    with pytest.raises(ArtifactError) as caught:
        single_file_payload(tmp_path / "f", dest_dir="/x", permissions=permissions)

    assert caught.value.rule is Rule.WRITE_DESTINATION


def test_a_file_called_owner_cannot_have_one(tmp_path):
    with pytest.raises(ArtifactError, match="owner"):
        single_file_payload(tmp_path / "owner", dest_dir="/x", permissions="644", owner="a:a")


def test_reserved_name_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match="dest_dir"):
        single_file_payload(tmp_path / "dest_dir", dest_dir="/x", permissions="644")


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ArtifactError) as caught:
        single_file_payload(tmp_path / "f", dest_dir="/x")

    assert caught.value.rule is Rule.WRITE_INPUT
