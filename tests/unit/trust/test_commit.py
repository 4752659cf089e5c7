"""Signed commits: git and ssh-keygen make them, `git verify-commit` judges beside us."""

import time
from pathlib import PurePosixPath

import pytest

from orchestrator.errors import TrustError
from orchestrator.trust.allowed import read_allowed_signers
from orchestrator.trust.commit import Files, read_commit, signer_of_commit
from orchestrator.trust.errors import TrustRule
from orchestrator.trust.git import Repository, find_repository
from orchestrator.trust.revoked import Revoked, read_revoked
from tests.unit.trust.git_repository import GitRepository
from tests.unit.trust.ssh_keys import line

PGP = "-----BEGIN PGP SIGNATURE-----\n\niHUEABYKAB0W\n=abcd\n-----END PGP SIGNATURE-----"
X509 = "-----BEGIN SIGNED MESSAGE-----\nMIAGCSqG\n-----END SIGNED MESSAGE-----"

NOTHING = Revoked()


@pytest.fixture
def repository(tmp_path):
    found = GitRepository(tmp_path)
    (found.root / "plan.yml").write_text("name: site\n")
    return found


def signer(repository: GitRepository, name: str, revoked: Revoked = NOTHING) -> str:
    data = Repository(repository.root).read("commit", name)
    allowed = read_allowed_signers(repository.allowed.read_bytes(), "allowed")
    return signer_of_commit(
        read_commit(name, data), allowed=allowed, revoked=revoked, now=time.time()
    ).principal


def refused(repository: GitRepository, name: str, **more: Revoked) -> str:
    with pytest.raises(TrustError) as caught:
        signer(repository, name, **more)
    return caught.value.code


@pytest.mark.parametrize("options", [(), ("--object-format=sha256",)], ids=["sha1", "sha256"])
def test_signer_is_found_where_git_finds_one(tmp_path, options):
    repository = GitRepository(tmp_path, *options)

    name = repository.commit()

    assert repository.verifies(name)
    assert signer(repository, name) == "ann@corp"


def test_commit_of_nobody_who_may_sign_commits_is_refused_as_git_refuses_it(repository):
    by_bob = repository.commit("bob")
    assert not repository.verifies(by_bob)
    assert refused(repository, by_bob) == TrustRule.COMMIT_SIGNER

    repository.allowed.write_text(line("ann@corp", repository.keys.public("ann")))
    by_ann = repository.commit()
    assert not repository.verifies(by_ann), "ann may approve plans, and signs no commits"
    assert refused(repository, by_ann) == TrustRule.COMMIT_SIGNER


def test_commit_that_was_changed_after_signing_is_refused(repository):
    name = repository.commit()
    text = repository.git("cat-file", "commit", name) + "\n"
    changed = repository.check_out(text.replace("a\n\nb", "a\n\nc"))

    assert not repository.verifies(changed)
    assert refused(repository, changed) == TrustRule.COMMIT_SIGNER


def test_signer_that_was_revoked_is_refused(repository):
    revoked = read_revoked(f"{repository.keys.public('ann')}\n".encode(), "revoked")

    assert refused(repository, repository.commit(), revoked=revoked) == TrustRule.SIGNER_REVOKED


def test_signature_for_something_else_is_refused(repository):
    signature = repository.keys.sign("ann", repository.unsigned().encode(), "file").decode()
    name = repository.commit_with(signature)

    assert not repository.verifies(name)
    assert refused(repository, name) == TrustRule.SIGNATURE_NAMESPACE


@pytest.mark.parametrize(
    ("signature", "rule"),
    [
        (PGP, TrustRule.COMMIT_FOREIGN),
        (X509, TrustRule.COMMIT_FOREIGN),
        ("nonsense", TrustRule.SIGNATURE_FORM),
    ],
)
def test_other_signatures_are_not_read_and_never_count(repository, signature, rule):
    assert refused(repository, repository.commit_with(signature)) == rule


def test_unsigned_commit_is_refused(repository):
    assert refused(repository, repository.commit(sign=False)) == TrustRule.COMMIT_UNSIGNED


def test_second_signature_and_one_over_another_hash_are_refused(repository):
    for header in ("gpgsig-sha256", "gpgsig nonsense\ngpgsig"):
        name = repository.commit_with(PGP, header)
        assert refused(repository, name) == TrustRule.GIT_OBJECT


def test_object_that_was_replaced_is_read_as_it_was(repository):
    good = repository.commit()
    bad = repository.commit(sign=False)
    repository.git("replace", bad, good)

    assert refused(repository, bad) == TrustRule.COMMIT_UNSIGNED


def test_object_that_is_not_what_its_name_says_is_refused(repository):
    good, bad = repository.commit(), repository.commit(sign=False)
    objects = repository.root / ".git" / "objects"
    there, other = (objects / name[:2] / name[2:] for name in (bad, good))
    there.chmod(0o600)
    there.write_bytes(other.read_bytes())

    assert refused(repository, bad) == TrustRule.GIT_OBJECT


def test_files_of_a_commit_are_found_by_path(repository):
    (repository.root / "inventory" / "group_vars").mkdir(parents=True)
    (repository.root / "inventory" / "group_vars" / "all.yml").write_text("a: 1\n")
    (repository.root / "inventory" / "link.yml").symlink_to("group_vars/all.yml")
    name = repository.commit()
    reader = Repository(repository.root)
    files = Files(read_commit(name, reader.read("commit", name)), reader.read)

    below = {str(path) for path in files.below(PurePosixPath("inventory"))}
    entry = files.entry(PurePosixPath("plan.yml"))

    assert below == {"inventory/group_vars/all.yml", "inventory/link.yml"}
    assert entry is not None
    assert reader.read("blob", entry.name) == b"name: site\n"
    assert files.entry(PurePosixPath("plan.yml/below")) is None
    assert list(files.below(PurePosixPath("elsewhere"))) == []


def test_nothing_of_the_repository_is_run(repository):
    """Hooks, a monitor and filters that would leave a trace."""
    trace = repository.outside / "trace"
    program = repository.outside / "program"
    program.write_text(f"#!/bin/sh\ntouch {trace}\ncat\n")
    program.chmod(0o755)
    name = repository.commit()
    (repository.root / ".gitattributes").write_text("* filter=odd\n")
    for key in ("core.fsmonitor", "filter.odd.clean", "filter.odd.smudge", "core.sshCommand",
                "core.pager", "gpg.ssh.program", "core.editor", "alias.rev-parse"):  # fmt: skip
        repository.git("config", key, str(program))

    found = find_repository(repository.root / "plan.yml")
    found.read("commit", found.head())

    assert found.head() == name
    assert not trace.exists()


def test_work_tree_that_lies_elsewhere_is_no_repository_of_the_plan(repository):
    (repository.root / "plans").mkdir()
    repository.git("config", "core.worktree", str(repository.root / "plans"))

    with pytest.raises(TrustError) as caught:
        find_repository(repository.root / "plan.yml")

    assert caught.value.code == TrustRule.NO_REPOSITORY


def test_environment_chooses_no_other_repository(repository, tmp_path, monkeypatch):
    name = repository.commit()
    (tmp_path / "other").mkdir()
    other = GitRepository(tmp_path / "other")
    other.commit()
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other.root / ".git" / "objects"))

    assert find_repository(repository.root / "plan.yml").head() == name


def test_name_that_is_no_hash_is_not_handed_to_git(repository):
    for name in ("HEAD", "-p", "A" * 40, ""):
        with pytest.raises(TrustError) as caught:
            Repository(repository.root).read("commit", name)
        assert caught.value.code == TrustRule.GIT_OBJECT
