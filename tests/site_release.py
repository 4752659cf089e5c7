"""A small signed release for tests that need one beside a plan, whatever it holds."""

from __future__ import annotations

from pathlib import Path

from orchestrator import api


def make_site_release(root: Path) -> None:
    """Makes `site.mender` (`site-1.0` for devices of type `web`), its tree, and `release.key`."""
    (root / "tree").mkdir()
    (root / "tree/index.html").write_text("hello")
    api.key_generate(root / "release.key")
    request = api.BuildRequest(
        kind="directory", out=root / "site.mender", name="site-1.0", device_types=("web",),
        source=root / "tree", dest="/opt/site", sign_key=root / "release.key",
    )  # fmt: skip
    api.artifact_build(request)
