"""Check a built book as a reader without a network would meet it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes by which a page makes a browser fetch something, as opposed to links one may click.
FETCHING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "link": "href",
}
# <link> relations that fetch nothing.
PASSIVE = {"canonical", "search", "index", "prev", "next", "author", "license", "alternate", "top"}
CSS_URL = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


def check_html(html: Path) -> list[str]:
    """List external fetches and broken local links of a built book.

    Parameters
    ----------
    html : Path
        Folder of the built pages.

    Returns
    -------
    list of str
        One line per problem.
    """
    pages = [p for p in sorted(html.rglob("*.html")) if "_static" not in p.relative_to(html).parts]
    parsed = {page.resolve(): _parse(page) for page in pages}
    problems: list[str] = []
    for path, page in parsed.items():
        name = path.relative_to(html.resolve()).as_posix()
        problems += [f"{name} fetches {url}" for url in page.fetched if _external(url)]
        problems += [f"{name}: {problem}" for problem in _broken(path, page, parsed)]
    for sheet in sorted(html.rglob("*.css")):
        name = sheet.relative_to(html).as_posix()
        urls = CSS_URL.findall(sheet.read_text("utf-8", "replace"))
        problems += [f"{name} fetches {url}" for url in urls]
    return problems


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what the tag fetches, links to and names."""
        values = {name: value for name, value in attrs if value}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        self._in_style = tag == "style"
        relations = set(values.get("rel", "").split())
        url = values.get(FETCHING.get(tag, ""))
        if url and not (tag == "link" and relations & PASSIVE):
            self.fetched.append(url)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        self.fetched += CSS_URL.findall(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        """Collect what an inline style sheet fetches."""
        if self._in_style:
            self.fetched += CSS_URL.findall(data)

    def handle_endtag(self, tag: str) -> None:
        """Leave a style sheet."""
        self._in_style = False


def _parse(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text("utf-8", "replace"))
    return page


def _external(url: str) -> bool:
    return urlsplit(url).netloc != ""


def _broken(path: Path, page: _Page, pages: dict[Path, _Page]) -> Iterator[str]:
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc or link == "#":
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.exists():
            yield f"link to {link}, which is not there"
        elif (
            parts.fragment
            and target in pages
            and unquote(parts.fragment) not in pages[target].anchors
        ):
            yield f"link to {link}, but there is no such anchor"
