"""A stolen orchestrator against an enrolled host over a real sshd: it has the login key and all that it sent."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest

from orchestrator.device.protocol import Verb
from orchestrator.ssh.placed import PlacedRoot
from tests.device.kit import Key, directory, txn
from tests.device.tickets import DAY_S, Root, Signer, build_key, ticketed
from tests.integration.desk import FACTS, HELLO, Desk, desk
from tests.integration.lab_kit import changing
from tests.integration.real_host import why_not

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(bool(why_not()), reason=f"no host of its own: {why_not()}"),
]
SERIAL, SECURITY = 5, 3


@dataclass
class Stolen:
    """An enrolled host with a root that runs `good`; two releasers who stay honest."""

    at: Desk
    release: tuple[Signer, ...]

    def frames(self, name: str, **values: object) -> Mapping[str, bytes]:
        """A release that the releasers signed, for whatever these values say."""
        whole = {"serial": SERIAL, "security": SECURITY, "device_types": ("edge",)} | values
        release = directory(name, device_types=["edge"])
        return ticketed(release, self.at.signing, self.release, **whole)

    def state(self) -> tuple[str, dict[str, str]]:
        """What runs, and all that is written where root alone may write."""
        written = self.at.host.written()
        kept = ("/opt/", "/etc/", "/usr/", "/var/lib/rollout/floors")
        ours = {path: what for path, what in written.items() if path.startswith(kept)}
        return self.at.host.path("/opt/app/version.txt").read_text(), ours


@asynccontextmanager
async def stolen(place: Path) -> AsyncIterator[Stolen]:
    async with desk(place) as at:
        it = Stolen(at, (Signer(), Signer()))
        root = Root((Signer(), Signer()), it.release, (build_key(at.signing),))
        placed = PlacedRoot(root.text, root.fleet, root.version)
        await at.admin.enrol(at.wanted(root=placed, signing_keys={}))
        good = await at.deliver(1, it.frames("good"))
        assert good.rc == 0, good
        nonce = (await at.ask(HELLO)).fields["commit-nonce"]
        assert (await at.ask(changing(Verb.COMMIT, 1, nonce=nonce))).rc == 0
        yield it


async def test_stolen_orchestrator_runs_nothing_unsigned_unreleased_older_or_early(
    tmp_path: Path,
) -> None:
    async with stolen(tmp_path) as it:
        evil = directory("evil", device_types=["edge"])
        attacks = {
            "no_ticket": evil.frames(Key("ec")),
            "ticket_serial": it.frames("evil", serial=SERIAL - 1),
            "ticket_security": it.frames("evil", security=SECURITY - 1),
            "not_open_yet": it.frames("evil", opens=((100, int(time.time()) + DAY_S),)),
            "ticket_manifest": {**evil.frames(it.at.signing), **_ticket_of(it.frames("good"))},
            "ticket_signatures": ticketed(
                evil, it.at.signing, (Signer(), Signer()), device_types=("edge",), serial=99
            ),
        }
        before = it.state()

        for number, (reason, frames) in enumerate(attacks.items(), 2):
            reply = await it.at.deliver(number, dict(sorted(frames.items(), reverse=True)))
            activated = await it.at.ask(changing(Verb.ACTIVATE, number, deadline="60"))

            assert reply.fields.get("reason") == reason, reply
            assert activated.rc != 0
            assert it.state() == before
        facts = (await it.at.ask(FACTS)).fields
        assert (facts["artifact"], facts["active"]) == ("good", "yes")
        assert facts["security-floor"] == str(SECURITY)


def _ticket_of(frames: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: frames[name] for name in ("ticket", "ticket.sig")}


SHELL_WORDS = (
    "id >/opt/pwned",
    "sh -c 'id >/opt/pwned'",
    "hello; id >/opt/pwned",
    "hello nonce=$(id>/opt/pwned)",
    "hello\nid >/opt/pwned",
    "hello nonce=`id`",
    "facts component=../../etc",
    "health checks=/bin/sh timeout=1",
    "health checks=../../../bin/sh",
    "core begin",
    "--elevate sh",
    "scp -t /opt",
    "rsync --server . /opt",
    "",
)


async def test_stolen_orchestrator_gets_no_shell(tmp_path: Path) -> None:
    """Nor a file transfer, a forwarding, a variable of its own, or another word for root."""
    async with stolen(tmp_path) as it:
        before, host = it.state(), it.at.host
        pinned = asyncssh.import_public_key(host.host_key_line)
        async with asyncssh.connect(
            "127.0.0.1", host.port, username="rollout", client_keys=[it.at.login],
            known_hosts=([pinned], [], []), agent_path=None, config=None,
        ) as connection:  # fmt: skip
            for words in SHELL_WORDS:
                process = await connection.create_process(
                    words or None,
                    encoding=None,
                    env={"BASH_ENV": "/opt/x", "ENV": "/opt/x", "LD_PRELOAD": "/opt/x.so"},
                )
                with contextlib.suppress(OSError):  # it may have ended by now
                    process.stdin.write(b"id >/opt/pwned\nexit\n")
                    process.stdin.write_eof()
                done = await process.wait()
                out = bytes(done.stdout or b"")
                assert b"uid=" not in out, words
                assert out.splitlines()[-1].startswith(b"end "), words
            with pytest.raises((asyncssh.Error, OSError)):
                async with connection.start_sftp_client() as sftp:
                    await sftp.put(str(tmp_path / "login"), "/opt/pwned")
            with pytest.raises((asyncssh.Error, OSError)):
                await connection.create_connection(asyncssh.SSHTCPSession, "127.0.0.1", 22)
            with pytest.raises(asyncssh.ChannelListenError):
                await connection.forward_remote_port("127.0.0.1", 0, "127.0.0.1", host.port)
            with pytest.raises((asyncssh.Error, OSError)):
                await connection.create_process(term_type="xterm")

        assert not host.path("/opt/pwned").exists()
        assert it.state() == before


async def test_code_in_the_unprivileged_account_gets_no_further(tmp_path: Path) -> None:
    """Whoever breaks the protocol part may write the spool and call the core: it checks it all again."""
    async with stolen(tmp_path) as it:
        host, before = it.at.host, it.state()
        frames = directory("evil", device_types=["edge"]).frames(it.at.signing)
        frames |= _ticket_of(it.frames("good"))
        who = f"txn={txn(7)} controller=tests component=main epoch=1"
        core = "sudo -n /usr/lib/rollout/core"

        def as_rollout(command: str) -> int:
            return int(host.run("su", "rollout", "-c", command).returncode)

        assert as_rollout(f"{core} begin {who}") == 0
        spool = f"/var/lib/rollout/spool/main/{txn(7)}"
        for name, data in frames.items():
            text = shlex.quote("".join(f"\\{byte:03o}" for byte in data))
            place = shlex.quote(f"{spool}/{name}")
            assert as_rollout(f"mkdir -p {spool}/data/0000 && printf {text} >{place}") == 0
        codes = [as_rollout(f"{core} {verb} {who}") for verb in ("prepare", "install")]
        codes.append(as_rollout(f"{core} activate {who} deadline=60"))
        others = [
            as_rollout(command)
            for command in (
                "sudo -n id",
                "sudo -n /usr/lib/rollout/trust.sh root /tmp",
                "sudo -n ROLLOUT_ROOT=/tmp /usr/lib/rollout/core gc",
                "sudo -n /bin/sh /usr/lib/rollout/helper.sh --root /tmp core gc",
                "echo 0 >/var/lib/rollout/floors/serial",
                "rm -f /etc/rollout/root.txt",
                "mv /var/lib/rollout/floors /var/lib/rollout/spool/",
            )
        ]

        assert codes[0] == 65
        assert 0 not in codes + others
        assert it.state() == before
        assert (await it.at.ask(FACTS)).fields["root"] == "1"
