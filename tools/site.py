"""Hooks of the documentation's site (`mkdocs.yml`): pages that are made, not written.

The documents are written for readers of the repository, so links may leave `docs/`. Here the README
becomes the first page, CONTRIBUTING.md and the schemas come along, and links to them are turned.
The reference of the command line is made from the commands themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import typer

from orchestrator.cli.app import COMMANDS, PROGRAM, build

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[1]
CLI_PAGE = "reference/cli.md"
HELP_COLUMNS = 100
AnyCommand = typer.core.TyperCommand | typer.core.TyperGroup
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CLI_HEAD = """\
# Command line

Made from the commands themselves: what `--help` says of each. [Commands](commands.md) is the map.
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are made, and what documents link to outside `docs/`."""
    from mkdocs.structure.files import File

    for name, content in made_pages():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_more: object) -> str:
    """The page with its links as the site has them."""
    return turned(markdown, page.file.src_uri)


def made_pages() -> Iterator[tuple[str, str]]:
    """Path in the site and content of what does not lie in `docs/`."""
    yield "index.md", (REPOSITORY / "README.md").read_text("utf-8")
    yield "CONTRIBUTING.md", (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    yield "LICENSE.md", f"```text\n{(REPOSITORY / 'LICENSE').read_text('utf-8')}```\n"
    yield "changes/README.md", (REPOSITORY / "changes/README.md").read_text("utf-8")
    yield CLI_PAGE, cli_reference()
    yield "adr/index.md", decisions()
    for schema in sorted((REPOSITORY / "schemas").glob("*.json")):
        yield f"schemas/{schema.name}", schema.read_text("utf-8")


def turned(markdown: str, path: str) -> str:
    """Links of a document, from where it lies in the repository to where it lies in the site.

    Args:
        markdown: the document's text.
        path: its path in the site, as `how-to/waves.md`.
    """
    return _LINK.sub(lambda link: f"]({_target(link[1], PurePosixPath(path))})", markdown)


def _target(link: str, page: PurePosixPath) -> str:
    if link.endswith("adr/"):
        return f"{link.removeprefix('docs/')}index.md"
    if str(page) in _FROM_THE_TOP:
        return _FROM_THE_TOP_TO.get(link, link.removeprefix("docs/"))
    out = "../" * len(page.parts)  # of `docs/`
    inside = link.replace("../", "", 1) if link.startswith(out) else link
    return re.sub(r"^((?:\.\./)*)README\.md", r"\1index.md", inside)


_FROM_THE_TOP = ("index.md", "CONTRIBUTING.md")
_FROM_THE_TOP_TO = {"LICENSE": "LICENSE.md", "README.md": "index.md"}


def decisions() -> str:
    """The list of decisions, by their titles."""
    records = sorted((REPOSITORY / "docs/adr").glob("*.md"))
    titles = (record.read_text("utf-8").partition("\n")[0].removeprefix("# ") for record in records)
    lines = (f"- [{title}]({record.name})" for record, title in zip(records, titles, strict=True))
    return "\n".join(["# Decisions", "", *lines, ""])


def cli_reference() -> str:
    """All commands with what their `--help` says."""
    parts = [_CLI_HEAD]
    root = typer.main.get_command(build(COMMANDS))
    for words, command in _commands(root, (PROGRAM,)):
        context = typer.Context(
            command,
            info_name=" ".join(words),
            max_content_width=HELP_COLUMNS,
            terminal_width=HELP_COLUMNS,
        )
        parts.append(f"## {' '.join(words)}\n\n```text\n{context.get_help()}\n```\n")
    return "\n".join(parts)


def _commands(
    command: AnyCommand, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], AnyCommand]]:
    """The command, and those below it."""
    yield words, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*words, name))
