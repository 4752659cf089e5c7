"""The built-in health checks, as plans ask for them and as definitions on the device."""

from __future__ import annotations

import dataclasses
import http.server
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.device.check import check_fields
from orchestrator.device.protocol import CheckResult
from tests.device.kit import CHECKS, Device, directory

LISTENING = "   0: {place}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000\n"


def look(device: Device, *checks: str) -> list[CheckResult]:
    """What a request for these checks brings, in order."""
    return list(device.ask(f"health nonce=n timeout=20 checks={','.join(checks)}").checks)


def value(result: CheckResult) -> tuple[int, object]:
    """Exit code and value of a check that could tell."""
    fields = check_fields(result)
    return result.exit, fields["value"]


def unable(result: CheckResult) -> str:
    """Why a check could not tell; it must be no evidence."""
    with pytest.raises(ValueError, match="cannot tell") as caught:
        check_fields(result)
    assert result.exit == 127
    return str(caught.value)


def program(device: Device, name: str, body: str) -> None:
    """A program of the device's system, before all others in its PATH."""
    place = device.root / "bin"
    place.mkdir(exist_ok=True)
    (place / name).write_text(f"#!/bin/sh\n{body}\n")
    (place / name).chmod(0o755)
    if not device.shell.path.startswith(str(place)):
        path = f"{place}:{device.shell.path}"
        device.shell = dataclasses.replace(device.shell, path=path)


def define(device: Device, name: str, text: str) -> None:
    (device.root / f"etc/rollout/health.d/{name}.check").write_text(text)


@pytest.fixture
def proc(device: Device) -> Path:
    """The device's own /proc."""
    place = device.root / "proc"
    (place / "net").mkdir()
    (place / "loadavg").write_text("0.42 0.40 0.30 1/100 4321\n")
    return place


def lives(proc: Path, pid: int, comm: str, *, state: str = "S", argv0: str = "") -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "comm").write_text(f"{comm[:15]}\n")
    (proc / str(pid) / "stat").write_text(f"{pid} ({comm[:15]}) {state} 1 1 1 0 -1\n")
    (proc / str(pid) / "cmdline").write_text(f"{argv0 or comm}\0--flag\0")


class TestService:
    @pytest.mark.parametrize(
        ("state", "code", "verdict"),
        [("active", 0, 0), ("inactive", 3, 1), ("failed", 3, 1), ("activating", 3, 1)],
    )
    def test_systemd_tells_the_state(self, device: Device, state: str, code: int, verdict: int):
        (device.root / "run/systemd/system").mkdir(parents=True)
        program(device, "systemctl", f'[ "$*" = "is-active -- gw@1.service" ] || exit 9\n'
                                     f"echo {state}; exit {code}")  # fmt: skip

        [result] = look(device, "service:gw@1.service")

        assert value(result) == (verdict, state)

    def test_systemd_that_does_not_answer_is_no_evidence(self, device: Device):
        (device.root / "run/systemd/system").mkdir(parents=True)
        program(device, "systemctl", "echo no bus >&2; exit 1")

        [result] = look(device, "service:gatewayd")

        assert "does not answer" in unable(result)

    @pytest.mark.parametrize(("code", "found"), [(0, (0, "started")), (3, (1, "stopped"))])
    def test_openrc_tells_the_state(self, device: Device, code: int, found: tuple[int, str]):
        program(device, "rc-service", f'[ "$*" = "gatewayd status" ] || exit 9\nexit {code}')

        [result] = look(device, "service:gatewayd")

        assert value(result) == found

    @pytest.mark.parametrize(
        ("said", "found"),
        [("run: gatewayd: (pid 7) 3s", (0, "run")), ("down: gatewayd: 1s", (1, "down")),
         ("fail: gatewayd: no such", (1, "fail"))],
    )  # fmt: skip
    def test_runit_tells_the_state(self, device: Device, said: str, found: tuple[int, str]):
        program(device, "sv", f"echo '{said}'")

        [result] = look(device, "service:gatewayd")

        assert value(result) == found

    def test_no_service_manager_is_no_evidence(self, device: Device):
        [result] = look(device, "service:gatewayd")

        assert "no service manager" in unable(result)


class TestProcess:
    def test_living_processes_of_that_name_are_counted(self, device: Device, proc: Path):
        lives(proc, 10, "gatewayd")
        lives(proc, 11, "gatewayd", state="R")
        lives(proc, 12, "gatewayd2")
        lives(proc, 13, "other) gatewayd", state="S")

        [result] = look(device, "process:gatewayd")

        assert value(result) == (0, 2)

    @pytest.mark.parametrize("state", ["Z", "X"])
    def test_dead_one_that_is_not_buried_does_not_live(
        self, device: Device, proc: Path, state: str
    ):
        lives(proc, 10, "gatewayd", state=state)

        [result] = look(device, "process:gatewayd")

        assert value(result) == (1, 0)

    def test_long_name_is_held_against_what_it_was_started_as(self, device: Device, proc: Path):
        lives(proc, 10, "a-very-long-gateway-daemon", argv0="/usr/bin/a-very-long-gateway-daemon")
        lives(proc, 11, "a-very-long-gateway-other")

        [result] = look(device, "process:a-very-long-gateway-daemon")

        assert value(result) == (0, 1)


class TestPort:
    def test_listeners_of_both_families_are_counted(self, device: Device, proc: Path):
        head = "  sl  local_address rem_address   st\n"
        (proc / "net/tcp").write_text(
            head
            + LISTENING.format(place="0100007F", port=8080, state="0A")
            + LISTENING.format(place="0100007F", port=8080, state="01")
            + LISTENING.format(place="0100007F", port=80, state="0A")
        )
        (proc / "net/tcp6").write_text(
            head + LISTENING.format(place="0" * 32, port=8080, state="0A")
        )

        first, second, third = look(device, "port:8080", "port:80", "port:81")

        assert [value(first), value(second), value(third)] == [(0, 2), (0, 1), (1, 0)]

    def test_real_listener_is_seen(self, device: Device):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()

            [result] = look(device, f"port:{listener.getsockname()[1]}")

        assert value(result) == (0, 1)

    @pytest.mark.parametrize("text", ["0", "65536", "08", "-1", "x", ""])
    def test_what_is_no_port_is_no_evidence(self, device: Device, text: str):
        [result] = look(device, f"port:{text}")

        unable(result)


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = {"/ok": 200, "/moved": 302, "/down": 503}.get(self.path, 404)
        self.send_response(status)
        self.send_header("Location", "http://127.0.0.1:1/ok")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Tests read nothing of it."""


@pytest.fixture(scope="module")
def page() -> Iterator[int]:
    """The port of a web server on loopback."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


class TestHttp:
    @pytest.mark.parametrize(
        ("path", "found"),
        [("/ok", (0, 200)), ("/moved", (1, 302)), ("/down", (1, 503)), ("", (1, 404))],
    )
    def test_status_is_told_and_redirects_are_not_followed(
        self, device: Device, page: int, path: str, found: tuple[int, int]
    ):
        [result] = look(device, f"http:127.0.0.1:{page}{path}")

        assert value(result) == found

    def test_nobody_there_is_evidence(self, device: Device):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))

            [result] = look(device, f"http:localhost:{unused.getsockname()[1]}/ok")

        assert value(result) == (1, 0)

    def test_bash_asks_where_there_is_neither_curl_nor_nc(self, tmp_path: Path, page: int):
        for name in ("sh", "bash", "cat", "head"):
            (tmp_path / name).symlink_to(str(shutil.which(name)))

        done = direct(f"http:127.0.0.1:{page}/ok", path=str(tmp_path))

        assert (done.returncode, done.stdout) == (0, b'{"value": 200}\n')

    def test_nothing_to_ask_with_is_no_evidence(self, tmp_path: Path, page: int):
        done = direct(f"http:127.0.0.1:{page}/ok", path=str(tmp_path))

        assert done.returncode == 127
        assert b"no curl, nc or bash" in done.stdout

    @pytest.mark.parametrize(
        "place",
        ["192.0.2.1/", "10.0.0.1:80/", "localhost.evil.example/", "127.0.0.1@evil/",
         "127.0.0.1:80@evil/", "evil:80/", "169.254.169.254/latest", "127.1/", "127.0.0.1:0/"],
    )  # fmt: skip
    def test_other_places_are_never_asked(self, device: Device, place: str):
        program(device, "curl", "touch $ROLLOUT_ROOT/asked")
        program(device, "nc", "touch $ROLLOUT_ROOT/asked")

        [result] = look(device, f"http:{place}")

        unable(result)
        assert not (device.root / "asked").exists()


class TestFile:
    def test_size_of_a_file_is_told(self, device: Device):
        (device.root / "opt").mkdir(exist_ok=True)
        (device.root / "opt/app.conf").write_bytes(b"x" * 42)

        first, second = look(device, "file:/opt/app.conf", "file:/opt/none")

        assert [value(first), value(second)] == [(0, 42), (1, 0)]

    def test_directory_is_no_file(self, device: Device):
        [result] = look(device, "file:/etc/rollout")

        assert value(result) == (1, 0)

    @pytest.mark.parametrize(
        "path", ["/root/.ssh/id_rsa", "/proc/self/environ", "opt/x", "/optional/x", "/opt", "/"]
    )
    def test_other_roots_are_not_looked_at(self, device: Device, path: str):
        [result] = look(device, f"file:{path}")

        unable(result)

    def test_link_that_leads_out_is_not_followed(self, device: Device):
        (device.root / "root").mkdir()
        (device.root / "root/secret").write_text("s")
        (device.root / "opt").mkdir(exist_ok=True)
        (device.root / "opt/link").symlink_to(device.root / "root/secret")

        [result] = look(device, "file:/opt/link")

        assert "may not be looked at" in unable(result)


class TestDisk:
    def test_free_space_is_told_in_bytes(self, device: Device):
        free = shutil.disk_usage(device.root).free

        enough, lacking = look(device, "disk:/etc:1", "disk:/etc:99999999999999")

        assert (enough.exit, lacking.exit) == (0, 1)
        assert value(enough)[1] == pytest.approx(free, rel=0.05)

    @pytest.mark.parametrize("check", ["disk:/nowhere:1", "disk:/etc:x", "disk:/etc:", "disk:/etc"])
    def test_what_cannot_be_measured_is_no_evidence(self, device: Device, check: str):
        [result] = look(device, check)

        assert result.exit == 127


class TestLoad:
    def test_load_of_one_minute_is_told(self, device: Device, proc: Path):
        found = look(device, "load:0.42", "load:0.41", "load:4")

        assert [value(result) for result in found] == [(0, 0.42), (1, 0.42), (0, 0.42)]

    @pytest.mark.parametrize("text", ["x", ".5", "1.", "1.2.3", "-1"])
    def test_what_is_no_number_is_no_evidence(self, device: Device, text: str):
        [result] = look(device, f"load:{text}")

        unable(result)


class TestDefinition:
    @pytest.mark.parametrize(
        "text",
        ["load 4\n", "load 4", "# the gateway may be busy\n\nload   4\n", "load 4\n# no more\n"],
    )
    def test_one_line_says_what_a_named_check_looks_at(self, device: Device, proc: Path, text: str):
        define(device, "busy", text)

        [result] = look(device, "busy")

        assert (result.name, *value(result)) == ("busy", 0, 0.42)

    def test_units_and_addresses_are_written_as_people_do(self, device: Device, page: int):
        define(device, "web", f"http http://127.0.0.1:{page}/ok")
        define(device, "space", "disk /etc 1KiB")

        web, space = look(device, "web", "space")

        assert value(web) == (0, 200)
        assert value(space)[0] == 0

    @pytest.mark.parametrize(
        "text",
        ["", "load", "load 4\nload 5\n", "load 4 5", "touch /x", "load 4; id", "sh -c id", "$(id) 1",
         "disk /etc 1000000GiB", "disk /etc 1.5GiB", "load " + "4" * 400, "service ../x",
         "service -h", "process *", "file /opt/*"],
    )  # fmt: skip
    def test_other_definitions_are_no_evidence_and_run_nothing(self, device: Device, text: str):
        define(device, "odd", text)

        [result] = look(device, "odd")

        unable(result)

    def test_program_of_that_name_wins_over_its_definition(self, device: Device):
        define(device, "app", "load 4")
        place = device.root / "etc/rollout/health.d/app"
        place.write_text("#!/bin/sh\necho '{\"value\": 7}'\n")
        place.chmod(0o755)

        [result] = look(device, "app")

        assert value(result) == (0, 7)

    def test_release_may_bring_definitions(self, device: Device, proc: Path):
        device.release(1, directory(files={".rollout/health/busy.check": b"load 4\n"}))

        [result] = look(device, "busy")

        assert value(result) == (0, 0.42)

    def test_facts_name_defined_checks_as_plans_do(self, device: Device):
        define(device, "busy", "load 4")

        assert "busy" in device.ask("facts").all("health-check")


@pytest.mark.parametrize(
    "check",
    ["shell:id", "service:", "load", "load:4:5", "file:/opt/a:b", "x:y", ":", "a/b", "service:-h",
     "process:", "disk:/etc:1:2", "http:"],
)  # fmt: skip
def test_unknown_and_malformed_checks_are_no_evidence(device: Device, check: str):
    [result] = look(device, check)

    assert result.exit == 127


def test_built_in_checks_that_are_missing_are_no_evidence(device: Device):
    (device.root / "usr/lib/rollout/checks.sh").unlink()

    [result] = look(device, "load:4")

    assert result == CheckResult("load:4", 127)


@pytest.mark.parametrize(
    "line",
    ["load:$(id)", "load:`id`", "load:4;id", "load:4|id", "service:a b", "service:a=b", "x:*"],
)
def test_request_that_could_mean_more_is_refused(device: Device, line: str):
    assert device.raw(f"health nonce=n checks={line}").returncode == 64


def direct(check: str, *, path: str) -> subprocess.CompletedProcess[bytes]:
    """checks.sh itself, with nothing in reach but what lies in `path`."""
    return subprocess.run(
        ["/bin/sh", str(CHECKS), check], env={"PATH": path}, capture_output=True, check=False
    )


@pytest.mark.parametrize("check", ["load:99999", "port:9", "process:no-such"])
def test_every_answer_is_one_line_of_json(device: Device, check: str):
    [result] = look(device, check)

    assert json.loads(result.output).keys() == {"value"}
