"""Keys in a real PKCS#11 token (SoftHSM), as docs/how-to/tokens.md says; openssl and a device judge."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.device.kit import Device
from tests.device.tickets import MANIFEST, Ticket, ask, judge
from tests.terminal import on_terminal

PAGE = (Path(__file__).parents[2] / "docs/how-to/tokens.md").read_text(encoding="utf-8")
LIBRARY = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "739164"
MISSING = [each for each in ("softhsm2-util", "pkcs11-tool") if shutil.which(each) is None]


class Token:
    """A token called `acme`, and somebody at a terminal who types its PIN."""

    def __init__(self, where: Path, programs: Path) -> None:
        self.where = where
        (where / "tokens").mkdir()
        config = where / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {where}/tokens\n")
        kept = {key: text for key, text in os.environ.items() if not key.startswith("ROLLOUT_")}
        kept.pop("CI", None)
        self.environment = {
            **kept, "NO_COLOR": "1", "HOME": str(where), "PATH": f"{programs}:{kept['PATH']}",
            "SOFTHSM2_CONF": str(config), "PYKCS11LIB": str(LIBRARY),
        }  # fmt: skip
        self.run("softhsm2-util --init-token --free --label acme --pin $PIN --so-pin 1234", PIN=PIN)

    def run(self, text: str, code: int = 0, *, pin: str = PIN, **more: str) -> str:
        """What a script prints; PINs are typed."""
        answers = {"Please enter User PIN: ": pin, "pin: ": pin}
        words = ("sh", "-euc", text)
        seen = on_terminal(words, answers, cwd=self.where, env={**self.environment, **more})
        assert seen.code == code, seen.text
        assert PIN not in seen.text
        return seen.text


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_token_signs_what_openssl_and_a_device_verify(
    tmp_path: Path, one: Device, rollout_program: Path
) -> None:
    token = Token(tmp_path, rollout_program)
    make, use = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "build.key.pub").write_bytes(one.key.public_pem)
    ticket = Ticket(MANIFEST, device_types=("lab",))
    (tmp_path / "r1.ticket").write_bytes(ticket.text)
    sign = "rollout release sign r1.ticket --root root-1.txt --public carl.key.pub --key"

    token.run(make)
    token.run(make.replace("02", "03").replace("ann", "carl.key"))
    token.run(use)
    token.run(
        "rollout root rotate root-1.txt --threshold release=1\n"
        "rollout root sign root-2.txt --previous root-1.txt --key hsm: --public ann.pub"
    )
    other = token.run(f"{sign} 'hsm:2?label=acme'", 1)
    absent = token.run(f"{sign} 'hsm:4?label=acme'", 1)
    wrong = token.run(f"{sign} 'hsm:3?label=acme'", 1, pin="111111")
    nowhere = token.run(f"{sign} 'hsm:3?label=acme'", 1, PYKCS11LIB="")
    unsigned = (tmp_path / "r1.ticket.sig").exists()
    token.run(f"{sign} 'hsm:3?label=acme'")
    signature = (tmp_path / "r1.ticket.sig").read_bytes()
    (one.root / "etc/rollout/root.txt").write_bytes((tmp_path / "root-1.txt").read_bytes())
    (one.root / "etc/rollout/device_id").write_text("dev-0001\n")
    (one.root / "next").mkdir()
    for name, end in (("root", ""), ("root.sig", ".sig")):
        shutil.copy(tmp_path / f"root-2.txt{end}", one.root / "next" / name)

    assert "does not verify" in other
    assert "could not find ECDSA private key" in absent
    assert "PinIncorrect" in wrong
    assert "PYKCS11LIB" in nowhere
    assert not unsigned
    for public, text in (("carl.key.pub", "r1.ticket"), ("ann.pub", "root-1.txt")):
        assert openssl_verifies(tmp_path / public, tmp_path / text)
    assert judge(one, ticket.text, signature) == (0, "ok")
    assert judge(one, ticket.text + b"open 1 0\n", signature) == (65, "ticket_signatures")
    assert ask(one, "root", str(one.root / "next")) == (0, "ok")
    assert "version 2\n" in (one.root / "var/lib/rollout/floors/root.txt").read_text()


def openssl_verifies(public: Path, text: Path) -> bool:
    """Whether openssl, which knows nothing of us, takes the one signature beside a text."""
    line = text.with_name(f"{text.name}.sig").read_text().split()
    signature = text.with_suffix(".raw")
    signature.write_bytes(base64.b64decode(line[2]))
    words = ("openssl", "dgst", "-sha256", "-verify", public, "-signature", signature, text)
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
