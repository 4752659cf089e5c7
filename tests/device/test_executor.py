"""The executor beside the sequences of `test_mender_cases`: streams, scripts, answers, the lock, real reboots."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.device.executor_kit import KILLED, Executor
from tests.device.kit import STREAMS, Device, Release, Shell, compact, directory, txn

READS_ALL = """cd "$2"
while line=$(cat stream-next) && [ -n "$line" ]; do
  echo "$line" >>"$at/lines"
  cat "${line%% *}" >>"$at/got"
done
"""
WAIT_S = 20.0


@pytest.fixture
def executor(tmp_path: Path, shell: Shell) -> Executor:
    return Executor(tmp_path, shell)


@pytest.mark.parametrize(("sizes", "state"), [("Yes", "DownloadWithFileSizes"), ("", "Download")])
def test_a_module_reads_the_payload_as_streams(executor: Executor, sizes: str, state: str):
    files = {"b.img": bytes(range(256)) * 1200, "a": b"", "c": b"last\n"}
    shutil.rmtree(executor.work / "payload")
    (executor.work / "payload").mkdir()
    executor.payload(files)
    executor.act("say", "ProvidePayloadFileSizes", f"{sizes}\n")
    executor.act("do", state, READS_ALL)

    assert executor.run("install") == (0, "")

    lines = (executor.acts / "lines").read_text().splitlines()
    named = [f"streams/{name}" + (f" {len(data)}" if sizes else "") for name, data in files.items()]
    assert lines == named
    assert (executor.acts / "got").read_bytes() == b"".join(files.values())
    assert sorted(file.name for file in executor.tree.iterdir()) == ["header", "tmp"]


def test_a_module_that_opens_no_stream_gets_files(executor: Executor):
    executor.act("do", "Download", '[ ! -e "$2/files" ] && [ -p "$2/stream-next" ]\n')

    assert executor.run("install") == (0, "")

    assert (executor.tree / "files/one").read_bytes() == b"1\n"
    assert not (executor.tree / "stream-next").exists()


def test_a_module_that_wants_files_gets_them_and_no_streams(executor: Executor):
    executor.act("say", "FilesAtDownload", "Yes\n")
    executor.act("do", "Download", '[ -f "$2/files/one" ] && [ ! -e "$2/stream-next" ]\n')

    assert executor.run("install") == (0, "")

    assert executor.log == ["Download"]


@pytest.mark.parametrize(
    "reads", ['cat "$2/stream-next"\n', 'cd "$2"; cat "$(cat stream-next)" >"$at/got"\n']
)
def test_a_module_that_stops_reading_has_failed(executor: Executor, reads: str):
    executor.act("do", "Download", reads)

    assert executor.run("install") == (1, "Download did not read its streams to their end")


def test_a_download_that_was_cut_off_begins_again_in_a_fresh_tree(executor: Executor):
    executor.act("kill", "Download")
    assert executor.run("install")[0] == KILLED
    (executor.tree / "tmp/half").touch()

    assert executor.run("install") == (0, "")

    names = ["ProvidePayloadFileSizes", "Download"]
    assert executor.log == [*names, "Cleanup", *names]
    assert (executor.tree / "files/one").exists()
    assert not (executor.tree / "tmp/half").exists()


def test_scripts_of_the_device_come_first_and_each_in_the_order_of_names(executor: Executor):
    executor.script("ArtifactInstall_Enter_02_late", of_device=True)
    executor.script("ArtifactInstall_Enter_01", of_device=True)
    executor.script("ArtifactInstall_Enter_00_first")
    executor.script("ArtifactInstall_Enter_9")

    assert executor.run("activate") == (0, "")

    scripts = [name for name in executor.log if "_" in name]
    assert scripts == [
        "ArtifactInstall_Enter_01",
        "ArtifactInstall_Enter_02_late",
        "ArtifactInstall_Enter_00_first",
    ]


def test_a_script_may_ask_to_be_called_later(executor: Executor):
    later = '[ "$(grep -c "^$name\\$" "$at/log")" -ge 3 ] || exit 21\n'
    executor.script("ArtifactInstall_Enter_00")
    executor.act("do", "ArtifactInstall_Enter_00", later)
    executor.limit("script-retry-interval", 0)

    assert executor.run("activate") == (0, "")

    assert executor.log == ["ArtifactInstall_Enter_00"] * 3 + ["ArtifactInstall"]


def test_a_script_that_is_never_ready_fails(executor: Executor):
    executor.script("ArtifactInstall_Enter_00")
    executor.act("do", "ArtifactInstall_Enter_00", "exit 21\n")
    executor.limit("script-retry-interval", 0)
    executor.limit("script-retry-limit", 2)

    rc, said = executor.run("activate")

    assert (rc, said.split(":")[0]) == (1, "ArtifactInstall_Enter_00 failed with 21")
    assert "ArtifactInstall" not in executor.log


def test_the_time_that_a_script_takes_counts_until_it_is_ready(executor: Executor):
    executor.script("ArtifactInstall_Enter_00")
    executor.act("do", "ArtifactInstall_Enter_00", "sleep 1.1; exit 21\n")
    executor.limit("script-retry-interval", 0)
    executor.limit("script-retry-limit", 3)

    assert executor.run("activate")[0] == 1

    assert 2 <= len(executor.log) <= 3  # 3 s, of which each repeat counts for another one


@pytest.mark.parametrize("number", ["08", "09", "0x1", "-1", "1.5", "99999999999999999999"])
def test_a_limit_that_is_no_number_is_none(executor: Executor, number: str):
    """Arithmetic takes `08` for octal, and a shell ends there, in the middle of an update."""
    executor.script("ArtifactInstall_Enter_00")
    later = '[ "$(grep -c "^$name\\$" "$at/log")" -ge 2 ] || exit 21\n'
    executor.act("do", "ArtifactInstall_Enter_00", later)
    executor.limit("script-retry-interval", 0)
    with (executor.root / "etc/rollout/limits").open("a") as limits:
        for name in ("script-retry-limit", "script-timeout", "module-timeout"):
            limits.write(f"{name} {number}\n")

    assert executor.run("activate") == (0, "")


@pytest.mark.parametrize("answer", ["Yes\nNo\n", "yes\n", "Maybe\n"])
def test_an_answer_that_means_nothing_is_a_failure(executor: Executor, answer: str):
    executor.act("say", "NeedsArtifactReboot", answer)

    rc, said = executor.run("activate")

    assert (rc, said) == (1, "NeedsArtifactReboot was answered in a way that means nothing")


def test_going_back_is_asked_again_after_it_failed(executor: Executor):
    executor.act("say", "SupportsRollback", "Yes\n")
    executor.act("fail", "ArtifactRollback")

    assert executor.run("back")[0] == 1
    assert executor.run("back") == (0, "")

    assert executor.log == ["ArtifactRollback", "ArtifactFailure"] * 2


def test_a_reboot_of_the_system_is_waited_for_on_the_way_back(executor: Executor):
    executor.act("say", "SupportsRollback", "Yes\n")
    executor.act("say", "NeedsArtifactReboot", "Automatic\n")

    assert [executor.run("back")[0] for _ in range(3)] == [3, 3, 3]
    executor.boot()

    assert executor.run("back") == (0, "")
    assert executor.log == ["ArtifactRollback", "ArtifactVerifyRollbackReboot", "ArtifactFailure"]


def test_an_executor_whose_core_lost_the_lock_does_nothing(executor: Executor):
    (executor.root / "run/rollout/lock/g.2").touch()

    assert executor.run("activate") == (1, "")

    assert executor.log == []


def test_a_module_is_told_what_runs_before_it(device: Device):
    info = {
        "payloads": [{"type": "directory"}],
        "artifact_provides": {"artifact_name": "r1", "artifact_group": "blue sky"},
        "artifact_depends": {"device_type": ["lab"]},
    }
    device.release(1, directory("r1", header_info=compact(info)))

    assert device.deliver(2, directory("r2").frames(device.key)).rc == 0

    work = device.root / "var/lib/rollout/component/main/txn"
    told = [
        [(work / txn(n) / f"tree/current_artifact_{key}").read_text() for key in ("name", "group")]
        for n in (1, 2)
    ]
    assert told == [["\n", ""], ["r1\n", "blue sky\n"]]


def test_nobody_waits_for_a_daemon_that_a_module_started_when_it_was_asked(device: Device):
    """It holds the answer's stream open: the lock would be held as long, and the dead-man powerless."""
    module = device.root / "usr/lib/rollout/modules/parent"
    first = (device.root / "usr/lib/rollout/modules/script").read_text().split("\n")[0]
    module.write_text(
        f'{first}\nsleep 300 & echo $! >>"$ROLLOUT_ROOT/daemons"\n'
        "case $1 in SupportsRollback | RollbackAfterCommit) echo Yes ;; ReadBack) echo active ;; esac\n"
    )
    module.chmod(0o755)
    release = Release(kind="parent", payload={"x": b"x"})
    try:
        device.release(1, release)
        assert device.fields()["active"] == "yes"
        assert device.do("rollback", 1).rc == 0
    finally:
        daemons = [int(pid) for pid in (device.root / "daemons").read_text().split()]
        lived = [Path(f"/proc/{pid}").exists() for pid in daemons]
        for pid in daemons:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert all(lived)


@pytest.mark.parametrize("size", [10, 2_000_000])
def test_what_a_module_prints_is_limited_while_it_prints_and_its_end_is_kept(
    executor: Executor, size: int
):
    """Its output comes by a pipe that has been read before more of it fits in."""
    executor.act("say", "ArtifactInstall", "a line\n" * (size // 7))
    executor.act("do", "ArtifactInstall", 'wc -c <"$2/../log" >"$at/size"\n')
    assert executor.run("activate")[0] == 0

    log = executor.work / "log"
    assert int((executor.acts / "size").read_text()) <= 288 * 1024
    assert 0 < log.stat().st_size <= 32768
    assert log.read_text().endswith("a line\n")


def test_a_module_that_prints_zeros_is_heard_to_its_end(executor: Executor):
    """A shell keeps none of them, so that they look like nothing."""
    executor.act("do", "ArtifactInstall", "head -c 300000 /dev/zero; echo last words; exit 1\n")

    assert executor.run("activate") == (1, "ArtifactInstall failed with 1: last words")


def test_who_hears_a_module_ends_where_its_executor_is_gone_before_it_begins(
    tmp_path: Path, shell: Shell
):
    """Its parent is the machine's first process then, which never ends."""
    program = tmp_path / "streams.sh"
    program.write_text(shell.program(STREAMS))
    (tmp_path / "log").touch()

    done = subprocess.run(
        [*shell.argv, program, "keep", tmp_path / "log", "said"],
        input=b"one\0\0two\n",
        env={"PATH": shell.path},
        timeout=20,
        check=True,
        capture_output=True,
    )

    assert done.stdout == b""
    assert (tmp_path / "log").read_bytes() == b"one\n\ntwo\n"


def test_a_module_that_talks_where_nothing_can_be_kept_goes_on(executor: Executor):
    (executor.work / "log").mkdir()
    executor.act("say", "ArtifactInstall", "a line\n" * 30_000)
    executor.act("do", "ArtifactInstall", 'echo done >"$at/done"\n')

    assert executor.run("activate") == (0, "")

    assert (executor.acts / "done").exists()


@pytest.mark.parametrize("query", ["NeedsArtifactReboot", "SupportsRollback"])
def test_an_answer_without_end_is_cut_off(executor: Executor, query: str):
    executor.act("do", query, 'while echo "yes and no and yes"; do :; done')

    assert executor.run("activate" if query[0] == "N" else "back") == (
        1,
        f"{query} was answered in a way that means nothing",
    )


def test_a_module_that_takes_its_own_tree_away_has_no_way_back_and_says_so(device: Device):
    """What it noted for the way back was in there: an empty one would make it say that it is done."""
    module = device.root / "usr/lib/rollout/modules/gone"
    first = (device.root / "usr/lib/rollout/modules/script").read_text().split("\n")[0]
    module.write_text(
        f'{first}\ncase $1 in SupportsRollback) echo Yes ;; ArtifactInstall) rm -rf "$2" && exit 1 ;; esac\n'
    )
    module.chmod(0o755)

    reply = device.deliver(1, Release(kind="gone", payload={"x": b"x"}).frames(device.key))

    assert (reply.rc, device.fields()["state"]) == (69, "rollback-failed")
    assert "its tree is gone" in reply.fields["detail"]


def test_facts_pass_over_a_module_that_does_not_answer(one: Device):
    bodies = {f"hangs-{number}": "exec sleep 100" for number in range(9)}
    for name, body in (*bodies.items(), ("babbles", "while echo Yes; do :; done")):
        module = one.root / "usr/lib/rollout/modules" / name
        module.write_text(f"#!/bin/sh\n{body}\n")
        module.chmod(0o755)
    stop = one.root / "bin"
    stop.mkdir()
    (stop / "timeout").write_text('#!/bin/sh\nshift 3\nexec /usr/bin/timeout -k 1 1 "$@"\n')
    (stop / "timeout").chmod(0o755)
    one.shell = dataclasses.replace(one.shell, path=f"{stop}:{one.shell.path}")

    begun = time.monotonic()
    told = one.ask("facts").all("module")

    assert "directory+keeps-previous" in told
    assert "script+keeps-previous" not in told
    assert "script" in told
    assert not {*bodies, "babbles"} & {name.partition("+")[0] for name in told}
    assert time.monotonic() - begun < 5  # of a second each


@pytest.mark.parametrize("bad", [False, True])
def test_a_module_that_reboots_a_part_of_the_device_is_verified_after_it(device: Device, bad: bool):
    words = device.root / "usr/lib/rollout/modules/part"
    failing = "ArtifactReboot) exit 1 ;;" if bad else ""
    first = (device.root / "usr/lib/rollout/modules/script").read_text().split("\n")[0]
    words.write_text(
        f'{first}\necho "$1" >>"$ROLLOUT_ROOT/calls"\n'
        f"case $1 in SupportsRollback | NeedsArtifactReboot) echo Yes ;; {failing} esac\n"
    )
    words.chmod(0o755)
    (device.root / "sbin").mkdir()
    (device.root / "sbin/reboot").write_text("#!/bin/sh\n")
    (device.root / "sbin/reboot").chmod(0o755)

    delivered = device.deliver(1, Release(kind="part", payload={"x": b"x"}).frames(device.key))

    assert delivered.rc == 0
    end = time.monotonic() + WAIT_S
    while (at := device.fields()).get("reboot") == "yes" or "commit-nonce" not in at:
        if at["state"] == "rolled-back" or time.monotonic() > end:
            break
        time.sleep(0.05)
    calls = (device.root / "calls").read_text().split()
    after = calls[calls.index("ArtifactReboot") :]
    if bad:
        assert at["state"] == "rolled-back"
        assert "ArtifactVerifyReboot" not in after
        assert "ArtifactRollbackReboot" in after
    else:
        assert "ArtifactVerifyReboot" in after
        assert device.commit(1).rc == 0
