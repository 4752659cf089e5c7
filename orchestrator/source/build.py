"""From parser events to the tree, without recursion: the guard stands before any composing.

Laws:
1. Depth, count and size are checked before a node is made; a file of 200 000 brackets ends at
   the 65th.
2. What refuses one value (a tag, a duplicate key) leaves the rest of the file readable, so
   that one run reports everything; only a limit or broken syntax ends it.
3. An alias costs what it expands to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import yaml

from orchestrator.errors import Severity, Where
from orchestrator.source import characters
from orchestrator.source.frame import Event, Frame, LimitReachedError
from orchestrator.source.node import Entry, MappingNode, Node, ScalarNode, SequenceNode
from orchestrator.source.policy import Policy
from orchestrator.source.properties import check_properties, merged_entries, refuse_alias
from orchestrator.source.scalars import Problem, Resolved, resolver
from orchestrator.source.suggest import quoted
from orchestrator.source.text import Findings

MERGE_KEY = "<<"
_TEMPLATE_HINT = 'quote the whole value: "{{ ... }}"'


class TreeBuilder:
    """Builds the tree of one document from its events and notes what is wrong with it."""

    def __init__(self, policy: Policy, findings: Findings) -> None:
        self._policy = policy
        self._findings = findings
        self._file = findings.source.file
        self._resolve = resolver(policy)
        self._resolved: dict[str, Resolved] = {}
        self._stack: list[Frame] = []
        self._anchors: dict[str, tuple[Node, int, int]] = {}
        self._alias_count = 0
        self._node_count = 0
        self._document_count = 0
        self.root: Node | None = None

    def consume(self, events: Iterator[Event]) -> None:
        """Reads all events.

        Raises:
            LimitReachedError: depth, node count, aliases or a second document.
            yaml.YAMLError: broken syntax, from the parser.
        """
        readers: dict[type[object], Callable[[Event], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._open_mapping,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceStartEvent: self._open_sequence,
            yaml.SequenceEndEvent: self._close,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }
        for event in events:
            read = readers.get(type(event))
            if read is not None:
                read(event)

    # -- values ---------------------------------------------------------------------------

    def _scalar(self, event: Event) -> None:
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        text: str = event.value
        self._count(1, line, column)
        if len(text) > self._policy.scalar_chars_max:
            message = f"a value of {len(text)} characters; the limit is "
            self._error(line, column, "Y122", f"{message}{self._policy.scalar_chars_max}")
            text = ""
        is_plain = not event.style
        if event.tag or event.anchor:
            check_properties(event, Where(self._file, line, column), self._policy, self._findings)
        if is_plain and not event.tag:
            known = self._resolved.get(text)
            if known is None:
                known = self._resolved.setdefault(text, self._resolve(text))
            value, problem = known
        else:
            value, problem = text, None
        node = ScalarNode(value, text, not is_plain, self._file, line, column, event.tag or "")
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.key_is_next:
            self._take_key(frame, node, problem)
            return
        if problem is not None:
            where = Where(self._file, line, column)
            self._findings.add(where, problem.code, problem.message, problem.hint, problem.severity)
        if not text.isprintable():
            self._check_value_characters(node)
        if not text.isascii():
            self._check_words(node)
        if event.anchor:
            self._anchors[event.anchor] = (node, 1, 0)
        self._place(node, 1, 0)

    def _check_value_characters(self, node: ScalarNode) -> None:
        char = characters.bad_value_character(node.text)
        if char:
            code, message, hint = characters.describe(char)
            severity = Severity.ERROR if char == "\0" else self._policy.invisible
            self._findings.add(node.where, code, message, hint, severity)

    def _open_mapping(self, event: Event) -> None:
        self._open(event, mapping=True)

    def _open_sequence(self, event: Event) -> None:
        self._open(event, mapping=False)

    def _open(self, event: Event, *, mapping: bool) -> None:
        frame = Frame(event, mapping=mapping)
        self._count(1, frame.line, frame.column)
        if len(self._stack) >= self._policy.depth_max:
            message = f"nested deeper than {self._policy.depth_max} levels"
            self._stop(frame.line, frame.column, "Y108", message)
        parent = self._stack[-1] if self._stack else None
        if parent is not None and parent.key_is_next:
            self._refuse_collection_key(parent, frame)
        if event.tag or event.anchor:
            where = Where(self._file, frame.line, frame.column)
            check_properties(event, where, self._policy, self._findings)
        if event.anchor:
            self._anchors.pop(event.anchor, None)
        self._stack.append(frame)

    def _close(self, _: Event) -> None:
        frame = self._stack.pop()
        node: Node
        if frame.mapping:
            entries = merged_entries(frame, self._findings) if frame.merges else frame.entries
            node = MappingNode(tuple(entries), self._file, frame.line, frame.column, frame.tag)
        else:
            items = tuple(frame.items)
            node = SequenceNode(items, self._file, frame.line, frame.column, frame.tag)
        if frame.anchor:
            self._anchors[frame.anchor] = (node, frame.size, frame.height)
        self._place(node, frame.size, frame.height)

    def _place(self, node: Node, size: int, height: int) -> None:
        if not self._stack:
            if self.root is None:
                self.root = node
            return
        frame = self._stack[-1]
        frame.size += size
        if height >= frame.height:
            frame.height = height + 1
        if not frame.mapping:
            frame.items.append(node)
        elif frame.key_is_next:  # a refused key that was a collection
            frame.key_is_next = False
        else:
            frame.key_is_next = True
            if frame.key is None:
                return
            if frame.key.text == MERGE_KEY and not frame.key.quoted:
                frame.merges.append(node)
            else:
                frame.entries.append(Entry(frame.key, node))

    # -- keys -----------------------------------------------------------------------------

    def _take_key(self, frame: Frame, node: ScalarNode, problem: Problem | None) -> None:
        frame.key_is_next = False
        frame.size += 1
        frame.key = None
        if node.text == MERGE_KEY and not node.quoted:
            self._take_merge_key(frame, node)
            return
        if not isinstance(node.value, str):
            self._report_key(node, f"{node.kind} is not a key; keys are text")
            return
        if problem is not None and problem.severity is Severity.ERROR:
            self._report_key(node, problem.message)
            return
        first = frame.seen.setdefault(node.text, node)
        if first is not node:
            message = f"key `{node.text}` is already set on line {first.line}"
            hint = f"first at {first.where}; keep one of the two"
            self._findings.add(node.where, "Y111", message, hint)
            return
        frame.key = node
        if not node.text.isascii() or not node.text.isprintable():
            self._check_key_characters(node)

    def _report_key(self, node: ScalarNode, message: str) -> None:
        if node.value is None and not node.text:
            hint = "remove the `?` or the stray `:`"
        else:
            hint = f"write {quoted(node)} if it is meant as text"
        self._findings.add(node.where, "Y112", message, hint)

    def _take_merge_key(self, frame: Frame, node: ScalarNode) -> None:
        if not self._policy.aliases_max:
            message = f"`<<` (merge key) is not used in {self._policy.name}"
            hint = "write the keys out: a reader must see what is approved"
            self._findings.add(node.where, "Y115", message, hint)
            return
        first = frame.seen.setdefault(MERGE_KEY, node)
        if first is not node:
            message = f"key `<<` is already set on line {first.line}"
            self._findings.add(node.where, "Y111", message, "merge a list: `<<: [*a, *b]`")
            return
        frame.key = node

    def _check_key_characters(self, node: ScalarNode) -> None:
        char = characters.bad_key_character(node.text)
        if char:
            code, message, hint = characters.describe(char)
            self._findings.add(node.where, code, f"{message}, in a key", hint)
        self._check_words(node)

    def _check_words(self, node: ScalarNode) -> None:
        message, hint = characters.mixed_words(node.text)
        if message:
            self._findings.add(node.where, "Y124", message, hint, Severity.WARNING)

    def _refuse_collection_key(self, parent: Frame, frame: Frame) -> None:
        parent.key = None
        is_braces = parent.line == frame.line and parent.column + 1 == frame.column
        if frame.mapping and is_braces:
            message = "`{{` without quotes is YAML's own syntax, not a template"
            self._error(parent.line, parent.column, "Y117", message, _TEMPLATE_HINT)
            return
        kind = "a mapping" if frame.mapping else "a list"
        self._error(frame.line, frame.column, "Y112", f"{kind} is not a key; keys are text")

    # -- aliases ------------------------------------------------------------------------------

    def _alias(self, event: Event) -> None:
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        known = self._known_anchor(event.anchor or "", line, column)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.key_is_next:
            if known:
                self._error(line, column, "Y112", "an alias is not a key", "write the key out")
            frame.key, frame.key_is_next = None, False
            return
        if known is None:
            self._place(ScalarNode(None, "", False, self._file, line, column), 1, 0)
            return
        node, size, height = known
        self._count(size, line, column)
        if len(self._stack) + height > self._policy.depth_max:
            message = f"nested deeper than {self._policy.depth_max} levels through an alias"
            self._stop(line, column, "Y108", message)
        self._place(node, size, height)

    def _known_anchor(self, name: str, line: int, column: int) -> tuple[Node, int, int] | None:
        if not self._policy.aliases_max:
            where = Where(self._file, line, column)
            refuse_alias(f"`*{name}` (alias)", where, self._policy, self._findings)
            return None
        self._alias_count += 1
        if self._alias_count > self._policy.aliases_max:
            message = f"more than {self._policy.aliases_max} aliases"
            self._stop(line, column, "Y113", message, "use group variables for what is shared")
        if any(frame.anchor == name for frame in self._stack):
            message = f"`*{name}` stands inside `&{name}`: it would hold itself"
            self._error(line, column, "Y114", message)
            return None
        known = self._anchors.get(name)
        if known is None:
            self._error(line, column, "Y113", f"no `&{name}` stands before `*{name}`")
        return known

    # -- limits ------------------------------------------------------------------------------

    def _document(self, event: Event) -> None:
        mark = event.start_mark
        self._document_count += 1
        if self._document_count > 1:
            message = "a second document (`---`) begins here; a file holds one"
            self._stop(mark.line + 1, 1, "Y110", message, "put it into a file of its own")
        if event.version or event.tags:
            severity = Severity.WARNING if self._policy.compat else Severity.ERROR
            where = Where(self._file, mark.line + 1, 1)
            message = "a `%` directive has no effect here"
            self._findings.add(where, "Y123", message, "remove the line", severity)

    def _count(self, size: int, line: int, column: int) -> None:
        self._node_count += size
        if self._node_count > self._policy.nodes_max:
            message = f"more than {self._policy.nodes_max} values"
            self._stop(line, column, "Y109", message, "split the file")

    def _error(self, line: int, column: int, code: str, message: str, hint: str = "") -> None:
        self._findings.add(Where(self._file, line, column), code, message, hint)

    def _stop(self, line: int, column: int, code: str, message: str, hint: str = "") -> None:
        self._error(line, column, code, message, hint)
        raise LimitReachedError(message)
