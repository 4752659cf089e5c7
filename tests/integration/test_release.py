"""Tickets and roots by the real commands; openssl and the SSH tools make keys and judge signatures."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.children import child
from tests.integration.project import Project
from tests.terminal import on_terminal

pytestmark = pytest.mark.integration

SCHEMAS = Path(__file__).parents[2] / "schemas"
SECRET = "correct horse"
KINDS = {
    "ecdsa": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "rsa": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"),
    "ed25519": ("-algorithm", "ED25519"),
}


def openssl(*words: str | Path, data: bytes = b"", check: bool = True) -> bytes:
    done = subprocess.run(
        ("openssl", *map(str, words)), input=data, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout


def make_key(where: Path, kind: str, *, secret: str = "") -> Path:
    """A key pair by openssl: `KIND.key`, encrypted with a secret, and `KIND.key.pub`."""
    private = where / f"{kind}.key"
    pem = openssl("genpkey", *KINDS[kind])
    private.with_suffix(".key.pub").write_bytes(openssl("pkey", "-pubout", data=pem))
    if secret:
        pem = openssl("pkey", "-aes-256-cbc", "-passout", f"pass:{secret}", data=pem)
    private.touch(mode=0o600)
    private.write_bytes(pem)
    return private


def key_id(public: Path) -> str:
    """The id of a public key, by openssl alone."""
    der = openssl("pkey", "-pubin", "-in", public, "-outform", "DER")
    return openssl("dgst", "-sha256", "-r", data=der).split()[0].decode()


def holds(public: Path, text: Path, signature: bytes, where: Path) -> bool:
    """What openssl says of a signature, with the commands that devices use."""
    file = where / "signature"
    file.write_bytes(signature)
    if b"ED25519" in openssl("pkey", "-pubin", "-in", public, "-noout", "-text").upper():
        words = ("pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", text,
                 "-sigfile", file)  # fmt: skip
    else:
        words = ("dgst", "-sha256", "-verify", public, "-signature", file, text)
    said = openssl(*words, check=False)
    return b"Verified" in said and b"Verification" not in said


def signatures(path: Path) -> dict[str, bytes]:
    """The plain signatures beside a file, by key id."""
    file = path.with_name(f"{path.name}.sig").read_text()
    lines = [line for line in file.splitlines() if " U1NIU0lH" not in line]
    return {line.split()[1]: base64.b64decode(line.split()[2]) for line in lines}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with an artifact `app-1.mender`, signed by `build.key`."""
    found = Project(tmp_path)
    found.run("key", "generate", "build.key")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/run").write_text("#!/bin/sh\n")
    found.run(
        "artifact", "build", "directory", "tree", "--dest", "/opt/app", "-n", "app-1", "-t", "lab",
        "-o", "app-1.mender", "--key", "build.key",
    )  # fmt: skip
    return found


def root_of(project: Project, *release_keys: Path | str, threshold: int) -> None:
    """`root-1.txt` with these release keys."""
    project.run("key", "generate", "root.key")
    release = [word for key in release_keys for word in ("--release-key", key)]
    project.run(
        "root", "init", "lab", "--root-key", "root.key.pub", "--build-key", "build.key.pub",
        *release, "--threshold", f"release={threshold}", "--key", "root.key",
    )  # fmt: skip


@pytest.mark.night  # 14 seconds of a core; the unit tests of `trust` hold each kind against openssl
def test_signatures_of_every_kind_of_key_hold_for_openssl(project: Project) -> None:
    keys = [make_key(project.root, kind) for kind in KINDS]
    publics = [key.with_suffix(".key.pub") for key in keys]
    root_of(project, *publics, threshold=3)
    ticket = project.root / "app-1.ticket"

    project.run("release", "create", "app-1.mender", "--root", "root-1.txt")
    for key in keys:
        early = project.run("release", "verify", ticket, "--root", "root-1.txt", code=1)
        assert "error[T141]" in early.stderr
        project.run("release", "sign", ticket, "--key", key, "--root", "root-1.txt")
    shown = project.run(
        "release", "verify", ticket, "--root", "root-1.txt", "--artifact", "app-1.mender",
        "--format", "json",
    )  # fmt: skip

    made = signatures(ticket)
    assert list(made) == [key_id(public) for public in publics]
    for public in publics:
        assert holds(public, ticket, made[key_id(public)], project.root)
        assert not holds(public, project.root / "root-1.txt", made[key_id(public)], project.root)
    document = json.loads(shown.stdout)
    schema = json.loads((SCHEMAS / "ticket.v1.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["checked"] == ["signatures", "expiry", "artifact"]


def test_line_that_openssl_made_elsewhere_counts(project: Project) -> None:
    key = make_key(project.root, "ecdsa")
    public = key.with_suffix(".key.pub")
    root_of(project, public, threshold=1)
    ticket = project.root / "app-1.ticket"
    project.run("release", "create", "app-1.mender", "--root", "root-1.txt")

    signature = openssl("dgst", "-sha256", "-sign", key, ticket)
    line = f"sig {key_id(public)} {base64.b64encode(signature).decode()}\n"
    (project.root / "app-1.ticket.sig").write_text(line)

    project.run("release", "verify", ticket, "--root", "root-1.txt")
    ticket.write_text(ticket.read_text().replace("serial 1\n", "serial 2\n"))
    changed = project.run("release", "verify", ticket, "--root", "root-1.txt", code=1)
    assert "error[T141]" in changed.stderr


def test_passphrase_is_asked_for_and_seen_nowhere(project: Project) -> None:
    key = make_key(project.root, "ecdsa", secret=SECRET)
    root_of(project, key.with_suffix(".key.pub"), threshold=1)
    project.run("release", "create", "app-1.mender", "--root", "root-1.txt")
    words = ("release", "sign", "app-1.ticket", "--root", "root-1.txt", "--key", "ecdsa.key")
    environment = {**project.environment()}
    environment.pop("CI", None)

    def typed(secret: str) -> tuple[int, str]:
        seen = on_terminal(
            project.command(*words), {"passphrase of ecdsa.key: ": secret},
            cwd=project.root, env=environment,
        )  # fmt: skip
        assert secret not in seen.text
        return seen.code, seen.text

    unasked = project.run(*words, code=1)
    wrong, right = typed("wrong horse"), typed(SECRET)

    assert "--passphrase-file" in unasked.stderr
    assert wrong[0] == 1
    assert "cannot be decrypted" in wrong[1]
    assert right[0] == 0, right[1]
    project.run("release", "verify", "app-1.ticket", "--root", "root-1.txt")
    for path in project.root.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """A real SSH agent's socket."""
    socket = f"{tmp_path}/agent"
    with child(
        ("ssh-agent", "-D", "-a", socket), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it listens
        yield socket
        process.terminate()


def test_agent_signs_what_openssl_verifies(project: Project, agent: str) -> None:
    where = project.root
    keygen = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f", str(where / "id"))
    subprocess.run(keygen, check=True, timeout=60)
    environment = {**os.environ, "SSH_AUTH_SOCK": agent}
    subprocess.run(("ssh-add", "-q", str(where / "id")), check=True, env=environment, timeout=60)
    listed = subprocess.run(
        ("ssh-keygen", "-lf", str(where / "id.pub")), check=True, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    (where / "id").unlink()
    project.env["SSH_AUTH_SOCK"] = agent
    root_of(project, "id.pub", threshold=1)
    ticket = where / "app-1.ticket"

    project.run(
        "release", "create", "app-1.mender", "--root", "root-1.txt",
        "--key", f"agent:{listed.stdout.split()[1]}",
    )  # fmt: skip
    project.run("release", "verify", ticket, "--root", "root-1.txt")

    text = (where / "root-1.txt").read_text().split("key release ed25519 ")[1].split("\n")[0]
    public = where / "public.pem"
    der = base64.b64decode(text)
    public.write_bytes(openssl("pkey", "-pubin", "-inform", "DER", data=der))
    assert holds(public, ticket, signatures(ticket)[key_id(public)], where)


def test_root_goes_to_its_next_version_with_keys_of_both(project: Project) -> None:
    root_of(project, make_key(project.root, "ecdsa").with_suffix(".key.pub"), threshold=1)
    project.run("key", "generate", "next.key", "--kind", "ed25519")
    old_id = key_id(project.root / "root.key.pub")
    project.run(
        "root", "rotate", "root-1.txt", "--remove", old_id[:8], "--root-key", "next.key.pub",
        "--key", "next.key",
    )  # fmt: skip
    verify = ("root", "verify", "root-2.txt", "--previous", "root-1.txt", "--format", "json")

    refused = project.run(*verify, code=1)
    project.run("root", "sign", "root-2.txt", "--key", "root.key", "--previous", "root-1.txt")
    held = project.run(*verify)

    assert "error[T151]" in refused.stderr
    document = json.loads(held.stdout)
    schema = json.loads((SCHEMAS / "root.v1.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    assert document["verified"] is True
    made = signatures(project.root / "root-2.txt")
    for name in ("root", "next"):
        public = project.root / f"{name}.key.pub"
        assert holds(public, project.root / "root-2.txt", made[key_id(public)], project.root)
