"""Documents against the code: closed sets, the code map, links, and who runs the command blocks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator import api
from orchestrator.device.reason import CLASS_OF, FailureClass, Reason
from orchestrator.errors import ExitCode

REPOSITORY = Path(__file__).parents[2]
# Each document with `sh` blocks, and the test that runs all of them.
RUN_BY = {
    "README.md": "tests/docs/test_readme.py",
    "docs/reference/commands.md": "tests/docs/test_commands_page.py",
    "docs/reference/modules.md": "tests/docs/test_modules_page.py",
    "docs/how-to/audit.md": "tests/docs/test_audit_page.py",
    "docs/tutorial.md": "tests/docs/test_lab_pages.py",
    "docs/how-to/from-ansible.md": "tests/docs/test_lab_pages.py",
    "docs/how-to/stuck-device.md": "tests/docs/test_lab_pages.py",
    "docs/how-to/from-mender.md": "tests/docs/test_mender_page.py",
    "docs/how-to/air-gapped.md": "tests/docs/test_trust_pages.py",
    "docs/how-to/rotate-keys.md": "tests/docs/test_trust_pages.py",
    "docs/first-host.md": "tests/integration/test_first_host.py",
    "docs/how-to/from-rauc.md": "tests/integration/test_rauc_on_lab.py",
    "docs/how-to/from-swupdate.md": "tests/integration/test_swupdate_on_lab.py",
    "docs/how-to/enroll.md": "tests/integration/test_enroll_page.py",
    "docs/how-to/watch.md": "tests/integration/test_watch.py",
    "docs/how-to/release.md": "tests/docs/test_release_page.py",
    "docs/how-to/tokens.md": "tests/device/test_tokens.py",
    "docs/how-to/fleet.md": "tests/docs/test_fleet_page.py",
    "docs/how-to/helper.md": "tests/integration/test_helper_on_lab.py",
    "docs/how-to/evidence.md": "tests/docs/test_evidence_page.py",
    "docs/how-to/report.md": "tests/docs/test_report_page.py",
    "docs/how-to/review.md": "tests/docs/test_review_page.py",
    "docs/explanation/waves.md": "tests/docs/test_waves_explained.py",
}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def documents() -> list[str]:
    """Every Markdown file of the project."""
    found = [
        path for kind in ("*.md", "docs/**/*.md", "changes/*.md") for path in REPOSITORY.glob(kind)
    ]
    assert REPOSITORY / "README.md" in found
    return sorted(str(path.relative_to(REPOSITORY)) for path in found)


def text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def first_cells(table: str) -> list[str]:
    """First cells of the rows of a table, without heading and rule."""
    return [row.split("|")[1].strip() for row in table.splitlines() if row.startswith("|")][2:]


def anchors(document: str) -> set[str]:
    """The places in a document that a link may name, as GitHub makes them."""
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(document))
    return {title.strip().replace(" ", "-") for title in plain}


def test_every_reason_code_is_explained_once_and_in_order() -> None:
    table = text("docs/reference/reasons.md").partition("## Classes")[0]
    codes = [cell.strip("`") for cell in first_cells(table)]

    assert codes == [str(reason) for reason in Reason]


def test_every_class_of_failures_is_explained_with_its_codes() -> None:
    rows = text("docs/reference/reasons.md").partition("## Classes")[2]
    told = re.findall(r"^\| `(\w+)` \|[^|]*\| (.*) \|$", rows, re.MULTILINE)
    members = {
        group: ", ".join(f"`{code}`" for code in CLASS_OF if CLASS_OF[code] is group)
        for group in FailureClass
    }

    assert told == [(str(group), codes) for group, codes in members.items()]


def test_every_exit_code_is_explained_by_its_name() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", text("docs/reference/exit-codes.md"), re.MULTILINE)

    assert rows == [(str(int(code)), code.name.lower()) for code in ExitCode]


def test_every_code_of_a_finding_is_explained_and_only_those() -> None:
    pattern = re.compile(r"\b[A-Z]\d{3}\b")
    literal = re.compile(r"\"([A-Z]\d{3})\"")
    sources = (REPOSITORY / "orchestrator").rglob("*.py")
    used = {code for path in sources for code in literal.findall(path.read_text())}
    where = ("docs/reference/", "docs/how-to/audit.md")
    pages = (text(name) for name in documents() if name.startswith(where))
    explained = {code for page in pages for code in pattern.findall(page)}

    assert used <= explained, sorted(used - explained)
    gone = {code for code in explained - used if code[0] in "ACDEGIJPSTY"}
    assert gone == set(), sorted(gone)


def test_every_code_of_a_finding_has_one_row_that_explain_shows() -> None:
    literal = re.compile(r"\"([A-Z]\d{3})\"")
    sources = (REPOSITORY / "orchestrator").rglob("*.py")
    used = {code for path in sources for code in literal.findall(path.read_text())}
    row = re.compile(r"^\| `?([A-Z]\d{3})`? \|", re.MULTILINE)
    pages = [name for name in documents() if name.startswith("docs/")]
    rows = [code for name in pages for code in row.findall(text(name))]

    assert sorted(rows) == sorted(used)
    assert set(api.meanings()) == used
    others = {str(reason) for reason in Reason} | {str(int(code)) for code in ExitCode}
    assert {each.code for each in api.explanations()} == used | others


def test_code_map_names_each_package_once() -> None:
    section = text("docs/architecture.md").split("## Code map")[1].split("\n## ")[0]
    named = [name for cell in first_cells(section) for name in re.findall(r"`(\w+)/?`", cell)]
    there = [
        path.stem
        for path in (REPOSITORY / "orchestrator").iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("_")
    ]

    assert sorted(named) == sorted(there)


def test_table_of_tests_names_each_directory_with_tests() -> None:
    section = text("docs/architecture.md").split("## Tests")[1]
    named = [cell.strip("`").removeprefix("tests/").strip("/") for cell in first_cells(section)]
    tests = (REPOSITORY / "tests").rglob("test_*.py")

    assert sorted(named) == sorted({path.relative_to(REPOSITORY).parts[1] for path in tests})


def test_every_command_block_is_run_by_some_test() -> None:
    commands = re.compile(r"^ *```(sh|bash|console)", re.MULTILINE)
    with_commands = {name for name in documents() if commands.search(text(name))}

    assert with_commands == set(RUN_BY)
    for document, test in RUN_BY.items():
        assert Path(document).name in text(test)


@pytest.mark.parametrize("name", documents())
def test_relative_links_lead_somewhere(name: str) -> None:
    for link in _LINK.findall(text(name)):
        target, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        path = (REPOSITORY / name).parent / target if target else REPOSITORY / name
        assert path.exists(), link
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), link


def test_every_document_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [REPOSITORY / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        if page.is_dir():
            waiting += page.glob("*.md")
        elif page.suffix == ".md":
            links = (link.partition("#")[0] for link in _LINK.findall(page.read_text()))
            found = (page.parent / link for link in links if link and ":" not in link)
            waiting += [path.resolve() for path in found if path.exists()]

    own = {"changes"}  # fragments, gathered at a release
    hidden = {path for name in documents() if (path := REPOSITORY / name) not in seen}

    assert {path for path in hidden if path.parent.name not in own} == set()
