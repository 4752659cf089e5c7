"""A difference on a real Debian host: who applies it has no rights, and what it makes is delivered."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.device.model import Device, DeviceId
from orchestrator.device.protocol import Request, Verb
from tests.device.kit import Release, sha, single_file, txn
from tests.integration.desk import Desk, desk
from tests.integration.lab_kit import Progress, changing, frames
from tests.integration.real_host import why_not

pytestmark = [
    pytest.mark.integration,
    pytest.mark.root,
    pytest.mark.skipif(bool(why_not()), reason=f"no host of its own: {why_not()}"),
    pytest.mark.skipif(not shutil.which("xdelta3"), reason="xdelta3 is not installed"),
]
OLD = random.Random(1).randbytes(300_000)
NEW = OLD[:1000] + b"new" + OLD[1000:]
FILE = "data/0000/app.conf"
WATCH = '\nset -fu\nid -un >"${2-/tmp}/../who"\n'


def release(name: str, content: bytes) -> Release:
    made = single_file(name, content)
    made.device_types = ("edge",)
    return made


def difference(place: Path) -> bytes:
    (place / "old").write_bytes(OLD)
    (place / "new").write_bytes(NEW)
    subprocess.run(["xdelta3", "-e", "-s", "old", "new", "patch"], cwd=place, check=True)
    return (place / "patch").read_bytes()


async def rebuild(at: Desk, number: int, patch: bytes) -> tuple[int, tuple[str, ...]]:
    """Its exit code, and what the host holds of the file after it."""
    words = {"name": FILE, "size": f"{len(NEW)}", "sha": sha(NEW), "frames": "1"}
    words |= {"from": sha(OLD), "had": f"{len(OLD)}"}
    address = at.host.address("rollout", at.login_file)
    session = await at.transport.open(Device(DeviceId("edge-1"), address), deadline_s=15)
    try:
        talk = Progress().delivery(frames({"patch": patch}))
        made = await session.converse(changing(Verb.REBUILD, number, **words), talk, deadline_s=60)
        look = Request(Verb.STATUS, {"txn": txn(number)})
        held = (await session.ask(look, deadline_s=30)).all("have")
    finally:
        await session.close()
    return made.rc, held


async def test_difference_is_applied_without_rights(tmp_path: Path) -> None:
    patch = difference(tmp_path)
    async with desk(tmp_path) as at:
        await at.admin.enrol(at.wanted())
        await at.deliver(1, release("r1", OLD).frames(at.signing))
        nonce = (await at.ask(Request(Verb.HELLO, {"nonce": "n"}))).fields["commit-nonce"]
        assert (await at.ask(changing(Verb.COMMIT, 1, nonce=nonce))).rc == 0
        program = at.host.path("/usr/lib/rollout/delta.sh")
        program.write_text(program.read_text().replace("\nset -fu\n", WATCH))

        rc, held = await rebuild(at, 2, patch)
        delivered = await at.deliver(2, release("r2", NEW).frames(at.signing))

        assert (rc, held) == (0, (f"{FILE} {len(NEW)} {sha(NEW)}",))
        assert at.host.path("/var/lib/rollout/spool/who").read_text() == "rollout\n"
        assert delivered.rc == 0
        assert at.host.path("/etc/app/app.conf").read_bytes() == NEW
