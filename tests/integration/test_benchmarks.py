"""Programs that measure: that they run, and that what they print is of what they say."""

from __future__ import annotations

import re
import shutil

import pytest

from benchmarks import deltas

pytestmark = pytest.mark.integration
TOOLS = ("xdelta3", "mke2fs")
ABSENT = [tool for tool in TOOLS if not shutil.which(tool, path=deltas.PATH)]


@pytest.mark.skipif(bool(ABSENT), reason=f"not installed: {', '.join(ABSENT)}")
def test_differences_are_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Of small images, made of what lies in one directory: to look everywhere takes longer than the rest."""
    monkeypatch.setattr(deltas, "SOURCES", ("/usr/bin",))

    deltas.main(2)

    said = capsys.readouterr().out.splitlines()
    sizes = [int(found[1]) for line in said if (found := re.search(r": (\d+) bytes", line))]
    image, gzipped, xz, difference = sizes
    assert [line.partition(":")[0] for line in said[1:]] == [
        "whole, gzip -9",
        "whole, xz -3",
        "difference",
    ]
    assert image == 3 << 20
    assert 0 < difference < xz < gzipped < image
    assert "applied on the device in" in said[-1]
