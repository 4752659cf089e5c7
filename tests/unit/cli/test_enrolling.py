"""Enrolling many devices from the command line."""

import json
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.cli.device_answers import worst
from orchestrator.device.reason import Reason
from orchestrator.errors import ExitCode
from tests.in_process import empty_project, run
from tests.loopback import free_port


def answer(ok: bool, reason: Reason) -> api.DeviceAnswer:
    return api.DeviceAnswer("gw", ok, reason)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ((), ExitCode.DONE),
        ((answer(True, Reason.OK), answer(True, Reason.UNCHANGED)), ExitCode.DONE),
        ((answer(True, Reason.OK), answer(False, Reason.HOST_KEY)), ExitCode.PARTIAL),
        ((answer(False, Reason.INTERRUPTED), answer(False, Reason.TIMEOUT)), ExitCode.NEEDS_HUMAN),
    ],
)
def test_exit_code_is_that_of_the_worst_device(
    answers: tuple[api.DeviceAnswer, ...], code: ExitCode
) -> None:
    assert worst(answers) == code


@pytest.fixture
def project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """Two devices that nobody answers for."""
    empty_project(tmp_path, monkeypatch)
    hosts = {f"gw-{number}": {"ansible_port": free_port()} for number in (1, 2)}
    shared = {"ansible_host": "127.0.0.1", "device_type": "edge"}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": shared}}))
    assert run(capsys, "key generate release.key")[0] == ExitCode.DONE
    return tmp_path


def test_failures_are_counted_and_put_together(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "device enroll -l all -i hosts.json --key release.key.pub --pins pins.yml"
    code, out, err = run(capsys, words)

    assert code == ExitCode.PARTIAL
    assert out.startswith("2 devices: 0 enrolled, 2 failed\n")
    assert "1x unreachable" in out
    assert err.startswith("2 devices\n1/2 ✗ gw-")
    assert not (project / "pins.yml").exists()


def test_devices_have_to_be_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "device release -i hosts.json --yes")

    assert code == ExitCode.REFUSED
    assert "D117" in err
