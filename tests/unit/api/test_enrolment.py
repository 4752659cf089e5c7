from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.api.admin_values import EnrollRequest
from orchestrator.api.enrolment import _enrolled, _helper_user, device_enroll
from orchestrator.api.placing import placed_root
from orchestrator.api.plans import _reached
from orchestrator.api.values import Settings, Source
from orchestrator.device.model import Address, Device, DeviceId
from orchestrator.errors import PlanError, TrustError
from orchestrator.ssh.enroll import Action, Change, EnrolPlan
from orchestrator.testing.tickets import FLEET, CaseKeys, root_text, signed
from orchestrator.trust.keys import KeyKind, generate_key


def device(user: str, become: str | None = None) -> Device:
    return Device(DeviceId("gw"), Address("192.0.2.1", user=user, become=become))


@pytest.mark.parametrize(
    ("reached", "login", "account"),
    [
        (device("rollout"), "admin", "rollout"),
        (device("ota"), "admin", "ota"),
        (device("admin"), "admin", "rollout"),
        (device("admin"), None, "rollout"),
        (device("admin", "sudo"), "root", "rollout"),
    ],
)
def test_helper_never_answers_behind_the_administrators_account(
    reached: Device, login: str | None, account: str
) -> None:
    assert _helper_user(reached, login) == account


@pytest.mark.parametrize(
    ("tools", "detail"),
    [
        ("openssl,ssh-keygen", "enrolled already"),
        ("ssh-keygen", "enrolled already; it has no openssl: a build key must sign beside its tickets"),
        ("usign", "enrolled already; it has no openssl: an Ed25519 build key must sign beside its tickets"),
    ],
)  # fmt: skip
def test_enrolling_says_what_a_device_without_openssl_needs(tools: str, detail: str) -> None:
    plan = EnrolPlan((Change(Action.SAME, "verifier", tools),), (), ("ssh-ed25519 AAAA",))

    answer = _enrolled(device("rollout"), plan, "rollout")

    assert answer.detail == detail
    assert plan.verifiers == tuple(tools.split(","))


def test_plan_says_how_devices_are_reached_where_the_inventory_does_not() -> None:
    devices = [device("admin"), device("admin", "doas")]

    reached = _reached(devices, "sudo")

    assert [one.address.become for one in reached] == ["sudo", "doas"]
    assert _reached(devices, None) == tuple(devices)


@pytest.fixture(scope="module")
def keys() -> CaseKeys:
    return CaseKeys.make()


def placed(tmp_path: Path, text: bytes, signatures: bytes | None) -> Path:
    path = tmp_path / "root.txt"
    path.write_bytes(text)
    if signatures is not None:
        path.with_name("root.txt.sig").write_bytes(signatures)
    return path


def test_a_root_is_placed_as_it_was_signed(tmp_path: Path, keys: CaseKeys) -> None:
    text = root_text(keys)

    root = placed_root(placed(tmp_path, text, signed(text, *keys.root[:2])))

    assert root is not None
    assert (root.text, root.fleet, root.version) == (text, FLEET, 3)
    assert not root.needs_ed25519
    assert placed_root(None) is None


def test_a_root_that_its_own_keys_did_not_sign_is_not_placed(
    tmp_path: Path, keys: CaseKeys
) -> None:
    text = root_text(keys)

    with pytest.raises(TrustError) as few:
        placed_root(placed(tmp_path, text, signed(text, keys.root[0])))
    with pytest.raises(TrustError) as spoilt:
        placed_root(placed(tmp_path, text[:-1], signed(text, *keys.root[:2])))
    (tmp_path / "root.txt.sig").unlink()
    with pytest.raises(PlanError, match=r"root\.txt\.sig"):
        placed_root(placed(tmp_path, text, None))

    assert (few.value.code, spoilt.value.code) == ("T152", "T170")


@pytest.mark.parametrize(("need", "wanted"), [(1, False), (2, True)])
def test_a_root_needs_ed25519_where_no_other_keys_reach_its_threshold(
    tmp_path: Path, keys: CaseKeys, need: int, wanted: bool
) -> None:
    release = (keys.ed25519, keys.release[0])
    text = root_text(keys, release=release, threshold_release=need)

    root = placed_root(placed(tmp_path, text, signed(text, *keys.root[:2])))

    assert root is not None
    assert root.needs_ed25519 is wanted


def test_a_root_lacks_ed25519_in_roles_whose_thresholds_it_does_not_reach(
    tmp_path: Path, keys: CaseKeys
) -> None:
    """Only devices that check nothing else mind."""
    two = tuple(generate_key(KeyKind.ED25519) for _ in range(2))
    roles = {"root": (*keys.root[:2], *two), "release": (keys.ed25519, *keys.release)}
    built = replace(keys, build=generate_key(KeyKind.ED25519))
    found = []
    for number, (of, need) in enumerate(((keys, 2), (keys, 1), (built, 2))):
        text = root_text(of, **roles, threshold_release=need)
        (place := tmp_path / str(number)).mkdir()
        root = placed_root(placed(place, text, signed(text, *two)))
        assert root is not None
        found.append((root.ed25519_lacks, root.needs_ed25519))

    assert found == [
        (("release", "build"), False), (("build",), False), (("release",), False),
    ]  # fmt: skip


async def test_a_device_without_key_and_root_is_enrolled_by_nobody(
    tmp_path: Path, keys: CaseKeys
) -> None:
    settings = Settings(root=tmp_path, state="")
    request = EnrollRequest("all", Source(inventory=("gw,",)), keys=())
    text = root_text(keys)
    rooted = replace(settings, trust_root=placed(tmp_path, text, signed(text)))

    with pytest.raises(PlanError) as caught:
        await device_enroll(settings, request, lambda _answer: None)
    with pytest.raises(TrustError) as configured:  # unsigned: the settings' root was looked at
        await device_enroll(rooted, request, lambda _answer: None)

    assert caught.value.code == "D114"
    assert configured.value.code == "T170"
