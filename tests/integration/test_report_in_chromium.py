"""The page of a report in a real browser: how it is laid out, what is read aloud, what it may load.

By night: a browser takes seconds to start, and is not among the packages that tests install. The
pictures and the PDF stay in the test's directory, to be looked at.
"""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.render.report_style import DARK, LIGHT
from tests.integration.chromium import PROGRAM, Chromium
from tests.unit.render.busy import busy_page

pytestmark = [
    pytest.mark.night,
    pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed (package `chromium`)"),
]
_GROUND = "getComputedStyle(document.body).backgroundColor"
_TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_TALL = "one => one.clientHeight > 90"  # its words are broken into letters
_CUT = "one => one.scrollWidth > one.clientWidth"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(busy_page(), encoding="utf-8")
    return path


def asked_of(server: socket.socket) -> list[bytes]:
    """What whoever came has said; a browser also connects on suspicion, and says nothing then."""
    said: list[bytes] = []
    server.settimeout(0.5)
    while True:
        try:
            connection, _ = server.accept()
        except TimeoutError:
            return said
        with connection, contextlib.suppress(TimeoutError):
            connection.settimeout(0.5)
            if words := connection.recv(1000):
                said.append(words)


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[place : place + 2], 16)) for place in (1, 3, 5))})"


@pytest.mark.parametrize("width", [1280, 800, 360])
@pytest.mark.parametrize("dark", [False, True])
def test_page_fits_the_window_in_its_own_colours(browser, page, width: int, dark: bool) -> None:
    browser.open(page, width=width, dark=dark)

    browser.picture(page.with_name(f"report-{width}-{'dark' if dark else 'light'}.png"))

    assert browser.value(_GROUND) == rgb((DARK if dark else LIGHT)["bg"])
    assert browser.value(_TOO_WIDE) <= 0
    assert browser.log == []


def test_tables_fit_a_common_window_and_paper(browser, page) -> None:
    for media, width in (("screen", 1280), ("screen", 1000), ("print", 720)):
        browser.open(page, width=width, media=media)

        assert browser.value(f"[...document.querySelectorAll('.wide')].filter({_CUT}).length") == 0
        assert (
            browser.value(f"[...document.querySelectorAll('thead th')].filter({_TALL}).length") == 0
        )


def test_page_is_read_aloud_with_landmarks_headings_and_the_words_of_charts(browser, page) -> None:
    browser.open(page, width=1280)
    nodes = [
        node
        for node in browser.call("Accessibility.getFullAXTree")["nodes"]
        if not node.get("ignored")
    ]
    roles = [node["role"]["value"] for node in nodes]

    def named(role: str) -> list[str]:
        return [node["name"]["value"] for node in nodes if node["role"]["value"] == role]

    assert {"banner", "navigation", "main", "contentinfo"} <= set(roles)
    assert named("region")[:3] == ["Outcome", "Timeline", "Failures by cause"]
    assert "Timeline of the waves, 35:07 in all" in named("image")
    assert all(named("image"))
    assert all(named("table"))
    described = [node for node in nodes if node["role"]["value"] == "image"]
    assert all(node["description"]["value"] for node in described)


def test_page_prints_light_without_navigation(browser, page) -> None:
    browser.open(page, width=1000, dark=True, media="print")

    assert browser.value(_GROUND) == rgb(LIGHT["bg"])
    assert browser.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    pdf = base64.b64decode(browser.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    page.with_name("report.pdf").write_bytes(pdf)
    assert pdf.startswith(b"%PDF-")


def test_policy_keeps_what_got_into_the_page_from_running_and_from_the_network(
    browser, page
) -> None:
    """As if escaping had failed: markup that no test may ever get into a page by our own code."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = f"http://127.0.0.1:{server.getsockname()[1]}/"
        evil = (
            "<script>document.body.id='ran'</script><p id=grey style='color:grey'>x</p>"
            f"<img src='{there}' onerror=\"document.body.id='ran'\">"
            f"<style>body{{background:url({there})}}</style><link rel=stylesheet href='{there}'>"
            f"<iframe src='{there}'></iframe><base href='{there}'>"
        )
        path = page.with_name("evil.html")
        path.write_text(busy_page().replace("</footer>", f"{evil}</footer>"), encoding="utf-8")

        browser.open(path, width=1280)

        assert browser.value("document.body.id") == ""
        assert browser.value(_GROUND) == rgb(LIGHT["bg"])
        assert browser.value("getComputedStyle(document.getElementById('grey')).color") != (
            "rgb(128, 128, 128)"
        )
        assert asked_of(server) == []
    assert any("Content Security Policy" in line for line in browser.log)
