"""The documents as a site, without building it: `make site` does that, and wants packages of its own."""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from orchestrator.cli.app import COMMANDS
from tools.site import CLI_PAGE, cli_reference, made_pages, turned

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
_LINK = re.compile(r"\]\(([^)\s#]+)[^)\s]*\)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def pages() -> dict[str, str]:
    """Every page with its links as the site has them."""
    written = {
        path.relative_to(DOCS).as_posix(): path.read_text("utf-8") for path in DOCS.rglob("*.md")
    }
    return {name: turned(text, name) for name, text in {**written, **dict(made_pages())}.items()}


def in_menu(entry: object) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    elif isinstance(entry, dict):
        yield from in_menu(list(entry.values()))
    elif isinstance(entry, list):
        for one in entry:
            yield from in_menu(one)


def test_every_link_leads_to_a_page_of_the_site() -> None:
    known = pages()
    files = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.*")} | known.keys()
    links = [
        (name, posixpath.normpath(posixpath.join(posixpath.dirname(name), link)))
        for name, text in known.items()
        if name.endswith(".md")
        for link in _LINK.findall(_FENCED.sub("", text))
        if not link.startswith(("https:", "http:"))
    ]

    assert len(links) > 100
    assert [(name, target) for name, target in links if target not in files] == []


def test_the_menu_has_every_page_once() -> None:
    menu = list(in_menu(yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text("utf-8"))["nav"]))
    apart = ("adr/0", "LICENSE.md", "changes/", "schemas/")

    assert sorted(menu) == sorted(name for name in pages() if not name.startswith(apart))


def test_reference_of_the_command_line_has_every_command_with_its_own_help() -> None:
    told = cli_reference()

    assert dict(made_pages())[CLI_PAGE] == told
    for name in COMMANDS:
        assert f"\n## rollout {name}\n" in told
        assert f"Usage: rollout {name} " in told
    assert "Usage: rollout device enroll " in told
