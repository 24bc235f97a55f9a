"""The built book, a web server for it on this machine, and a browser."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def missing(what: str) -> None:
    """Skip, but never where a missing piece would hide a failure."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def html() -> Path:
    """Folder of the built pages: $XAI_BOOK_HTML, or the book of profile ci."""
    folder = Path(os.environ.get("XAI_BOOK_HTML") or ROOT / "_build" / "ci" / "html")
    if not (folder / "index.html").is_file():
        missing(f"no built book in {folder}: make test builds one, or set XAI_BOOK_HTML")
    return folder


@pytest.fixture(scope="session")
def site(html: Path) -> Iterator[str]:
    """Address of the book on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium of the system; it can resolve no name but this machine's address."""
    given = os.environ.get("XAI_CHROMIUM")
    path = given or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        missing("no browser: apt-get install chromium, or set XAI_CHROMIUM to one")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed: pip install -c constraints.txt -e '.[dev]'")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",  # the container's root user has none
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        yield chromium
        chromium.close()
