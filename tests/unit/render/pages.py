"""An HTML page as a tree, read strictly: for tests of what stands in it and how it is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"br", "link", "meta"})


@dataclass(slots=True)
class Node:
    """An element with its attributes, children and the text between them, in order."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    parts: list[Node | str] = field(default_factory=list)

    def all(self, *names: str) -> list[Node]:
        """Elements below with one of these names, in order; without names all of them."""
        return [node for node in self._below() if not names or node.name in names]

    def one(self, name: str) -> Node:
        """The only element below with this name."""
        (found,) = self.all(name)
        return found

    def by_id(self, key: str) -> Node:
        """The only element below with this id."""
        (found,) = (node for node in self._below() if node.attributes.get("id") == key)
        return found

    @property
    def text(self) -> str:
        """All text in it."""
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)

    @property
    def children(self) -> list[Node]:
        """The elements right below."""
        return [part for part in self.parts if isinstance(part, Node)]

    def _below(self) -> Iterator[Node]:
        for child in self.children:
            yield child
            yield from child._below()


class _Reader(HTMLParser):
    """Builds the tree; refuses what browsers would mend."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].parts.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"<{tag}/> is not how we write elements")

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].name == tag, f"</{tag}> ends <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].parts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data}")


def read(page: str) -> Node:
    """The root of a page whose elements are balanced."""
    assert page.startswith("<!DOCTYPE html>\n<html ")
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == [reader.root], f"<{reader.open[-1].name}> is not ended"
    return reader.root.one("html")


def problems(page: Node) -> list[str]:
    """What is wrong for a screen reader, a validator of HTML, or for safety."""
    nodes = page.all()
    ids = [node.attributes["id"] for node in nodes if "id" in node.attributes]
    found = [f"id {key} twice" for key in set(ids) if ids.count(key) > 1]
    level = 0
    for heading in page.all("h1", "h2", "h3", "h4", "h5", "h6"):
        found += [f"heading skips: {heading.text}"] if int(heading.name[1]) > level + 1 else []
        found += [] if heading.text.strip() else ["an empty heading"]
        level = int(heading.name[1])
    for node in nodes:
        for key in ("aria-labelledby", "aria-describedby"):
            names = node.attributes.get(key, "").split()
            found += [f"{key} names {name}" for name in names if name not in ids]
        href = node.attributes.get("href", "#main")
        found += [] if href[0] == "#" and href[1:] in ids else [f"a link to {href}"]
        found += [f"<{node.name} {key}>" for key in node.attributes if key.startswith("on")]
        found += [f"<{node.name} {key}>" for key in ("src", "style") if key in node.attributes]
        found += [_picture(node)] if node.name == "svg" else []
        found += [_table(node)] if node.name == "table" else []
    forbidden = page.all("script", "iframe", "object", "img", "use", "image", "form", "base")
    found += [f"<{node.name}>" for node in forbidden]
    found += [f"{len(page.all(name))} <{name}>" for name in _ONCE if len(page.all(name)) != 1]
    return [one for one in found if one]


_ONCE = ("h1", "main", "header", "nav", "footer")


def _picture(svg: Node) -> str:
    title, words, *_ = svg.children
    named = (title.name, words.name) == ("title", "desc") and title.text and words.text
    labels = (svg.attributes.get("aria-labelledby"), svg.attributes.get("aria-describedby"))
    told = labels == (title.attributes.get("id"), words.attributes.get("id"))
    return "" if named and told and svg.attributes.get("role") == "img" else "a chart without words"


def _table(table: Node) -> str:
    if table.children[0].name != "caption" or not table.children[0].text:
        return "a table without a caption"
    heads = table.one("thead").all("th")
    if any(head.attributes.get("scope") != "col" for head in heads):
        return "a column without a head"
    for row in table.one("tbody").all("tr"):
        if len(row.children) != len(heads) or row.children[0].attributes.get("scope") != "row":
            return f"a row of {len(row.children)} cells under {len(heads)} heads"
    return ""
