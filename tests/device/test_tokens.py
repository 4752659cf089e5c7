"""Keys elsewhere, as docs/how-to/tokens.md says; openssl and a device judge what they sign.

PKCS#11 is real but for the token, which is software (SoftHSM). Of AWS KMS the client is real; what
answers it here says only what the service says to this one request, and signs digests as it does.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from orchestrator.trust.keys import KeyKind, SigningKey, generate_key
from tests.device.kit import Device
from tests.device.tickets import MANIFEST, Ticket, ask, judge
from tests.loopback import LOOPBACK
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
    signed = token.run(f"{sign} 'hsm:3?label=acme'")
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
    assert signed.count("pin: ") == 1
    assert len(signature.splitlines()) == 2  # the form of SSH too
    for public, text in (("carl.key.pub", "r1.ticket"), ("ann.pub", "root-1.txt")):
        assert openssl_verifies(tmp_path / public, tmp_path / text)
    assert judge(one, ticket.text, signature) == (0, "ok")
    assert judge(one, ticket.text + b"open 1 0\n", signature) == (65, "ticket_signatures")
    assert ask(one, "root", str(one.root / "next")) == (0, "ok")
    assert "version 2\n" in (one.root / "var/lib/rollout/floors/root.txt").read_text()


class Service:
    """What answers for AWS KMS: signs a digest with the key that has the name, or knows none."""

    def __init__(self, keys: dict[str, SigningKey]) -> None:
        self.keys = keys
        self.asked: list[dict[str, Any]] = []

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, str]]:
        self.asked.append(request)
        if request["KeyId"] not in self.keys:
            return 400, {"__type": "NotFoundException", "message": "there is no such key"}
        digest = base64.b64decode(request["Message"])
        private, sha256 = self.keys[request["KeyId"]].private, Prehashed(hashes.SHA256())
        if isinstance(private, rsa.RSAPrivateKey):
            signature = private.sign(digest, padding.PKCS1v15(), sha256)
        else:
            assert isinstance(private, ec.EllipticCurvePrivateKey)
            signature = private.sign(digest, ec.ECDSA(sha256))
        return 200, {"Signature": base64.b64encode(signature).decode()}

    @contextlib.contextmanager
    def served(self) -> Iterator[str]:
        """Its address as long as the block."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["X-Amz-Target"] == "TrentService.Sign"
                assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=id/")
                code, said = service.answer(json.loads(body))
                data = json.dumps(said).encode()
                self.send_response(code)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *words: object) -> None: ...

        with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"http://{LOOPBACK}:{server.server_port}"
            server.shutdown()
            thread.join()


@pytest.mark.skipif(
    importlib.util.find_spec("boto3") is None, reason="boto3 is missing; `make night` installs it"
)
@pytest.mark.parametrize("kind", [KeyKind.ECDSA_P256, KeyKind.RSA])
def test_kms_signs_what_openssl_and_a_device_verify(
    tmp_path: Path, one: Device, rollout_program: Path, kind: KeyKind
) -> None:
    service = Service({"alias/ann": generate_key(kind), "alias/other": generate_key(kind)})
    (tmp_path / "ann.pub").write_bytes(service.keys["alias/ann"].verification.pem)
    (tmp_path / "build.key.pub").write_bytes(one.key.public_pem)
    ticket = Ticket(MANIFEST, device_types=("lab",))
    (tmp_path / "r1.ticket").write_bytes(ticket.text)
    sign = "rollout release sign r1.ticket --root root-1.txt --public ann.pub --key awskms:alias"

    def run(text: str, code: int = 0) -> str:
        done = subprocess.run(
            ("sh", "-euc", text), cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stderr

    with service.served() as address:
        environment = {
            "PATH": f"{rollout_program}:{os.environ['PATH']}", "HOME": str(tmp_path), "COLUMNS": "200",
            "AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
        }  # fmt: skip
        run(
            "rollout key generate root.key\nrollout root init acme-prod --root-key root.key.pub"
            " --release-key ann.pub --build-key build.key.pub --key root.key"
        )
        absent, other = run(f"{sign}/none", 1), run(f"{sign}/other", 1)
        run(f"{sign}/ann")
    signature = (tmp_path / "r1.ticket.sig").read_bytes()
    (one.root / "etc/rollout/root.txt").write_bytes((tmp_path / "root-1.txt").read_bytes())
    (one.root / "etc/rollout/device_id").write_text("dev-0001\n")

    assert absent.startswith("error[T162]: AWS KMS does not sign: ")
    assert absent.count("there is no such key") == 1
    assert "does not verify" in other
    first, second, plain, in_ssh_form = (each["Message"] for each in service.asked)
    assert {each["MessageType"] for each in service.asked} == {"DIGEST"}
    digest = base64.b64encode(hashlib.sha256(ticket.text).digest()).decode()
    assert first == second == plain == digest != in_ssh_form
    assert openssl_verifies(tmp_path / "ann.pub", tmp_path / "r1.ticket")
    assert judge(one, ticket.text, signature) == (0, "ok")


def openssl_verifies(public: Path, text: Path) -> bool:
    """Whether openssl, which knows nothing of us, takes the one signature beside a text."""
    line = text.with_name(f"{text.name}.sig").read_text().split()
    signature = text.with_suffix(".raw")
    signature.write_bytes(base64.b64decode(line[2]))
    words = ("openssl", "dgst", "-sha256", "-verify", public, "-signature", signature, text)
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
