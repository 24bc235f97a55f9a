"""A real browser opens every page of the built book, with no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.book.conftest import ROOT
from xai_lib.book import toc_pages

pytestmark = pytest.mark.browser

PAGES = toc_pages(ROOT / "_toc.yml")
THEMES = ("light", "dark")
# WCAG 2.1, success criterion 1.4.3, normal text.
READABLE = 4.5

# Contrast of every visible piece of text in the elements that match a selector: the ink against
# the backgrounds of its ancestors, laid over each other, on the page's own background.
CONTRAST = """
(selector) => {
  const parse = (css) => {
    const part = css.match(/[\\d.]+/g).map(Number);
    if (css.startsWith('color(')) part.splice(0, 3, ...part.slice(0, 3).map((v) => v * 255));
    return {rgb: part.slice(0, 3), alpha: part.length > 3 ? part[3] : 1};
  };
  const over = (top, below) => top.rgb.map((v, i) => v * top.alpha + below[i] * (1 - top.alpha));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      layers.push(parse(getComputedStyle(e).backgroundColor));
    }
    const theme = document.documentElement.dataset.theme;
    return layers.reverse().reduce((below, top) => over(top, below),
                                   theme === 'dark' ? [0, 0, 0] : [255, 255, 255]);
  };
  const found = [];
  for (const root of document.querySelectorAll(selector)) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      const text = walker.currentNode.textContent.trim();
      const box = element.getBoundingClientRect();
      if (!text || !box.width || !box.height || box.height <= 1) continue;
      const below = background(element);
      const ink = over(parse(getComputedStyle(element).color), below);
      const [dark, light] = [luminance(below), luminance(ink)].sort((a, b) => a - b);
      found.push({text, ratio: (light + 0.05) / (dark + 0.05)});
    }
  }
  return found;
}
"""
# Heat maps of explanations, and tables of ours beside the paper's.
HEAT_MAP = ".mathjax_ignore[role=group]"
COLOURED = f"{HEAT_MAP}, article div[role=region][aria-label]"

FORMULAS = """
() => [...document.querySelectorAll('article .math')].map((e) => {
  const drawn = e.querySelector('mjx-container');
  const box = drawn ? drawn.getBoundingClientRect() : {width: 0, height: 0};
  return {source: e.textContent.slice(0, 60), ok: box.width > 0 && box.height > 0,
          error: !!e.querySelector('mjx-merror')};
})
"""
FIGURES = """
() => [...document.querySelectorAll('article img')].map((e) => ({
  source: e.getAttribute('src').slice(0, 80), width: e.naturalWidth,
  shown: e.getBoundingClientRect().width, alt: e.alt}))
"""


@dataclass
class Visit:
    """One page in the browser, and what happened while it loaded."""

    page: Any
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@pytest.fixture(params=PAGES)
def visit(request: pytest.FixtureRequest, browser: Any, site: str) -> Iterator[Visit]:
    """Open a page; fixtures of the session keep the browser and the server."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    seen = Visit(context.new_page())

    def on_request(sent: Any) -> None:
        if not sent.url.startswith((f"{site}/", "data:", "blob:", "about:")):
            seen.outside.append(sent.url)

    def on_response(answer: Any) -> None:
        if answer.status >= 400:
            seen.failed.append(f"{answer.status} {answer.url}")

    def on_console(message: Any) -> None:
        if message.type == "error":
            seen.errors.append(message.text)

    seen.page.on("request", on_request)
    seen.page.on("response", on_response)
    seen.page.on("console", on_console)
    seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
    seen.page.goto(f"{site}/{request.param}.html", wait_until="load")
    # Lazy pictures load when they come into view; formulas are drawn after the page has loaded.
    seen.page.evaluate("document.querySelectorAll('img').forEach((e) => { e.loading = 'eager'; })")
    seen.page.evaluate("window.MathJax?.startup?.promise")
    seen.page.wait_for_load_state("networkidle")
    yield seen
    context.close()


def test_page_loads_without_network_and_is_visible(visit: Visit) -> None:
    assert visit.errors == []
    assert visit.outside == []
    assert visit.failed == []
    assert visit.page.locator("article h1").count() == 1
    formulas = visit.page.evaluate(FORMULAS)
    assert [f for f in formulas if f["error"] or not f["ok"]] == []
    figures = visit.page.evaluate(FIGURES)
    assert [f for f in figures if not f["width"] or not f["shown"]] == []
    for theme in THEMES:
        visit.page.evaluate("(t) => { document.documentElement.dataset.theme = t; }", theme)
        texts = visit.page.evaluate(CONTRAST, COLOURED)
        assert [t for t in texts if t["ratio"] < READABLE] == [], theme


def test_book_holds_formulas_figures_and_heat_maps(browser: Any, site: str) -> None:
    # Guards the test above: on a book without any of these it would pass and say nothing.
    page = browser.new_page()
    page.goto(f"{site}/book/papers/lipex.html", wait_until="load")
    page.evaluate("window.MathJax?.startup?.promise")
    assert page.evaluate(FORMULAS)
    assert page.evaluate(FIGURES)
    assert page.evaluate(CONTRAST, HEAT_MAP)
    page.close()


def test_contrast_is_measured_right(browser: Any) -> None:
    # Black on white is 21, #777 on white 4.48 (both from the WCAG's definition); half-transparent
    # black over white is a grey of 127.5, under white ink 3.98.
    page = browser.new_page()
    page.set_content(
        "<div id=a style='color:#000;background:#fff'>x</div>"
        "<div id=b style='color:#777;background:#fff'>x</div>"
        "<div style='background:#fff'>"
        "<div id=c style='color:#fff;background:rgb(0 0 0/50%)'>x</div></div>"
    )
    ratios = [page.evaluate(CONTRAST, f"#{name}")[0]["ratio"] for name in "abc"]
    assert ratios == pytest.approx([21.0, 4.478, 3.977], abs=0.03)
    page.close()


def test_the_page_follows_the_theme(browser: Any, site: str) -> None:
    # If setting the theme changed nothing, the dark half of the contrast test would be empty.
    page = browser.new_page()
    page.goto(f"{site}/{PAGES[0]}.html", wait_until="load")
    colours = []
    for theme in THEMES:
        page.evaluate("(t) => { document.documentElement.dataset.theme = t; }", theme)
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours[0] != colours[1]
    page.close()
