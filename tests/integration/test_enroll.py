"""Enrolling and releasing a real Debian host over a real sshd, with sudo and an ordinary login."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import asyncssh
import pytest

from orchestrator import api
from orchestrator.api.admin_values import EnrollRequest, ReleaseRequest
from orchestrator.api.attesting import device_attest
from orchestrator.api.enrolment import device_enroll, device_release
from orchestrator.api.reports import HostReports
from orchestrator.api.values import Settings, Source
from orchestrator.device.model import Device, DeviceId
from orchestrator.device.protocol import Request, Verb
from orchestrator.device.reason import Reason
from orchestrator.engine.clock import SystemClock
from orchestrator.engine.orders import Orders
from orchestrator.engine.perform import Conversation
from orchestrator.engine.survey import survey
from orchestrator.errors import DeviceError
from orchestrator.plan.resolved import ResolvedWave
from orchestrator.rollout.actions import DeviceAction, Work
from orchestrator.rollout.events import DeviceReported, Outcome, Vouched
from orchestrator.ssh.bundle import Placed, install_script, tar_of, tree_of
from orchestrator.ssh.enroll import Action, Admin, Become
from orchestrator.ssh.first_contact import identify
from orchestrator.ssh.placed import Boot, Elevation, PlacedRoot
from orchestrator.testing.plans import make_plan
from tests.device.kit import Key, directory, txn
from tests.device.tickets import FLEET, Root, Signer, build_key, ticketed
from tests.integration.desk import FACTS, HELLO, Desk, desk
from tests.integration.lab_kit import Progress, changing, frames
from tests.integration.real_host import OPERATOR, why_not
from tests.loopback import free_port

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(bool(why_not()), reason=f"no host of its own: {why_not()}"),
]


async def test_host_key_is_pinned_by_its_fingerprint_only(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        address = at.host.operator
        right = at.host.host_key.get_fingerprint("sha256")
        shown = []

        def refuse(algorithm: str, fingerprint: str) -> bool:
            shown.append((algorithm, fingerprint))
            return False

        line = await identify(at.transport, address, fingerprint=right)
        with pytest.raises(DeviceError, match="no host key with fingerprint") as wrong:
            await identify(at.transport, address, fingerprint="SHA256:" + "A" * 43)
        with pytest.raises(DeviceError, match="was not confirmed"):
            await identify(at.transport, address, confirm=refuse)

        assert line == at.host.host_key_line
        assert wrong.value.reason == Reason.HOST_KEY
        assert shown == [("ssh-ed25519", right)]


async def test_looking_changes_nothing_and_tells_what_enrolling_will_do(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        before = at.host.written()

        planned = await at.admin.plan_enrol(at.wanted())
        after = at.host.written()
        done = await at.admin.enrol(at.wanted())
        again = await at.admin.plan_enrol(at.wanted())

        assert _without_sudo_time(after) == _without_sudo_time(before)
        assert planned.changes == done.changes
        assert planned.problems == ()
        assert "+ account rollout" in [str(change) for change in planned.changes]
        assert "+ file /usr/lib/rollout/core" in [str(change) for change in planned.changes]
        assert [str(one) for one in again.changes if one.action is not Action.SAME] == []
        assert not again.differs
        assert done.host_keys == (at.host.host_key_line,)


async def test_enrolled_host_takes_a_release_and_is_released_without_a_trace(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        before = at.host.written()
        await at.admin.enrol(at.wanted())

        hello = await at.ask(HELLO)
        delivered = await at.deliver(1, directory("r1", device_types=["edge"]).frames(at.signing))
        health = await at.ask(Request(Verb.HEALTH, {"nonce": "n", "checks": "app"}))
        nonce = health.fields["commit-nonce"]
        committed = await at.ask(changing(Verb.COMMIT, 1, nonce=nonce))
        planned = await at.admin.plan_release()
        await at.admin.release()
        after = at.host.written()

        assert hello.fields["device-type"] == "edge"
        assert hello.fields["deadman"] in {"init", "systemd", "cron"}
        assert delivered.rc == 0, delivered
        assert [(check.name, check.exit) for check in health.checks] == [("app", 0)]
        assert committed.rc == 0, committed
        assert all(change.action is not Action.CREATE for change in planned.changes)
        assert after["/opt/app"] == "-> app.releases/01TEST00000000000000000001"
        left = set(_without_sudo_time(after)) - set(_without_sudo_time(before))
        assert {name for name in left if not name.startswith("/opt/app")} <= _ACCOUNT_FILES
        assert "rollout:" not in at.host.path("/etc/passwd").read_text()


async def test_login_of_the_helper_cannot_enrol_or_release_and_is_told_so(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        helper = Admin(at.transport, at.host.address("rollout", at.login_file))

        with pytest.raises(DeviceError, match="not to an administrator's shell") as caught:
            await helper.release()

        assert "--login" in caught.value.hint
        assert (await at.ask(HELLO)).rc == 0


async def test_ordinary_user_reaches_the_helper_by_sudo(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        device = Device(DeviceId("edge-1"), replace(at.host.operator, become="sudo"))
        session = await at.transport.open(device, deadline_s=15)
        with pytest.raises(DeviceError, match="does not start the helper") as before:
            await session.ask(HELLO, deadline_s=30)
        await at.admin.enrol(at.wanted())
        listed = frames(directory("r1", device_types=["edge"]).frames(at.signing))
        deliver = changing(Verb.DELIVER, 1, frames=str(len(listed)), wait="20", deadline="60")

        session = await at.transport.open(device, deadline_s=15)
        delivered = await session.converse(deliver, Progress().delivery(listed), deadline_s=60)
        nonce = (await session.ask(HELLO, deadline_s=30)).fields["commit-nonce"]
        committed = await session.ask(changing(Verb.COMMIT, 1, nonce=nonce), deadline_s=30)
        by_forced_command = await at.ask(HELLO)

        assert before.value.reason == Reason.NOT_ENROLLED
        assert (delivered.rc, committed.rc) == (0, 0), (delivered, committed)
        assert by_forced_command.fields["artifact"] == "r1"
        assert at.host.path("/opt/app/version.txt").read_text() == "r1"


async def test_launcher_takes_no_request_from_two_sides(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        launch = "/usr/lib/rollout/launch"

        by_arguments = at.host.run("su", "rollout", "-c", f"{launch} hello nonce=args")
        by_both = at.host.run(
            "su",
            "rollout",
            "-c",
            f"SSH_ORIGINAL_COMMAND='hello nonce=env' {launch} hello nonce=args",
        )

        assert "nonce args" in by_arguments.stdout
        assert "nonce env" in by_both.stdout
        assert "nonce args" not in by_both.stdout


async def test_account_reaches_nothing_but_the_helper(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        pinned = asyncssh.import_public_key(at.host.host_key_line)

        async with asyncssh.connect(
            "127.0.0.1",
            at.host.port,
            username="rollout",
            client_keys=[at.login],
            known_hosts=([pinned], [], []),
            agent_path=None,
            config=None,
        ) as connection:
            shell = await connection.run("id; cat /etc/shadow", encoding=None)
            with pytest.raises((asyncssh.Error, OSError)):
                await connection.create_connection(asyncssh.SSHTCPSession, "127.0.0.1", 22)
        sudo = at.host.run("su", "rollout", "-c", "sudo -n id")
        core = at.host.run("su", "rollout", "-c", "sudo -n /usr/lib/rollout/core rm-rf")

        assert b"reason usage" in bytes(shell.stdout or b"")
        assert sudo.returncode != 0
        assert core.returncode == 64


async def test_unconfirmed_release_goes_back_when_power_is_lost(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        await at.deliver(1, directory("r1", device_types=["edge"]).frames(at.signing))
        nonce = (await at.ask(HELLO)).fields["commit-nonce"]
        await at.ask(changing(Verb.COMMIT, 1, nonce=nonce))
        await at.deliver(2, directory("r2", device_types=["edge"]).frames(at.signing), "600")
        before = await at.ask(HELLO)

        await at.host.power_cut()
        silent = not await at.host.answers()
        await at.host.boot()
        after = await at.ask(HELLO)

        assert silent
        assert before.fields["artifact"] == "r2"
        assert after.fields["artifact"] == "r1"
        assert after.fields["boot-id"] != before.fields["boot-id"]
        assert "reverted" in after.fields
        assert at.host.path("/opt/app/version.txt").read_text() == "r1"


async def test_release_is_refused_during_probation(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        await at.deliver(1, directory("r1", device_types=["edge"]).frames(at.signing), "600")

        with pytest.raises(DeviceError, match="probation"):
            await at.admin.release()

        assert (await at.ask(HELLO)).fields["artifact"] == "r1"


async def test_existing_login_keeps_its_keys_and_its_account(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        keys = at.host.path(f"/home/{OPERATOR}/.ssh/authorized_keys")
        before = keys.read_text()

        await at.admin.enrol(at.wanted(login_user=OPERATOR))
        enrolled = keys.read_text()
        hello = await at.ask(HELLO, user=OPERATOR)
        await at.admin.release()

        assert enrolled.startswith(before)
        assert enrolled.count("restrict,command=") == 1
        assert hello.rc == 0
        assert keys.read_text() == before
        assert OPERATOR in at.host.path("/etc/passwd").read_text()


async def test_second_enrolment_replaces_keys_and_keeps_one_line(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        other = asyncssh.generate_private_key("ssh-ed25519")
        line = other.export_public_key().decode()
        keys = {"next": Key("ec").public_pem}

        changed = await at.admin.enrol(at.wanted(login_key=line, signing_keys=keys, checks={}))
        lines = at.host.path("/var/lib/rollout/home/.ssh/authorized_keys").read_text()

        told = [str(change) for change in changed.changes if change.action is not Action.SAME]
        assert "- file /etc/rollout/keys/release.pem" in told
        assert "- file /etc/rollout/health.d/app" in told
        assert "+ file /etc/rollout/keys/next.pem" in told
        assert lines.count("\n") == 1
        assert line.split()[1] in lines


LINKED = (
    ("authorized_keys", "/etc/hidden/secret"),
    ("authorized_keys.rollout", "/etc/hidden/secret"),
    ("", "/etc/hidden"),
)


async def test_links_of_the_account_lead_root_nowhere(tmp_path: Path) -> None:
    """Whoever has the account could else have a file of root written over, read or given to it."""
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        at.host.run("mkdir", "-m", "700", "/etc/hidden")
        secret = at.host.path("/etc/hidden/secret")
        secret.write_text("secret\n")
        secret.chmod(0o600)
        keys = "/var/lib/rollout/home/.ssh"
        for name, target in LINKED:
            place = f"{keys}/{name}".removesuffix("/")
            done = at.host.run("su", "rollout", "-c", f"rm -rf {place} && ln -s {target} {place}")
            assert done.returncode == 0, done.stderr
            other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()

            with contextlib.suppress(DeviceError):
                await at.admin.enrol(at.wanted(login_key=other))

            seen = at.host.run("su", "rollout", "-c", f"cat {keys}/*").stdout
            assert "secret" not in seen, name
            assert [one.name for one in at.host.path("/etc/hidden").iterdir()] == ["secret"]
            stat = secret.stat()
            assert (secret.read_text(), stat.st_uid, stat.st_mode & 0o777) == (
                "secret\n", 0, 0o600,
            ), name  # fmt: skip
            at.host.run("su", "rollout", "-c", f"rm -f {keys}/authorized_keys")
        with pytest.raises(DeviceError, match="symbolic link"):
            await at.admin.release()
        at.host.run("rm", keys)
        await at.admin.release()
        assert at.host.path("/etc/hidden/secret").exists()


async def test_account_without_sudo_is_told_so(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.host.path(f"/etc/sudoers.d/{OPERATOR}").unlink()

        with pytest.raises(DeviceError, match="did not become root") as caught:
            await at.admin.plan_enrol(at.wanted())

        assert caught.value.reason == Reason.AUTHENTICATION


async def test_sudo_may_want_a_password(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        script = f"echo {OPERATOR}:hush | chpasswd; echo '{OPERATOR} ALL=(ALL) ALL' >$0"
        at.host.run("sh", "-c", script, f"/etc/sudoers.d/{OPERATOR}")
        right = Admin(at.transport, at.host.operator, become=Become.SUDO, password="hush")
        wrong = Admin(at.transport, at.host.operator, become=Become.SUDO, password="push")

        await right.enrol(at.wanted())
        with pytest.raises(DeviceError, match="did not become root"):
            await wrong.plan_release()

        assert (await at.ask(HELLO)).rc == 0


@pytest.mark.parametrize("kind", ["cron", "systemd"])
async def test_boot_hook_fits_the_host(kind: str, tmp_path: Path) -> None:
    """cron where there are no init scripts; systemd (only noted down here) where it runs."""
    async with desk(tmp_path) as at:
        before = at.host.written()
        if kind == "cron":
            at.host.run("mv", "/etc/init.d", "/etc/none.d")
        else:
            at.host.run("mkdir", "-p", "/run/systemd/system")
            noted = '#!/bin/sh\necho "$@" >>/run/asked\n'
            at.host.path("/usr/local/sbin/systemctl").write_text(noted)
            at.host.run("chmod", "755", "/usr/local/sbin/systemctl")

        await at.admin.enrol(at.wanted())
        again = await at.admin.plan_enrol(at.wanted())
        marker = at.host.path("/etc/rollout/deadman").read_text()
        hook = at.host.path(_HOOKS[kind]).read_text()
        await at.admin.release()

        assert marker == f"{kind}\n"
        assert "/bin/sh /usr/lib/rollout/helper.sh boot" in hook
        assert not again.differs
        assert not at.host.path(_HOOKS[kind]).exists()
        assert "/etc/rollout" not in set(at.host.written()) - set(before)
        if kind == "systemd":
            asked = at.host.path("/run/asked").read_text().splitlines()
            assert "-q enable rollout-boot.service" in asked
            assert asked[-2:] == ["-q disable rollout-boot.service", "daemon-reload"]


_HOOKS = {
    "cron": "/etc/cron.d/rollout-boot",
    "systemd": "/etc/systemd/system/rollout-boot.service",
}


async def test_device_that_is_not_enrolled_says_so(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        device = Device(DeviceId("edge-1"), at.host.operator)
        session = await at.transport.open(device, deadline_s=15)

        with pytest.raises(DeviceError) as caught:
            await session.ask(HELLO, deadline_s=15)

        assert caught.value.reason == Reason.NOT_ENROLLED


_ACCOUNT_FILES = {
    "/etc/passwd-",
    "/etc/shadow-",
    "/etc/group-",
    "/etc/gshadow-",
}


def _without_sudo_time(written: dict[str, bytes | str]) -> dict[str, bytes | str]:
    """sudo notes that it was used; that is no change of ours."""
    return {name: value for name, value in written.items() if "sudo" not in name}


def a_root(at: Desk, release: tuple[Signer, ...], **changed: object) -> Root:
    return replace(
        Root((Signer(),), release, (build_key(at.signing),), need_root=1, need_release=1),
        **changed,  # type: ignore[arg-type]
    )


def to_place(root: Root, *, ed25519: bool = False, lacks: tuple[str, ...] = ()) -> PlacedRoot:
    return PlacedRoot(root.text, root.fleet, root.version, ed25519, lacks)


async def test_root_comes_with_enrolment_counts_at_once_and_goes_with_the_release(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as at:
        before = at.host.written()
        release = (Signer(),)
        root = to_place(a_root(at, release))
        unticketed = directory("r1", device_types=["edge"])

        planned = await at.admin.plan_enrol(at.wanted(root=root, signing_keys={}))
        await at.admin.enrol(at.wanted(root=root, signing_keys={}))
        again = await at.admin.plan_enrol(at.wanted(root=root, signing_keys={}))
        unnamed = await at.admin.plan_enrol(at.wanted())
        facts = await at.ask(FACTS)
        refused = await at.deliver(1, unticketed.frames(at.signing))
        files = ticketed(unticketed, at.signing, release, device_types=("edge",))
        delivered = await at.deliver(2, files)
        nonce = (await at.ask(HELLO)).fields["commit-nonce"]
        await at.ask(changing(Verb.COMMIT, 2, nonce=nonce))
        released = await at.admin.release()
        after = at.host.written()

        assert "+ file /etc/rollout/root.txt" in [str(change) for change in planned.changes]
        assert not again.differs
        assert not [one for one in unnamed.changes if one.target.endswith("root.txt")]
        told = {key: facts.fields[key] for key in ("root", "fleet", "security-floor", "serial")}
        assert told == {"root": "1", "fleet": FLEET, "security-floor": "0", "serial": "0"}
        assert "openssl" in facts.fields["verify"].split(",")
        assert (refused.rc, refused.fields["reason"]) == (65, "no_ticket")
        assert delivered.rc == 0, delivered
        assert "- file /etc/rollout/root.txt" in [str(change) for change in released.changes]
        left = set(_without_sudo_time(after)) - set(_without_sudo_time(before))
        assert not [name for name in left if "rollout/" in name]


async def test_enrolling_again_never_weakens_the_root(tmp_path: Path) -> None:
    """A later version of the same fleet takes its place; another fleet's or an older one does not."""
    async with desk(tmp_path) as at:
        second = a_root(at, (Signer(),), version=2)
        third = second.next()
        await at.admin.enrol(at.wanted(root=to_place(second)))
        for root, problem in (
            (second.next(fleet="other", version=3), f"of the fleet {FLEET}"),
            (replace(second, version=1), "version 2 of the trust root already"),
            (replace(second, need_root=1, release=(Signer(),)), "version 2 of the trust root"),
        ):
            planned = await at.admin.plan_enrol(at.wanted(root=to_place(root)))
            with pytest.raises(DeviceError, match=problem):
                await at.admin.enrol(at.wanted(root=to_place(root)))
            assert problem in planned.problems[0]
            assert (await at.ask(HELLO)).fields["root"] == "2"

        await at.admin.enrol(at.wanted())
        kept = await at.ask(HELLO)
        await at.admin.enrol(at.wanted(root=to_place(third)))
        followed = await at.ask(HELLO)

        assert (kept.fields["root"], followed.fields["root"]) == ("2", "3")


async def test_root_with_keys_that_the_device_cannot_check_is_not_placed(tmp_path: Path) -> None:
    """An OpenSSL before 3 checks no Ed25519; `usign` would, and `ssh-keygen`, which needs no openssl."""
    async with desk(tmp_path) as at:
        hidden = ("usign", "signify-openbsd", "signify", "ssh-keygen")
        for found in filter(None, map(shutil.which, hidden)):
            assert at.host.run("mount", "--bind", "/dev/null", found).returncode == 0
        at.host.path("/usr/local/bin/openssl").write_text(
            '#!/bin/sh\ncase "$*" in "pkeyutl -help") echo "-verify" ;; *) exec /usr/bin/openssl "$@" ;; esac\n'
        )
        at.host.path("/usr/local/bin/openssl").chmod(0o755)
        signer = Signer("ed25519")
        own = a_root(at, (signer,))
        root = to_place(own, ed25519=True)

        without = await at.admin.plan_enrol(at.wanted(root=root))
        _stands_in(at, "signify", "Signify: Unknown parameter '-h'")  # Debian's, which is for mail
        with_another = await at.admin.plan_enrol(at.wanted(root=root))
        _stands_in(at, "usign", "  -V:                  verify")
        with_usign = await at.admin.plan_enrol(at.wanted(root=root))
        for place in ("openssl", "usign"):  # the other one stays
            at.host.path(f"/usr/local/bin/{place}").unlink()
        openssl, keygen = str(shutil.which("openssl")), str(shutil.which("ssh-keygen"))
        assert at.host.run("mount", "--bind", "/dev/null", openssl).returncode == 0
        nothing = await at.admin.plan_enrol(at.wanted(root=root))
        assert at.host.run("umount", keygen).returncode == 0
        rootless = await at.admin.plan_enrol(at.wanted())
        done = await at.admin.enrol(at.wanted(root=root))
        facts = await at.ask(FACTS)

        assert "needs Ed25519" in without.problems[0]
        assert without.problems == with_another.problems
        assert with_usign.problems == ()
        assert "no openssl, and none that stands in for it" in nothing.problems[0]
        assert "with a trust root" in rootless.problems[0]
        assert "  verifier ssh-keygen" in [str(change) for change in done.changes]
        assert (facts.fields["root"], facts.fields["verify"]) == (str(own.version), "ssh-keygen")


def _stands_in(at: Desk, name: str, usage: str) -> None:
    """A program that says this of its use."""
    at.host.path(f"/usr/local/bin/{name}").write_text(f'#!/bin/sh\necho "{usage}" >&2\nexit 1\n')
    at.host.path(f"/usr/local/bin/{name}").chmod(0o755)


def _hide(at: Desk, *names: str) -> None:
    for found in filter(None, map(shutil.which, names)):
        assert at.host.run("mount", "--bind", "/dev/null", found).returncode == 0


async def test_a_device_with_signify_alone_wants_a_root_that_it_can_count(tmp_path: Path) -> None:
    """Enough Ed25519 keys in each role: those of the root to place, or of the one that it has."""
    async with desk(tmp_path) as at:
        _hide(at, "openssl", "ssh-keygen", "usign", "signify")
        people = tuple(Signer("ed25519") for _ in range(4))
        root = a_root(at, people[1:2], root=people[:1], build=(build_key(at.signing), *people[2:3]))
        lacking = to_place(root, lacks=("release", "build"))

        rootless = await at.admin.plan_enrol(at.wanted())
        refused = await at.admin.plan_enrol(at.wanted(root=lacking))
        done = await at.admin.enrol(at.wanted(root=to_place(root)))
        again = await at.admin.plan_enrol(at.wanted())
        facts = await at.ask(FACTS)
        accepted = at.host.path("/var/lib/rollout/floors/root.txt")
        accepted.parent.mkdir(exist_ok=True)
        accepted.write_bytes(root.next(need_root=2, root=(people[0], Signer())).text)
        outgrown = await at.admin.plan_enrol(at.wanted())
        _hide(at, "base64")
        without = await at.admin.plan_enrol(at.wanted(root=to_place(root)))

        assert "enrol the device with a trust root" in rootless.problems[0]
        assert [problem.partition(" of the role ")[2].split(",")[0] for problem in refused.problems] == [
            "release", "build",
        ]  # fmt: skip
        assert "with signify-openbsd the device counts no others" in refused.problems[0]
        assert "  verifier signify-openbsd" in [str(change) for change in done.changes]
        assert again.problems == ()
        assert (facts.fields["root"], facts.fields["verify"]) == ("1", "signify-openbsd")
        assert ["of the role root," in problem for problem in outgrown.problems] == [True]
        assert "each with base64" in without.problems[0]


async def test_enrolling_many_goes_on_where_it_stopped_and_is_undone(tmp_path: Path) -> None:
    """One host is there from the start, the other is not; then an enrolment is cut in the middle."""
    async with desk(tmp_path) as at:
        before = at.host.written()
        (tmp_path / "release.pem").write_bytes(at.signing.public_pem)
        (tmp_path / "factory.txt").write_text(f"edge-1 {at.host.host_key.get_fingerprint()}\n")
        (tmp_path / "hosts.json").write_text(_two_devices(at))
        settings = Settings(root=tmp_path, state=str(tmp_path / "state.db"))
        inventory = (str(tmp_path / "hosts.json"),)
        request = EnrollRequest(
            "all", Source(inventory), (tmp_path / "release.pem",),
            login=OPERATOR, become="sudo", fingerprints=tmp_path / "factory.txt",
            pins=tmp_path / "pins.yml",
        )  # fmt: skip
        pinned = replace(
            request,
            source=Source((*inventory, str(tmp_path / "pins.yml"))),
            fingerprints=None,
        )
        release = ReleaseRequest("all", pinned.source, login=OPERATOR, become="sudo")

        first = await device_enroll(settings, request, lambda _answer: None)
        again = await device_enroll(settings, pinned, lambda _answer: None)
        at.host.path("/etc/rollout/enrolled").unlink()  # as if it had been cut before its end
        in_part = await device_release(settings, release, lambda _answer: None)
        whole = await device_enroll(settings, pinned, lambda _answer: None)
        released = await device_release(settings, release, lambda _answer: None)
        twice = await device_release(settings, release, lambda _answer: None)
        after = at.host.written()

        told = [(one.ok, one.reason) for one in (*first, *again)]
        assert told[0::2] == [(True, Reason.OK), (True, Reason.UNCHANGED)]
        assert set(told[1::2]) == {(False, Reason.UNREACHABLE)}
        assert (in_part[0].ok, in_part[0].reason) == (False, Reason.INCOMPATIBLE)
        assert "enrolled in part" in in_part[0].detail
        assert [one[0].reason for one in (whole, released)] == [Reason.OK, Reason.OK]
        assert (twice[0].reason, twice[0].detail) == (Reason.UNCHANGED, "was not enrolled")
        left = set(_without_sudo_time(after)) - set(_without_sudo_time(before))
        assert left <= _ACCOUNT_FILES
        acts = await api.acts(settings, device="edge-1")
        assert [(one.kind, one.end and one.end.result) for one in acts] == [
            ("device_enroll", "ok"), ("device_enroll", "unchanged"), ("device_release", "incompatible"),
            ("device_enroll", "ok"), ("device_release", "ok"), ("device_release", "unchanged"),
        ]  # fmt: skip


def _two_devices(at: Desk) -> str:
    ports = {"edge-1": at.host.port, "edge-2": free_port()}
    shared = {
        "ansible_host": "127.0.0.1",
        "ansible_ssh_private_key_file": str(at.host.directory / "operator"),
        "device_type": "edge",
    }
    hosts = {name: {"ansible_port": port} for name, port in ports.items()}
    return json.dumps({"all": {"hosts": hosts, "vars": shared}})


async def test_bundle_places_what_enrolment_places(tmp_path: Path) -> None:
    """File by file: mode, owner and content; only what enables the hook is update-rc.d's.

    And a bundle leaves the way to the account's key to root.
    """
    async with desk(tmp_path) as at:
        before = set(at.host.written())
        wanted = at.wanted(root=to_place(a_root(at, (Signer(),))))
        tree = tree_of(wanted, Elevation.SUDO, Boot.INIT)
        await at.admin.enrol(wanted)
        enrolled = _stands(at, tree)
        new = {name for name in set(at.host.written()) - before if not name.endswith("-")}
        await at.admin.release()

        _unpacked(at, tree)
        unpacked = _stands(at, tree)
        again = await at.admin.plan_enrol(wanted)
        released = await at.admin.release()

        links = {one.path for one in tree if one.target}
        placed = {one.path for one in tree} - links
        assert {name for name in new if "rc" not in name.split("/")[2]} - placed <= _ODD
        homes = {path for path in placed if path.startswith("/var/lib/rollout/home")}
        assert {path: enrolled[path] for path in placed - homes} == {
            path: unpacked[path] for path in placed - homes
        }
        assert {path: enrolled[path][2] for path in homes} == {
            path: unpacked[path][2] for path in homes
        }
        assert {unpacked[path][1] for path in homes} == {"root"}
        assert [str(one) for one in again.changes if one.action is not Action.SAME] == []
        assert released.problems == ()
        assert "rollout:" not in at.host.path("/etc/passwd").read_text()


_ODD = {"/etc/subuid", "/etc/subgid", "/var/lib/rollout/home"}


def _stands(at: Desk, tree: Sequence[Placed]) -> dict[str, tuple[int, str, bytes]]:
    """Mode, owner and content of what stands on the host where the tree has something."""
    passwd = at.host.path("/etc/passwd").read_text()
    own = next(line for line in passwd.splitlines() if line.startswith("rollout:")).split(":")[2]
    found = {}
    for one in tree:
        path = at.host.path(one.path)
        if one.target or not path.exists():
            continue
        stat = path.stat()
        owner = {0: "root", int(own): "rollout"}.get(stat.st_uid, "other")
        content = path.read_bytes() if path.is_file() else b""
        found[one.path] = (stat.st_mode & 0o7777, owner, content)
    return found


def _unpacked(at: Desk, tree: Sequence[Placed]) -> None:
    """Installs the bundle as an image build does, in the host's own root."""
    shared = at.host.directory / "bundle"
    shared.mkdir(exist_ok=True)
    (shared / "rollout-device.tar").write_bytes(tar_of(tree))
    (shared / "install.sh").write_bytes(install_script())
    done = at.host.run("sh", str(shared / "install.sh"), "/")
    assert (done.returncode, done.stderr) == (0, "")


async def test_device_signs_what_it_runs_with_its_host_key(tmp_path: Path) -> None:
    """And ssh-keygen, which knows nothing of us, agrees; a device without it has no evidence."""
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        await at.deliver(1, directory("r1", device_types=["edge"]).frames(at.signing))
        own = at.host.path("/etc/ssh/ssh_host_ed25519_key")
        own.write_bytes(at.host.host_key.export_private_key("openssh"))
        own.chmod(0o600)
        at.host.path("/etc/ssh/ssh_host_ed25519_key.pub").write_text(f"{at.host.host_key_line}\n")
        at.host.run("rm", "-f", "/etc/ssh/ssh_host_ecdsa_key")
        settings = Settings(root=tmp_path, state="")
        source = Source((_enrolled_inventory(at, tmp_path),))
        out = tmp_path / "evidence"

        (good,) = await device_attest(settings, "edge-1", source, out, lambda _answer: None)
        assert good.ok, good
        (tmp_path / "known").write_text(f"edge-1 {at.host.host_key_line}\n")
        words = ("-f", str(tmp_path / "known"), "-I", "edge-1", "-n", "device-report")
        judged = await asyncio.to_thread(
            subprocess.run,
            ["ssh-keygen", "-Y", "verify", *words, "-s", out / "edge-1.report.sig"],
            input=(out / "edge-1.report").read_bytes(), capture_output=True, check=False,
        )  # fmt: skip
        proven, *later = await _signed_proofs(at)
        other = asyncssh.generate_private_key("ssh-ed25519")
        own.with_suffix(".pub").unlink()  # ssh-keygen signs with no key that differs from it
        own.write_bytes(other.export_private_key("openssh"))
        (foreign,) = await device_attest(settings, "edge-1", source, None, lambda _answer: None)
        forged = at.host.run("su", "rollout", "-c", "/usr/lib/rollout/report.sh n main s a m yes b")
        own.unlink()
        (unsigned,) = await device_attest(settings, "edge-1", source, None, lambda _answer: None)

        assert (good.facts["artifact"], good.facts["active"]) == ("r1", "yes")
        assert good.facts["signed-by"] == at.host.host_key_line
        assert judged.returncode == 0, judged.stderr
        assert proven.vouched == Vouched(at.host.host_key.get_fingerprint("sha256"))
        assert [one.vouched for one in later] == [proven.vouched] * 2
        assert [one.status.artifact if one.status else "" for one in later] == ["r1", "none"]
        assert (proven.outcome, proven.work) == (Outcome(Reason.OK), Work.PROVE)
        assert (foreign.ok, foreign.reason) == (False, Reason.REPORT)
        assert (unsigned.ok, unsigned.reason) == (False, Reason.NO_DATA)
        assert "no_host_key" in unsigned.detail
        assert "signature" not in forged.stdout


async def _signed_proofs(at: Desk) -> list[DeviceReported]:
    """What the engine makes of a proof that it asks for as the survey found it, of what it reads
    back after the commit, and of what it reads once that was taken back."""
    device = Device(DeviceId("edge-1"), at.host.address("rollout", at.login_file))
    found = await survey(at.transport, [device], connect_s=15, parallel=1, payload_type="directory")
    plan = make_plan([ResolvedWave("all", "1", (device.id,))])
    planned = replace(plan.devices[device.id], signs=found[device.id].signs)
    plan = replace(plan, devices={device.id: planned})
    reports = HostReports(required=True)
    orders = Orders(plan, "tests", 1, lambda: (), lambda: "n1", SystemClock(), reports=reports)
    told = []

    async def follow(report: DeviceReported) -> DeviceAction:
        told.append(report)
        nonce = report.status.commit_nonce if report.status else ""
        return DeviceAction(Work.COMMIT, device.id, txn(1), round=2, nonce=nonce)

    talk = Conversation(device, at.transport, orders)
    done = await talk.prove(DeviceAction(Work.PROVE, device.id, txn(1), round=1), follow)
    assert done is not None
    for number, work in enumerate((Work.READ_BACK, Work.ROLL_BACK), start=3):
        told.append(await talk.perform(DeviceAction(work, device.id, txn(1), round=number)))
    await talk.close()
    assert all(one.outcome.ok for one in (done, *told)), told
    return told


def _enrolled_inventory(at: Desk, place: Path) -> str:
    """The host as it is reached once it is enrolled."""
    host = {
        "ansible_host": "127.0.0.1",
        "ansible_port": at.host.port,
        "ansible_ssh_private_key_file": str(at.login_file),
        "rollout_host_keys": at.host.host_key_line,
    }
    path = place / "enrolled.json"
    path.write_text(json.dumps({"all": {"hosts": {"edge-1": host}}}))
    return str(path)
