"""A file that arrives: whole under its name, or not at all, on any file system."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.api.arriving import NO_FILE, Arriving
from orchestrator.errors import DeviceError, PlanError
from orchestrator.ssh.channel import Piece
from orchestrator.ssh.login import Ended


def arrive(target: Path, *, force: bool = False) -> None:
    with Arriving(target, 100) as arriving:
        arriving.take(Piece(b"data"))
        arriving.publish(force=force)


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on FAT."""

    def link(*_names: Path) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", link)


@pytest.mark.usefixtures("no_links")
def test_file_system_without_links_has_it_whole_and_replaces_nothing(tmp_path: Path) -> None:
    target = tmp_path / "log"

    arrive(target)

    assert target.read_bytes() == b"data"
    target.write_text("mine")
    with pytest.raises(PlanError, match="is there already"):
        arrive(target)
    assert (target.read_text(), list(tmp_path.iterdir())) == ("mine", [target])


@pytest.mark.usefixtures("no_links")
def test_name_that_was_taken_is_given_back_where_the_file_cannot_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace(*_names: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "replace", replace)

    with pytest.raises(PlanError, match="cannot write"):
        arrive(tmp_path / "log")

    assert list(tmp_path.iterdir()) == []


def test_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    arrive(tmp_path / ("n" * 255))

    assert [one.name for one in tmp_path.iterdir()] == ["n" * 255]


def test_hint_does_not_send_anybody_to_root_for_a_directory(tmp_path: Path) -> None:
    access = api.AccessRequest("gw-1", api.Source(), "why", None)
    request = api.FetchRequest(access, "/etc", tmp_path)

    with Arriving(tmp_path / "etc", 100) as arriving:
        for code, hint in ((NO_FILE, "-- tar"), (83, "`--become sudo`")):
            with pytest.raises(DeviceError) as caught:
                arriving.judge(request, Ended(code, ""))
            assert hint in caught.value.hint
