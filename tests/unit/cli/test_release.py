"""`rollout release` and `rollout root`: what they print, where, and how they end."""

import getpass
import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.cli import signing
from orchestrator.cli.app import invoke
from orchestrator.errors import OrchestratorError, TrustError
from tests.in_process import empty_project, run, user_file


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch, capsys) -> Path:
    empty_project(tmp_path, monkeypatch, columns_count=120)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "run").write_text("#!/bin/sh\n")
    for name in ("root", "release", "build"):
        assert invoke(["key", "generate", f"{name}.key"]) == 0
    build = "artifact build directory tree --dest /opt/app -n app-1.0 -t lab -o app-1.0.mender"
    assert invoke([*build.split(), "--key", "build.key"]) == 0
    init = "root init lab --root-key root.key.pub --release-key release.key.pub"
    assert invoke([*init.split(), "--build-key", "build.key.pub", "--key", "root.key"]) == 0
    capsys.readouterr()
    return tmp_path


def test_release_goes_from_create_to_verify(fleet, capsys) -> None:
    made = run(capsys, "release create app-1.0.mender --root root-1.txt --open 50%@2h --serial 7")
    verify = "release verify app-1.0.ticket --root root-1.txt"
    unsigned = run(capsys, verify)
    signed = run(capsys, "release sign app-1.0.ticket --root root-1.txt --key release.key")
    more = "--artifact app-1.0.mender --device-type lab --at 1d --format json"
    held = run(capsys, f"{verify} {more} --device lab-03")  # bucket 14 of serial 7
    later = run(capsys, f"{verify} {more} --device lab-01")  # bucket 91

    assert (made[0], unsigned[0], signed[0], held[0], later[0]) == (0, 1, 0, 0, 1)
    assert "serial 7" in made[1]
    assert made[2].startswith("next: 1 more signature of release keys of root version 1: rollout")
    assert unsigned[1] == ""
    assert "error[T141]" in unsigned[2]
    assert json.loads(held[1])["checked"][-1] == "open for the device"
    assert "error[T148]" in later[2]


def test_quiet_says_nothing_beside_the_result(fleet, capsys) -> None:
    code, out, err = run(capsys, "release create app-1.0.mender --root root-1.txt -q")

    assert (code, err) == (0, "")
    assert out.startswith("ticket       app-1.0.ticket\n")


def test_fleet_comes_from_the_configuration_where_no_root_is_named(fleet, capsys) -> None:
    user_file(fleet).write_text('fleet = "elsewhere"\n')

    own = run(capsys, "release create app-1.0.mender -o own.ticket")
    rooted = run(capsys, "release create app-1.0.mender --root root-1.txt -o rooted.ticket")

    assert "app-1.0 for elsewhere, serial 1" in own[1]
    assert "app-1.0 for lab, serial 1" in rooted[1]


def test_root_rotates_with_other_keys(fleet, capsys) -> None:
    run(capsys, "key generate second.key --kind ed25519")
    key_id = json.loads(run(capsys, "key show release.key.pub --format json")[1])["fingerprint"]

    made = run(
        capsys, f"root rotate root-1.txt --remove {key_id[:12]} --release-key second.key.pub"
        " --key root.key",
    )  # fmt: skip
    held = run(capsys, "root verify root-2.txt --previous root-1.txt --format json")
    shown = run(capsys, "root show root-2.txt")

    assert (made[0], held[0], shown[0]) == (0, 0, 0)
    assert json.loads(held[1])["verified"] is True
    assert "ed25519" in shown[1]
    assert key_id not in shown[1]


def test_draft_asks_for_the_keys_that_are_missing(fleet, capsys) -> None:
    code, out, err = run(capsys, "root init other --root-key root.key.pub -o other.txt")
    added = run(capsys, "root add other.txt release release.key.pub")

    assert (code, added[0]) == (0, 0)
    assert "a draft" in out
    assert err == "next: rollout root add other.txt release PUB  (1 more)\n"
    assert added[2] == "next: rollout root add other.txt build PUB  (1 more)\n"


@pytest.mark.parametrize("threshold", ["root", "root=", "root=two", "root=-1", "=2"])
def test_threshold_is_a_role_and_a_number(fleet, capsys, threshold) -> None:
    code, _, err = run(capsys, f"root init x --threshold {threshold}")

    assert code == 2
    assert "--threshold" in err


def test_encrypted_key_signs_with_a_file_and_refuses_where_nobody_can_be_asked(
    fleet, capsys
) -> None:
    (fleet / "secret").write_text("open sesame\n")
    made = run(capsys, "key generate ann.key --encrypt --passphrase-file secret --kind ed25519")
    run(capsys, "root init x --root-key ann.key.pub --release-key release.key.pub -o x.txt")
    run(capsys, "root add x.txt build build.key.pub")

    refused = run(capsys, "root sign x.txt --key ann.key --no-input")
    signed = run(capsys, "root sign x.txt --key ann.key --passphrase-file secret")

    assert made[0] == 0
    assert "ENCRYPTED" in (fleet / "ann.key").read_text()
    assert refused[0] == 1
    assert "--passphrase-file" in refused[2]
    assert signed[0] == 0
    assert all("sesame" not in text for done in (made, refused, signed) for text in done[1:])


def test_encrypted_keys_sign_artifacts_too_and_show_their_public_part(fleet, capsys) -> None:
    (fleet / "secret").write_text("open sesame\n")
    run(capsys, "key generate ann.key --passphrase-file secret")
    build = "artifact build directory tree --dest /opt/app -n app-2.0 -t lab --key ann.key -o"

    refused = run(capsys, f"{build} a.mender --no-input")
    built = run(capsys, f"{build} a.mender --passphrase-file secret")
    run(capsys, "artifact build directory tree --dest /opt/app -n b -t lab -o b.mender")
    signed = run(capsys, "artifact sign b.mender --key ann.key --passphrase-file secret")
    shown = run(capsys, "key show ann.key")

    assert (refused[0], built[0], signed[0], shown[0]) == (1, 0, 0, 1)
    assert "--passphrase-file" in refused[2]
    assert "`ann.key.pub`" in shown[2]
    assert run(capsys, "artifact verify a.mender --key ann.key.pub")[0] == 0
    assert run(capsys, "artifact verify b.mender --key ann.key.pub")[0] == 0


def typed(monkeypatch, *answers: str) -> list[str]:
    """Somebody at a terminal who types these; gives what they were asked for."""
    asked: list[str] = []
    left = list(answers)

    def ask(prompt: str) -> str:
        asked.append(prompt)
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr(getpass, "getpass", ask)
    return asked


def test_new_passphrase_is_asked_for_twice(asking, monkeypatch) -> None:
    asked = typed(monkeypatch, "sesame", "sesame", "sesame", "sesam")

    assert signing.new_passphrase(asking, Path("a.key"), None) == b"sesame"
    with pytest.raises(OrchestratorError, match="not the same"):
        signing.new_passphrase(asking, Path("a.key"), None)
    assert asked[:2] == ["passphrase of a.key: ", "passphrase of a.key, once more: "]


def test_person_who_gives_no_passphrase_gets_no_signature(asking, monkeypatch, tmp_path) -> None:
    api.key_generate(tmp_path / "k", passphrase=b"sesame")
    asked = typed(monkeypatch, "wrong")
    (signer,) = signing.signers(asking, [str(tmp_path / "k")], signing.Unlocking())
    request = api.RootRequest(
        tmp_path / "root.txt",
        tuple((role, str(tmp_path / name)) for role, name in
              (("root", "k.pub"), ("release", "r.pub"), ("build", "b.pub"))),
        sign_with=(signer,),
    )  # fmt: skip
    for name in ("r", "b"):
        api.key_generate(tmp_path / name)

    with pytest.raises(TrustError, match="cannot be decrypted"):
        api.root_init("lab", request)
    with pytest.raises(OrchestratorError, match="was not given"):
        api.root_init("lab", request)

    assert len(asked) == 2
    assert not (tmp_path / "root.txt").exists()


def test_nobody_is_asked_who_cannot_answer(session) -> None:
    (signer,) = signing.signers(session, ["k"], signing.Unlocking())

    assert signer.unlock.ask is None
    with pytest.raises(TrustError, match="nobody can be asked"):
        signing.new_passphrase(replace(session, may_ask=False), Path("k"), None)
