"""What commands write for people, on a narrow terminal that has no UTF-8: by the commands themselves.

Each text has a sheet of its own; this is that a command hands its width and its signs to it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.render.text import cells
from tests.in_process import empty_project, run, user_file
from tests.unit.cli.test_proposing import halted_project

WORD_CELLS_MAX = 30  # paths, addresses and digests stay in one piece
LINES = """\
validate site.yml
preview site.yml -i hosts.yml --offline
preview site.yml -i hosts.yml --offline --out site.plan
show
show site.plan
status
status --all
status --why web1
logs r-hand web1 --offline
retry --out fix.plan
rollback --out back.plan
fleet -i hosts.yml
drift -i hosts.yml --offline
inventory list -i hosts.yml
inventory graph -i hosts.yml
inventory host web1 -i hosts.yml
inventory explain web1 -i hosts.yml
inventory check -i hosts.yml
audit verify
config show
config show --origin
explain
explain S207 check_failed 5
artifact inspect site.mender
artifact verify site.mender --key release.key.pub
device check web1 -i hosts.yml
state migrate
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("narrow")
    halted_project(root)
    (root / "hosts.yml").write_text(
        "webs: {hosts: {'web[1:3]': {site: 'near the harbour, behind the second gate'}}}\n"
    )
    return root


def test_commands_keep_the_width_and_the_signs_of_the_terminal(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    empty_project(project, monkeypatch, columns_count=60)
    user_file(project).write_text(
        'people = ["ann@example.com=ops,security", "bob@example.com=ops,security"]\n'
    )
    monkeypatch.setenv("LC_ALL", "C")

    for words in LINES.splitlines():
        _, out, err = run(capsys, words)
        wide = [
            line
            for line in (out + err).splitlines()
            if cells(line) > 60 and max(map(cells, line.split())) <= WORD_CELLS_MAX
        ]
        assert wide == [], words
        assert (out + err).isascii(), words
        assert out, (words, err)
