"""Roots from their first keys to the version that follows."""

from dataclasses import replace

import pytest

from orchestrator import api
from orchestrator.errors import TrustError
from orchestrator.trust import KeyKind, generate_key, save_public_key


def code_of(function, *given, **more):
    with pytest.raises(TrustError) as caught:
        function(*given, **more)
    return caught.value.code


def kinds(facts, role):
    (found,) = (each for each in facts.roles if each.role == role)
    return [key_id for _, key_id in found.keys]


def test_first_root_begins_as_a_draft_and_grows(kit):
    path = kit.where / "root-1.txt"
    request = api.RootRequest(
        add=(("root", kit.public("ann")), ("build", kit.public("build"))), thresholds={"release": 2}
    )

    drafted = api.root_init("acme-prod", request)
    before = code_of(api.root_sign, path, kit.signer("ann"))
    grown = api.root_add(path, "release", [kit.public("rel1"), kit.public("rel2")])
    signed = api.root_sign(path, kit.signer("ann"))

    assert (drafted.path, drafted.version, drafted.is_draft) == ("root-1.txt", 1, True)
    assert before == "T173"
    assert not grown.is_draft
    assert sorted(kinds(grown, "release")) == sorted([kit.key_id("rel1"), kit.key_id("rel2")])
    assert [needed.missing_count for needed in signed.needed] == [0]
    assert api.root_verify(path).verified


def test_signed_root_is_not_changed_any_more(kit):
    path = kit.root(signed_by=("ann",))

    assert code_of(api.root_add, path, "release", [kit.public("new")]) == "T154"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"thresholds": {"root": 0}}, "T173"),
        ({"thresholds": {"root": 17}}, "T173"),
        ({"thresholds": {"build": 2}}, "T173"),
        ({"thresholds": {"admin": 1}}, "T153"),
        ({"add": (("admin", "ann"),)}, "T153"),
        ({"add": (("root", "ann"), ("release", "ann"))}, "T174"),
        ({"add": (("root", "none"),)}, "T100"),
    ],
)
def test_root_that_devices_could_not_use_is_not_written(kit, changes, code):
    save_public_key(generate_key(KeyKind.ED25519).verification, kit.where / "ed25519.key.pub")
    kit.key("ann")
    names = tuple((role, f"{name}.key.pub") for role, name in changes.pop("add", ()))

    assert code_of(api.root_init, "acme-prod", api.RootRequest(add=names, **changes)) == code
    assert not (kit.where / "root-1.txt").exists()


def test_build_keys_may_be_ed25519_where_another_one_signs_artifacts(kit):
    """It signs beside tickets, for devices that check nothing else; a draft may begin with it."""
    ed25519 = generate_key(KeyKind.ED25519).verification
    save_public_key(ed25519, kit.where / "ed.key.pub")
    path = kit.where / "root-1.txt"
    keys = (("root", kit.public("ann")), ("release", kit.public("rel")), ("build", "ed.key.pub"))
    request = api.RootRequest(add=keys, sign_with=(kit.signer("ann"),))

    with pytest.raises(TrustError, match="no build key of the root signs artifacts") as refused:
        api.root_init("acme-prod", request)
    assert "`--build-key PUB`" in refused.value.hint  # there is no file to add one to
    assert not path.exists()
    api.root_init("acme-prod", replace(request, sign_with=()))
    assert code_of(api.root_sign, path, kit.signer("ann")) == "T153"
    api.root_add(path, "build", [kit.public("build")])
    signed = api.root_sign(path, kit.signer("ann"))

    assert sorted(kinds(signed, "build")) == sorted([ed25519.fingerprint, kit.key_id("build")])
    assert api.root_verify(path).verified
    gone = api.RootRequest(remove=(kit.key_id("build"),), sign_with=(kit.signer("ann"),))
    assert code_of(api.root_rotate, path, gone) == "T153"


def test_fleet_has_a_name(kit):
    assert code_of(api.root_init, "two words", api.RootRequest()) == "T172"


def test_draft_is_not_signed_and_so_not_written_by_init_with_a_key(kit):
    request = api.RootRequest(add=(("root", kit.public("ann")),), sign_with=(kit.signer("ann"),))

    assert code_of(api.root_init, "acme-prod", request) == "T173"
    assert not (kit.where / "root-1.txt").exists()


def test_root_keys_sign_and_no_others(kit):
    path = kit.root(signed_by=("ann",))

    assert code_of(api.root_sign, path, kit.signer("rel1")) == "T163"
    assert code_of(api.root_verify, path) == "T152"
    assert api.root_sign(path, kit.signer("bob")).needed[0].missing_count == 0
    assert api.root_verify(path).verified


def test_root_that_nobody_signed_verifies_nothing(kit):
    assert code_of(api.root_verify, kit.root(signed_by=())) == "T152"


def test_rotation_wants_root_keys_of_both_versions(kit):
    old = kit.root()
    request = api.RootRequest(
        add=(("root", kit.public("carla")),), remove=(kit.key_id("bob")[:10],)
    )

    made = api.root_rotate(old, request)
    new = kit.where / "root-2.txt"
    api.root_sign(new, kit.signer("ann"), previous=old)
    api.root_sign(new, kit.signer("carla"), previous=old)
    alone, as_rotation = api.root_verify(new), code_of(api.root_verify, new, previous=old)
    signed = api.root_sign(new, kit.signer("bob"), previous=old)

    assert (made.version, [each.root_version for each in made.needed]) == (2, [1, 2])
    assert alone.verified
    assert as_rotation == "T151"
    assert [each.missing_count for each in signed.needed] == [0, 0]
    assert api.root_verify(new, previous=old).verified


def test_thresholds_stay_unless_others_are_asked_for(kit):
    request = api.RootRequest(thresholds={"release": 3})

    made = api.root_rotate(kit.root(), request)

    assert {each.role: each.threshold for each in made.roles} == {
        "root": 2, "release": 3, "build": 1,
    }  # fmt: skip


def test_only_a_signed_root_is_rotated(kit):
    assert code_of(api.root_rotate, kit.root(signed_by=()), api.RootRequest()) == "T152"


@pytest.mark.parametrize("prefix", ["", "0000000000", "short"])
def test_key_to_remove_is_named_by_enough_of_its_id(kit, prefix):
    prefix = kit.key_id("bob")[:7] if prefix == "short" else prefix

    assert code_of(api.root_rotate, kit.root(), api.RootRequest(remove=(prefix,))) == "T163"


def test_version_before_is_really_the_one_before(kit):
    old = kit.root()
    request = api.RootRequest(sign_with=(kit.signer("ann"), kit.signer("bob")))
    for _ in range(2):
        made = api.root_rotate(old if not (kit.where / "root-2.txt").exists() else
                               kit.where / "root-2.txt", request)  # fmt: skip

    assert made.version == 3
    third = kit.where / "root-3.txt"
    assert code_of(api.root_show, third, previous=old) == "T150"
    assert code_of(api.root_sign, third, kit.signer("ann"), previous=old) == "T150"
    assert api.root_show(third, previous=kit.where / "root-2.txt").needed[0].missing_count == 0
