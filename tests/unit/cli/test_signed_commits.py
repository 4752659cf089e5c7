"""What people see where rollouts start from signed commits alone."""

import json
from pathlib import Path

import jsonschema
import pytest

from orchestrator import api
from orchestrator.errors import ExitCode
from tests.in_process import run
from tests.unit.trust.git_repository import GitRepository

SCHEMAS = Path(__file__).parents[3] / "schemas"
PLAN = """\
schema: 1
name: site
hosts: all
artifact: ./site.mender
waves: [rest]
start_at: "2099-01-01T00:00:00Z"
gates: [{name: well, check: site, success_when: result.exit == 0}]
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch) -> GitRepository:
    """A project in a repository, and an operator who requires signed commits."""
    found = GitRepository(tmp_path)
    (found.root / "tree").mkdir()
    (found.root / "tree" / "index.html").write_text("hello")
    (found.root / "hosts.yml").write_text("webs: {hosts: {web1: {}}}\n")
    (found.root / "rollout.toml").write_text('inventory = ["hosts.yml"]\n')
    (found.root / ".gitignore").write_text(".rollout/\n")
    (found.root / "site.yml").write_text(PLAN)
    api.key_generate(found.outside / "release.key")
    request = api.BuildRequest(
        kind="directory", out=found.root / "site.mender", name="site-1.0", device_types=("web",),
        source=found.root / "tree", dest="/opt/site", sign_key=found.outside / "release.key",
    )  # fmt: skip
    api.artifact_build(request)
    user = tmp_path / "user.toml"
    user.write_text(f'require_signed_commit = true\nallowed_signers = "{found.allowed}"\n')
    monkeypatch.setenv("ROLLOUT_CONFIG", str(user))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(found.root)
    return found


def test_preview_names_commit_and_signer(repository, capsys) -> None:
    name = repository.commit()

    code, out, err = run(capsys, "preview site.yml --offline")
    _, document, _ = run(capsys, "preview site.yml --offline --format json")

    assert code == 0
    assert f"{name[:12]}, signed by ann@corp" in out
    assert "would refuse" not in err
    jsonschema.validate(json.loads(document), json.loads((SCHEMAS / "preview.v1.json").read_text()))
    commit = json.loads(document)["commit"]
    assert (commit["id"], commit["signer"]) == (name, "ann@corp")


def test_preview_says_why_apply_would_refuse(repository, capsys) -> None:
    repository.commit(sign=False)

    code, out, err = run(capsys, "preview site.yml --offline")

    assert code == 0
    assert "Commit" not in out
    assert "`rollout apply` would refuse this: commit `" in err
    assert err.endswith("is not signed (T184)\n")


def test_apply_refuses_before_it_asks(repository, capsys) -> None:
    repository.commit()
    assert run(capsys, "preview site.yml --offline --out ../outside/site.plan")[0] == 0
    repository.commit(sign=False)

    code, _, err = run(capsys, "apply ../outside/site.plan")

    assert code == ExitCode.REFUSED
    assert "is not signed" in err
    assert "T184" in err
    assert not (repository.root / ".rollout").exists()


def test_status_names_commit_and_signer(repository, capsys) -> None:
    name = repository.commit()
    assert run(capsys, "preview site.yml --offline --out ../outside/site.plan")[0] == 0

    assert run(capsys, "apply ../outside/site.plan --yes")[0] == ExitCode.WAITING
    _, out, _ = run(capsys, "status")
    _, document, _ = run(capsys, "status --format json")

    assert f"from commit {name[:12]}, signed by ann@corp" in out
    assert json.loads(document)["commit"]["id"] == name
    jsonschema.validate(json.loads(document), json.loads((SCHEMAS / "status.v1.json").read_text()))


def test_apply_of_somebody_who_is_no_operator_asks_nobody(repository, capsys, monkeypatch) -> None:
    repository.commit()
    monkeypatch.setenv("ROLLOUT_ROLES", "operator=somebody-else")

    code, out, err = run(capsys, "apply site.yml")

    assert code == ExitCode.REFUSED
    assert out == ""
    assert "has not the role `operator`, which this needs" in err
    assert "S220" in err
