"""The request grammar, and what changes nothing."""

from __future__ import annotations

import random
import subprocess
import time

import pytest

from tests.device.kit import HELPER, Device, directory, txn

MEMORY_KIB = 20_000  # of each process: a shell with its libraries takes a tenth of that

HOSTILE = (
    "",
    " hello",
    "hello ",
    "hello  nonce=a",
    "hello nonce",
    "hello =a",
    "hello nonce=a=b",
    "hello nonce=a nonce=b",
    "hello Nonce=a",
    "Hello",
    "hello9",
    "hello nonce=$(touch${IFS}x)",
    "hello nonce=`id`",
    "hello nonce=a;id",
    "hello nonce=a|id",
    "hello\nfacts",
    "hello nonce=a\n",
    "hello nonce=\u00e4",
    "hello nonce=*",
    "hello nonce=~",
    "hello nonce='a'",
    "hello component=../../etc",
    "hello component=a..b",
    "hello component=A",
    "hello component=",
    "status txn=short",
    "status txn=" + "a" * 26,
    "health timeout=08",
    "health timeout=-1",
    "health timeout=99999999",
    "health checks=../x",
    "health checks=a;b",
    "exec cmd=id",
    "core begin",
    "boot",
    "deadman txn=" + "0" * 26,
    "hello unknown=1",
    "hello " + " ".join(f"k{i}=1" for i in range(17)),
    "hello nonce=" + "a" * 1100,
    "commit",
    "commit txn=" + "0" * 26,
    "deliver frames=0 txn=" + "0" * 26 + " controller=lab epoch=1",
    "deliver frames=257 txn=" + "0" * 26 + " controller=lab epoch=1",
    "stage name=/etc/passwd size=1 sha=" + "0" * 64,
    "stage name=data/0000/.. size=1 sha=" + "0" * 64,
    "stage name=data/0001/x size=1 sha=" + "0" * 64,
    "rollback txn=" + "0" * 26 + " controller=lab epoch=01",
    "rollback txn=" + "0" * 26 + " controller=lab epoch=9999999999999999999",
)


def files(device: Device) -> set[str]:
    return {str(path.relative_to(device.root)) for path in device.root.rglob("*")}


def test_what_does_not_fit_the_grammar_is_refused_and_changes_nothing(device: Device):
    before = files(device)

    for line in HOSTILE:
        reply = device.ask(line)
        assert (reply.rc, reply.fields["reason"]) == (64, "usage"), line

    assert files(device) == before


def test_random_requests_get_one_whole_reply_each(device: Device):
    rng = random.Random(7)
    pieces = [
        "hello",
        "facts",
        "status",
        "health",
        "commit",
        "txn=",
        "nonce=a",
        "=",
        "..",
        "$",
        ";",
        "|",
        "&",
        "`",
        "(",
        ")",
        "\\",
        "'",
        '"',
        "*",
        "?",
        "\t",
        "",
    ]
    before = files(device)
    refused = 0

    for _ in range(100):
        line = " ".join(rng.choice(pieces) for _ in range(rng.randint(0, 6)))
        refused += device.ask(line).rc == 64

    assert refused > 80
    assert files(device) == before


@pytest.mark.night
def test_a_thousand_random_requests(device: Device):
    rng = random.Random()
    for _ in range(1000):
        line = "".join(chr(rng.randint(1, 255)) for _ in range(rng.randint(0, 60)))
        assert device.ask("hello " + line).rc in (0, 64)


def test_only_the_launcher_sets_the_root(one: Device):
    assert one.ask("hello root=/").rc == 64
    done = one.hook("--version")
    assert done.stdout.decode().startswith("rollout-helper ")
    assert one.hook("nonsense").returncode == 64


def test_hello_of_a_new_device(device: Device):
    fields = device.ask("hello nonce=abc123").fields

    assert fields["protocol"] == "rollout-agent/1"
    assert fields["nonce"] == "abc123"
    assert fields["device-type"] == "lab"
    assert fields["boot-id"] == "11111111-0000-0000-0000-000000000001"
    assert int(fields["uptime"]) >= 0
    assert int(fields["free"]) > 0
    assert (fields["state"], fields["artifact"], fields["manifest"]) == ("none", "none", "none")
    assert (fields["active"], fields["deadman"]) == ("unknown", "process")
    assert not {"txn", "previous", "reverted", "commit-nonce", "epoch"} & set(fields)


def test_fields_through_the_life_of_a_release(device: Device):
    first = directory("r1", provides={"app.version": "1"})
    device.release(1, first)
    device.deliver(2, directory("r2 with a space").frames(device.key))

    probation = device.fields()

    assert (probation["state"], probation["txn"]) == ("probation", txn(2))
    assert probation["artifact"] == "r2 with a space"
    assert probation["previous"] == "r1"
    assert 250 < int(probation["deadline-left"]) <= 300
    assert len(probation["commit-nonce"]) == 32
    assert (probation["epoch"], probation["controller"]) == ("1", "lab")
    assert len(probation["manifest"]) == len(probation["previous-manifest"]) == 64

    device.commit(2)
    committed = device.fields()

    assert (committed["state"], committed["previous"]) == ("committed", "r1")
    assert not {"commit-nonce", "deadline-left"} & set(committed)


def test_a_delivery_does_not_give_the_nonce_away(one: Device):
    reply = one.deliver(1, directory("r1").frames(one.key))

    assert reply.fields["state"] == "probation"
    assert "commit-nonce" not in reply.fields


def test_facts_name_modules_checks_and_provides(device: Device):
    device.release(1, directory("r1", {"a": b"", ".rollout/health/web": b"#!/bin/sh\n"}))
    check = device.root / "etc/rollout/health.d/disk"
    check.write_text("#!/bin/sh\n")

    reply = device.ask("facts")

    facts = dict(fact.split("=", 1) for fact in reply.all("fact"))
    assert {"os", "arch", "kernel", "shell", "openssl"} == set(facts)
    assert device.shell.name in facts["shell"]
    # where there is a dpkg, or a compose
    modules = set(reply.all("module")) - {"deb+keeps-previous", "compose+keeps-previous"}
    assert modules == {
        "directory+keeps-previous",
        "single-file+keeps-previous",
        "script",
        "rollout-helper+keeps-previous",
    }
    assert set(reply.all("health-check")) == {"disk", "web"}
    assert reply.all("provides") == ("artifact_name=r1",)


def health_check(device: Device, name: str, *lines: str) -> None:
    check = device.root / "etc/rollout/health.d" / name
    check.write_text("\n".join(("#!/bin/sh", *lines, "")))
    check.chmod(0o755)


def test_health_checks_report_exit_and_one_line(device: Device):
    health_check(device, "good", 'echo "{\\"value\\": 1.5}"', "echo second")
    health_check(device, "bad", "exit 3")
    health_check(device, "slow", "sleep 30")
    health_check(device, "loud", "yes | head -c 300000")
    health_check(device, "where", 'echo "$PWD $ROLLOUT_ROOT $LC_ALL ${SSH_ORIGINAL_COMMAND-none}"')

    reply = device.ask("health nonce=x checks=good,bad,slow,none,where,loud timeout=1")

    results = {check.name: (check.exit, check.output) for check in reply.checks}
    assert results["good"] == (0, '{"value": 1.5}')
    assert results["bad"] == (3, "")
    assert results["slow"][0] == 124
    assert results["none"] == (127, "")
    assert results["where"] == (0, f"/ {device.root} C none")
    assert results["loud"] == (0, "y")


def test_a_check_of_the_device_wins_over_one_of_the_release(one: Device):
    release = {".rollout/health/a": b"#!/bin/sh\necho release\n"}
    release[".rollout/health/b"] = release[".rollout/health/a"]
    one.release(1, directory("r1", release))
    health_check(one, "a", "echo device")

    reply = one.ask("health checks=a,b")

    assert [check.output for check in reply.checks] == ["device", "release"]


def test_a_long_line_of_a_check_is_cut(one: Device):
    health_check(one, "long", "head -c 9000 /dev/zero | tr '\\0' ' '")

    check = one.ask("health checks=long").checks[0]

    assert (check.exit, len(check.output)) == (0, 2000)


@pytest.mark.parametrize("byte", ["x", "\\0", "\\n"])
def test_a_check_that_talks_without_end_takes_its_time_and_no_more_memory(one: Device, byte: str):
    """After its second, whoever reads it has kept little of what it said, and is not behind either."""
    health_check(one, "endless", f"exec tr '\\0' '{byte}' </dev/zero")
    small = f"ulimit -v {MEMORY_KIB} && exec {' '.join(one.argv)}"
    begun = time.monotonic()

    done = subprocess.run(
        ["sh", "-c", small],
        env=one.environment("health checks=endless timeout=1"),
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert b"check endless 124" in done.stdout
    assert time.monotonic() - begun < 10


def test_the_helper_is_the_one_of_the_package(one: Device):
    assert (one.root / "usr/lib/rollout/helper.sh").read_bytes() == HELPER.read_bytes()
