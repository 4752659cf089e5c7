import ast
from pathlib import Path

import asyncssh

from orchestrator.ssh.profile import SshSettings, client_options, settings_of_user


def test_nobody_is_trusted_by_the_shared_options() -> None:
    options = client_options(SshSettings())

    assert options.known_hosts == ((), (), ())


def test_options_of_the_user_play_no_part() -> None:
    options = client_options(SshSettings())

    assert not options.agent_path
    assert options.agent_forward_path is None
    assert options.compression_algs == [b"none"]
    assert options.preferred_auth == ["publickey"]


def test_algorithms_are_known_to_the_library() -> None:
    """An unknown name would make the options refuse."""
    options = client_options(SshSettings())

    assert options.kex_algs[0] == b"mlkem768x25519-sha256"
    assert options.encryption_algs[-1] == b"aes256-ctr"


def test_user_settings_name_the_files_of_openssh() -> None:
    settings = settings_of_user(Path("/home/ann"), "ann", None)

    assert settings.known_hosts[0] == Path("/home/ann/.ssh/known_hosts")
    assert settings.default_keys[0] == Path("/home/ann/.ssh/id_ed25519")
    assert settings.user == "ann"


def test_library_has_the_fixed_version() -> None:
    """2.24.1 fixed writes outside of the target directory by a malicious server."""
    assert tuple(int(part) for part in asyncssh.__version__.split(".")) >= (2, 24, 1)


def test_no_files_are_fetched_from_devices_and_no_host_key_goes_unchecked() -> None:
    """SFTP and SCP clients write what a device names; `known_hosts=None` trusts everybody."""
    for source in Path("orchestrator").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            name = getattr(node, "attr", getattr(node, "id", ""))
            assert name not in ("scp", "start_sftp_client", "SFTPClient"), source
            if isinstance(node, ast.keyword) and node.arg == "known_hosts":
                assert not (isinstance(node.value, ast.Constant) and node.value.value is None), (
                    source
                )


def test_neither_sha_1_nor_what_terrapin_cuts_is_offered() -> None:
    """Terrapin works with ChaCha20-Poly1305, and with CBC where the MAC is over the ciphertext."""
    options = client_options(SshSettings())
    offered = [
        *options.kex_algs,
        *options.encryption_algs,
        *options.mac_algs,
        *options.signature_algs,
    ]

    assert not any(
        word in name for name in offered for word in (b"sha1", b"chacha", b"cbc", b"etm")
    )
    assert b"ssh-rsa" not in offered
