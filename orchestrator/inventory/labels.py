"""What selects and spreads devices: a device's labels, from its variables."""

from __future__ import annotations

import contextlib

from orchestrator.inventory.connection import Trouble
from orchestrator.inventory.templates import HostTemplates
from orchestrator.plan.template import TemplateError
from orchestrator.source import MappingNode, ScalarNode

LABELS_VARIABLE = "labels"
_NOT_LABELS = ("ansible_", "rollout_")


def labels_of(templates: HostTemplates) -> tuple[dict[str, str], list[Trouble]]:
    """Labels of a device: its scalar variables, and above them the mapping `labels`.

    A variable whose template we cannot render is no label; one among `labels` is an error.
    """
    labels = {}
    for name, entry in templates.entries.items():
        if not isinstance(entry.value, ScalarNode) or name.startswith(_NOT_LABELS):
            continue
        with contextlib.suppress(TemplateError):
            text = _label(entry.value, templates.value(name))
            if text is not None:
                labels[name] = text
    own = templates.entries.get(LABELS_VARIABLE)
    if own is None:
        return labels, []
    labels.pop(LABELS_VARIABLE, None)
    if not isinstance(own.value, MappingNode):
        message = f"`{LABELS_VARIABLE}` is {own.value.kind}; it is a mapping of names to texts"
        return labels, [Trouble(LABELS_VARIABLE, "I119", message)]
    try:
        rendered = templates.value(LABELS_VARIABLE)
    except TemplateError as error:
        message = f"`{LABELS_VARIABLE}`: {error.message}"
        return labels, [Trouble(LABELS_VARIABLE, "I117", message, error.hint)]
    troubles = []
    values = rendered if isinstance(rendered, dict) else {}
    for key, node in own.value.entries:
        text = _label(node, values[key.text]) if isinstance(node, ScalarNode) else None
        if text is None:
            message = f"label `{key.text}` is {node.kind}; a label is text"
            troubles.append(Trouble(LABELS_VARIABLE, "I119", message))
        else:
            labels[key.text] = text
    return labels, troubles


def _label(node: ScalarNode, rendered: object) -> str | None:
    """A label as it was written, or what its template came to."""
    if rendered == node.value:
        return label_text(node)
    return None if isinstance(rendered, list | dict) else str(rendered)


def label_text(node: ScalarNode) -> str | None:
    """A value as a label: numbers as they were written (`1.10`), booleans as true or false."""
    match node.value:
        case None:
            return None
        case bool():
            return "true" if node.value else "false"
        case str():
            return node.value
        case _:
            return node.text
