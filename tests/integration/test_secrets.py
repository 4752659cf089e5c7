"""Secrets stand in every place that may hold one, and in nothing that is shown, written or stored.

The servers are of the worst kind: they answer with what they were sent. The device does not answer, so that
a rollout begins, fails and is told of in every form without a lab.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes, hmac, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orchestrator import api
from orchestrator.cli.app import invoke
from orchestrator.errors import ExitCode, OrchestratorError
from orchestrator.trust.vault_cipher import derived
from tests.in_process import empty_project, user_file
from tests.loopback import free_port

PLACES = (
    "vault password", "vaulted file", "vaulted value", "become password", "ssh password",
    "passphrase variable", "gate token", "hook secret", "mail password", "state password",
    "key passphrase", "server token", "program variable", "environment", "git password",
    "variable by its name",
)  # fmt: skip
FORMS = (
    "text", "json", "markdown", "github", "gitlab", "gitlab-terraform", "junit", "sarif",
)  # fmt: skip
PLAN = """\
schema: 1
name: site
hosts: all
artifact: ./site.mender
waves: [1, rest]
offline: {{policy: fail}}
retries: {{count: 0}}
gates:
  - {{name: errors, stage: preflight, prometheus: {{url: "{origin}", query: up}}, success_when: value < 9,
     count: 1, consecutive_error_limit: 0}}
  - {{name: page, stage: preflight, http: {{url: "{origin}/page", value: /a}}, success_when: result.value == 1,
     count: 1, consecutive_error_limit: 0}}
hooks:
  - {{events: [started, paused, inconclusive, halted, aborted, failed], http: "{origin}/hook"}}
  - {{events: [rolled_back], email: fleet@example.org}}
"""
HOSTS = """\
webs:
  hosts:
    web1: {{ansible_host: 127.0.0.1, ansible_port: {port}, rollout_host_keys: ["{pins[0]}"]}}
    web2:
      ansible_host: 127.0.0.1
      ansible_port: {port}
      rollout_host_keys: ["{pins[1]}"]
      ansible_become_password: "{become}"
  vars:
    ansible_ssh_pass: "{ssh}"
    ansible_ssh_passphrase: "{passphrase}"
    snmp: {{community: public, authPass: "{named}"}}
    db_password: "{named}"
    token: !vault |
{vault}
"""


class Echo:
    """Answers each request with all that was in it, as an error where the asker knows errors."""

    def __init__(self) -> None:
        echo = self
        self.paths: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                echo.paths.append(self.path.partition("?")[0])
                said = " ".join(f"{name}={value}" for name, value in self.headers.items())
                answer: dict[str, object] = {"status": "error", "errorType": said, "error": said}
                if self.path.startswith("/hosts"):
                    answer = {"fleet": {"hosts": ["web3"], "vars": {"ansible_port": 1}}}
                self.answer(200 if self.path.startswith("/hosts") else 503, answer)

            def do_POST(self) -> None:
                echo.paths.append(self.path)
                self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(200, dict(self.headers.items()))

            def answer(self, status: int, document: object) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


class Planted:
    """A project with a secret in every place, and everything that was said since."""

    def __init__(self, root: Path, echo: Echo, capsys, patch: pytest.MonkeyPatch) -> None:
        self.root, self.capsys, self.patch = root, capsys, patch
        self.secrets = {place: f"{secrets.token_hex(8)}Zq" for place in PLACES}
        self.hidden = root.parent / "hidden"
        self.hidden.mkdir()
        self.sources: set[Path] = set()
        self.said: dict[str, str] = {}
        self.codes: dict[str, int] = {}
        self._write(echo)

    def _write(self, echo: Echo) -> None:
        of = self.secrets
        files = {
            "vault": of["vault password"], "gate": of["gate token"], "server": of["server token"],
            "mail": f"ann\n{of['mail password']}", "phrase": of["key passphrase"],
        }  # fmt: skip
        for name, text in files.items():
            (self.hidden / name).write_text(f"{text}\n")
            (self.hidden / name).chmod(0o600)
        for name, place in {"HOOK": "hook secret", "CMDB": "program variable",
                            "AWS_SECRET_ACCESS_KEY": "environment"}.items():  # fmt: skip
            self.patch.setenv(name, of[place])
        vaulted = sealed(of["vaulted value"], of["vault password"])
        vault = "".join(f"      {line}\n" for line in vaulted.splitlines())
        self._source("hosts.yml", HOSTS.format(
            port=free_port(), pins=[pin(), pin()], become=of["become password"], ssh=of["ssh password"],
            passphrase=of["passphrase variable"], vault=vault, named=of["variable by its name"],
        ))  # fmt: skip
        (self.root / "group_vars").mkdir()
        whole = sealed(f"api_key: {of['vaulted file']}\n", of["vault password"])
        (self.root / "group_vars/all.yml").write_text(whole)
        (self.root / "site.yml").write_text(PLAN.format(origin=echo.origin))
        (self.root / "leak.yml").write_text(
            PLAN.format(origin=echo.origin).replace("/page", "/{{ api_key }}/{{ token }}")
        )
        (self.root / "tree").mkdir()
        (self.root / "tree/index.html").write_text("hello")
        program = self.hidden / "list.sh"
        program.write_text('#!/bin/sh\nprintf \'{"extra": {"hosts": ["web4"]}, "cmdb": []}\'\n')
        program.chmod(0o755)
        user_file(self.root).write_text(
            f'vault_passwords = ["{self.hidden}/vault"]\n'
            f'gate_tokens = ["{echo.origin}=file:{self.hidden}/gate"]\n'
            f'hook_secrets = ["{echo.origin}=env:HOOK"]\n'
            f'mail_server = "smtp+starttls://127.0.0.1:{free_port()}"\nmail_from = "r@example.org"\n'
            f'mail_login = "{self.hidden}/mail"\n'
            f'inventory_servers = ["{echo.origin}=file:{self.hidden}/server"]\n'
            f'inventory_programs = ["{program}"]\ninventory_program_env = ["CMDB"]\n'
        )

    def _source(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)
        self.sources.add(self.root / name)

    def run(self, words: str) -> int:
        code = invoke(words.split())
        shown = self.capsys.readouterr()
        self.codes[words] = code
        self.said[f"stdout of {words}"], self.said[f"stderr of {words}"] = shown.out, shown.err
        return code

    def leaks(self) -> list[str]:
        """Where which secret is, in the words that it may stand in."""
        found = {name: text.encode() for name, text in self.said.items()}
        for path in self.root.parent.rglob("*"):
            if path.is_file() and path not in self.sources and self.hidden not in path.parents:
                found[str(path.relative_to(self.root.parent))] = path.read_bytes()
        return [
            f"{place} in {name}"
            for place, secret in self.secrets.items()
            for name, data in found.items()
            if any(word in data for word in spellings(secret))
        ]


def spellings(secret: str) -> list[bytes]:
    """The secret, and how others write it: in Base64 at each of three places, for an address, in hex."""
    raw = secret.encode()
    shifted = (base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4] for shift in range(3))
    return [raw, *shifted, quote(secret, safe="").encode(), binascii.hexlify(raw)]


def pin() -> str:
    """The host key of a device that never answers."""
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def sealed(text: str, password: str) -> str:
    """As `ansible-vault encrypt` would."""
    salt = secrets.token_bytes(32)
    keys = derived(password.encode(), salt)
    padder = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(keys[:32]), modes.CTR(keys[64:])).encryptor()
    ciphertext = cipher.update(padder.update(text.encode()) + padder.finalize()) + cipher.finalize()
    code = hmac.HMAC(keys[32:64], hashes.SHA256())
    code.update(ciphertext)
    inner = b"\n".join(binascii.hexlify(part) for part in (salt, code.finalize(), ciphertext))
    return f"$ANSIBLE_VAULT;1.1;AES256\n{binascii.hexlify(inner).decode()}\n"


@pytest.fixture
def planted(tmp_path: Path, echo: Echo, capsys, monkeypatch: pytest.MonkeyPatch) -> Planted:
    root = tmp_path / "project"
    root.mkdir()
    empty_project(root, monkeypatch)
    for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.setenv(name, str(tmp_path / name))
    return Planted(root, echo, capsys, monkeypatch)


def test_secrets_reach_no_output_file_or_store(planted: Planted, echo: Echo) -> None:
    run, phrase = planted.run, planted.hidden / "phrase"
    build = "artifact build directory tree --dest /opt/site -n site-1.0 -t web -o site.mender"
    sources = f"-i hosts.yml -i {planted.hidden}/list.sh -i {echo.origin}/hosts"

    assert run(f"key generate release.key --passphrase-file {phrase}") == 0
    assert run(f"{build} --key release.key --passphrase-file {phrase} -v") == 0
    for words in (
        f"validate site.yml leak.yml {sources} -v", f"inventory list {sources}",
        f"inventory graph {sources}", f"inventory check {sources}", f"hosts all {sources} -v",
        "inventory host web2 -i hosts.yml", "inventory explain web2 -i hosts.yml",
        "inventory explain web2 api_key -i hosts.yml", "inventory host web2 -i hosts.yml --format json",
        f"preview leak.yml {sources} --offline -v", f"preview site.yml {sources} -v",
        "preview site.yml -i hosts.yml --offline --out site.plan", "device check all -i hosts.yml -v",
        "config show --origin", "config show --format json", "fleet -i hosts.yml",
        *(f"preview site.plan --format {form}" for form in FORMS),
    ):  # fmt: skip
        run(words)
    run("apply site.plan --yes --events events.jsonl -v")
    run("abort --reason over --events -")
    for words in (
        "status", "status --format json", "status --why web1", "status --all", "logs r- web1",
        "events", "events --format text", "report --html report.html", "report --format json",
        "show --format json", "state export", "state backup copy.db", "audit verify -v",
        "fleet -i hosts.yml --format json", "drift -i hosts.yml --offline -v",
        f"reconcile --once --git https://ann:{planted.secrets['git password']}@127.0.0.1:9/x.git -v",
    ):  # fmt: skip
        run(words)

    assert planted.leaks() == []
    assert planted.codes["abort --reason over --events -"] == ExitCode.HALTED  # so it was begun
    assert any("(hidden)" in said for said in planted.said.values())
    assert {"/hook", "/api/v1/query", "/hosts"} <= set(echo.paths)


def test_password_of_a_state_store_is_in_no_message_and_no_traceback(planted: Planted) -> None:
    password = planted.secrets["state password"]
    address = f"postgresql://ann:{password}@127.0.0.1:{free_port()}/fleet"
    planted.patch.setenv("ROLLOUT_STATE", address)

    for words in (
        "status -v",
        "config show --origin",
        "state migrate",
        "preview site.yml -i hosts.yml --offline -v",
    ):
        planted.run(words)
    try:
        asyncio.run(api.status(api.Settings(root=planted.root, state=address), None))
    except OrchestratorError as error:
        planted.said["traceback"] = "".join(traceback.format_exception(error))

    assert "Traceback" in planted.said["traceback"]
    assert planted.leaks() == []
