"""A document as text; apart from all documents, as most commands write one or none."""

from __future__ import annotations

import json
from collections.abc import Mapping


def dump(document: Mapping[str, object]) -> str:
    """A document as text for a file or a pipe."""
    # ASCII only: on a terminal C1 and bidi characters of a device's words would act
    return json.dumps(document, indent=2, ensure_ascii=True) + "\n"
