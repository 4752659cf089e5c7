"""docs/reference/metrics.md: its table is what is exposed."""

import inspect
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from orchestrator.metrics.exposition import exposition
from orchestrator.traces import spans
from tests.unit.metrics.test_exposition import FIGURES

PAGE = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text(encoding="utf-8")


def test_table_of_spans_names_each_that_a_rollout_can_have() -> None:
    rows = re.findall(r"^\| `([a-z ]+)` \|", PAGE.partition("## Traces")[2], re.MULTILINE)

    named = set(re.findall(r'"(rollout|wave|device \w+|rollback)"', inspect.getsource(spans)))
    assert set(rows) == named


def test_table_names_each_series_with_its_label() -> None:
    rows = re.findall(r"^\| `(rollout_\w+)` \| (?:`(\w+)`)? ?\|", PAGE, re.MULTILINE)
    text = exposition(FIGURES).decode()
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]

    assert set(rows) == {(one.name, "".join(one.labels)) for one in samples}
