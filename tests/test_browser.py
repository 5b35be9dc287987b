"""The browser that tests of pages run in: it shows what a page did wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser, Page

GOOD = """<!doctype html><title>good</title><style>
body { margin: 0; color: black } @media (prefers-color-scheme: dark) { body { color: white } }
</style><p>text</p><button onclick="this.textContent = 'pressed'">not pressed</button>"""
WRONG = {
    "an uncaught exception": "<script>null.missing</script>",
    "an error that is written": "<script>console.error('oh')</script>",
    "a picture from the network": "<img src='http://192.0.2.1/picture.png'>",
    "what can not be parsed": "<script>let let</script>",
}


def written(folder: Path, html: str) -> Path:
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8")
    return path


def test_a_page_is_shown_and_used(page: Page, tmp_path: Path) -> None:
    page.open(written(tmp_path, GOOD))
    assert "text" in page.text()
    page.one("button").click()
    assert page.text("button") == "pressed"
    page.press("Tab", "Enter")
    assert page.requests() == []
    assert page.screenshot(tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_width_and_colours_are_what_a_test_sets(page: Page, tmp_path: Path) -> None:
    page.open(written(tmp_path, GOOD))
    page.resize(390, 844)
    assert page.run("return [innerWidth, innerHeight]") == [390, 844]
    assert page.overflow() == 0
    page.run("document.querySelector('p').style.width = '500px'")
    assert page.overflow() == 110
    colour = "return getComputedStyle(document.body).color"
    assert page.run(colour) == "rgb(0, 0, 0)"
    page.prefer("dark")
    assert page.run(colour) == "rgb(255, 255, 255)"


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_errors_of_a_page_are_found(browser: Browser, tmp_path: Path, body: str) -> None:
    with browser.page() as page:
        page.open(written(tmp_path, f"<!doctype html>{body}"))
        assert page.errors() != []
        assert page.errors() == [], "each is told once"
        assert len(page.requests()) == ("http" in body)


def test_every_page_begins_anew(browser: Browser, tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    for _ in range(2):
        with browser.page() as page:
            page.open(path)
            page.prefer("dark")
            page.resize(500)
    with browser.page() as page:
        page.open(path)
        assert page.run("return matchMedia('(prefers-color-scheme: dark)').matches") is False
        assert page.run("return innerWidth") == 1280
