"""Points in time as people write them."""

import pytest

from orchestrator.api.moments import moment

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("12h", NOW + 43_200),
        ("30d", NOW + 2_592_000),
        ("2026-12-01T08:00Z", 1_796_112_000),
        ("2026-12-01T09:00:00+01:00", 1_796_112_000),
    ],
)
def test_a_moment_is_a_duration_from_now_or_a_time_with_its_zone(text, at):
    assert moment(text, now=NOW) == at


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01T08:00Z", "12", "-1h"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is no time"):
        moment(text, now=NOW)


@pytest.mark.parametrize("text", ["2026-12-01", "2026-12-01T08:00"])
def test_a_time_without_its_zone_is_refused(text):
    with pytest.raises(ValueError, match="names no zone"):
        moment(text, now=NOW)
