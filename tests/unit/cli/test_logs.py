"""`rollout logs` on a stored rollout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.errors import ExitCode
from tests.docs.test_commands_page import waiting_rollout
from tests.in_process import empty_project, run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    empty_project(tmp_path, monkeypatch)
    waiting_rollout(tmp_path)
    return tmp_path


def test_a_device_of_a_stored_rollout_is_told_of(project: Path, capsys) -> None:
    code, out, err = run(capsys, "logs r-7 web2")

    assert (code, err) == (ExitCode.DONE, "")
    assert out.startswith("web2: ")
    assert "no log of its update module: " in out
    assert "nothing was sent to it in this rollout" in " ".join(out.split())
    found = json.loads(run(capsys, "logs r-7f3a web2 --offline --format json")[1])
    assert found["module_log"] is None
    assert (found["rollout"], found["device"], found["kind"]) == ("r-7f3a", "web2", "logs")


def test_newest_rollout_of_a_device_is_found_and_that_it_was_asked_is_recorded(
    project: Path, capsys
) -> None:
    code, out, _err = run(capsys, "device logs web2")
    by_rollout = run(capsys, "logs r-7f3a web2")[1]
    absent = run(capsys, "device logs web9")
    (act,) = json.loads(run(capsys, "audit list --format json")[1])["acts"]

    assert (code, out) == (ExitCode.DONE, by_rollout)
    assert "error[S203]" in absent[2]
    assert (act["act"], act["device"], act["data"]["rollout"]) == ("device_logs", "web2", "r-7f3a")
    assert act["end"]["result"] == "no_data"


def test_a_device_that_is_none_of_it_is_refused(project: Path, capsys) -> None:
    code, out, err = run(capsys, "logs r-7f3a web9")

    assert (code, out) == (ExitCode.USAGE, "")
    assert "rollout `r-7f3a` knows no device `web9`" in err
