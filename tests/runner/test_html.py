"""Pages that would fetch from another site, and links that lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from xai_lib.runner.html import check_html


def check(tmp_path: Path, body: str, name: str = "index.html") -> list[str]:
    (tmp_path / "here.html").write_text("<h1 id='top'>Here</h1>")
    (tmp_path / name).write_text(body)
    return check_html(tmp_path)


@pytest.mark.parametrize(
    ("body", "url"),
    [
        ("<script src='https://cdn.example/x.js'></script>", "https://cdn.example/x.js"),
        ("<script src='//cdn.example/x.js'></script>", "//cdn.example/x.js"),
        ("<img src='http://img.example/a.png'>", "http://img.example/a.png"),
        ("<iframe src='https://v.example/1'></iframe>", "https://v.example/1"),
        ("<link rel='stylesheet' href='https://f.example/a.css'>", "https://f.example/a.css"),
        ("<link rel='preconnect' href='https://f.example'>", "https://f.example"),
        ("<p style='background:url(https://b.example/x)'>", "https://b.example/x"),
        ("<style>@import '//f.example/y.css';</style>", "//f.example/y.css"),
        ('<style>p{background:url("https://b.example/z")}</style>', "https://b.example/z"),
    ],
)
def test_whatever_a_browser_would_fetch_is_found(tmp_path: Path, body: str, url: str) -> None:
    assert check(tmp_path, body) == [f"index.html fetches {url}"]


def test_links_to_follow_and_local_files_are_fine(tmp_path: Path) -> None:
    body = (
        "<a href='https://arxiv.org/abs/1'>paper</a><a href='here.html#top'>h</a><a href='#'>x</a>"
        "<img src='data:image/png;base64,AAAA'><script>const u = 'https://unused.example';</script>"
        "<link rel='canonical' href='https://book.example/'><p id='own'></p><a href='#own'>o</a>"
    )
    assert check(tmp_path, body) == []


def test_style_sheets_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text(
        "@font-face{src:url(//f.example/f.woff)}p{background:url(b.png)}"
    )
    assert check(tmp_path, "") == ["a.css fetches //f.example/f.woff"]


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("gone.html", "link to gone.html, which is not there"),
        ("here.html#nowhere", "link to here.html#nowhere, but there is no such anchor"),
        ("#nowhere", "link to #nowhere, but there is no such anchor"),
    ],
)
def test_broken_local_links_are_found(tmp_path: Path, link: str, problem: str) -> None:
    assert check(tmp_path, f"<a href='{link}'>x</a>") == [f"index.html: {problem}"]
