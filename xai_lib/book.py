"""Stage the book of a profile, check it, and build it strictly into HTML that needs no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from xai_lib.runner.errors import BookError
from xai_lib.runner.execute import ANSI
from xai_lib.runner.html import check_html
from xai_lib.runner.pages import write_generated
from xai_lib.runner.project import PAGE_OF, BookTree, Project, check_profile
from xai_lib.runner.scan import scan

# Parts of book/ that executing the notebooks makes; a staged book has its own.
PRODUCED = {"papers", "results", "runs", "generated"}
BANNERS = {
    "ci": "Built with profile <b>ci</b>: invented texts and tiny models that exercise the code. "
    "No number here says anything about a paper.",
    "quick": "Built with profile <b>quick</b>: small samples, small models, and made-up texts "
    "where the registry has no data; captions name what stands in. <b>The sentences between "
    "figures and tables speak of the published run</b>, whose numbers differ from those here.",
}


def build_book(project: Project, profile: str) -> Path:
    """Build the book from the notebooks last executed with `profile`.

    Parameters
    ----------
    project : Project
        The repository.
    profile : {"ci", "quick", "paper"}
        Which executed notebooks.

    Returns
    -------
    Path
        The book's front page.

    Raises
    ------
    BookError
        If a notebook is missing, failed or is out of step with its source, if Sphinx warns about
        anything, or if a page would fetch something from the network.
    """
    tree = stage(project, profile)
    names = notebooks_in(project, tree)
    _raise("the executed notebooks are not fit for a book", scan(project, tree, names, profile))
    build = project.build(profile)
    html = build / "html"
    sphinx(tree.base, build / "sphinx", build / "sphinx.log")
    shutil.rmtree(html, ignore_errors=True)
    (build / "sphinx" / "_build" / "html").replace(html)
    shutil.rmtree(build / "sphinx")
    _raise("the built pages are not fit to read", check_book(html, tree, names))
    return html / "index.html"


def stage(project: Project, profile: str) -> BookTree:
    """Put the prose pages and what is computed from the results beside the executed notebooks.

    Parameters
    ----------
    project : Project
        The repository.
    profile : {"ci", "quick", "paper"}
        Which executed notebooks.

    Returns
    -------
    BookTree
        The staged book, `_build/<profile>/src`.

    Raises
    ------
    BookError
        If a page of the table of contents is missing.
    """
    tree = project.staged(check_profile(profile))
    source, target = project.root / "book", tree.base / "book"
    target.mkdir(parents=True, exist_ok=True)
    kept = PRODUCED | {Path(page).name for page in PAGE_OF.values()}
    for old in target.iterdir():
        if old.name not in kept:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    for new in source.iterdir() if source.is_dir() else ():
        if new.name not in kept:
            copy = shutil.copytree if new.is_dir() else shutil.copyfile
            copy(new, target / new.name)
    shutil.copyfile(project.root / "_toc.yml", tree.base / "_toc.yml")
    config = yaml.safe_load((project.root / "_config.yml").read_text("utf-8"))
    if profile in BANNERS:
        config.setdefault("html", {})["announcement"] = BANNERS[profile]
    (tree.base / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    write_generated(tree, notebooks_in(project, tree))
    missing = [
        page
        for page in toc_pages(tree.base / "_toc.yml")
        if not any((tree.base / f"{page}{suffix}").is_file() for suffix in (".md", ".ipynb"))
    ]
    hint = f"pages of _toc.yml are missing (notebooks: xai-lib run --profile {profile})"
    _raise(hint, missing)
    return tree


def notebooks_in(project: Project, tree: BookTree) -> list[str]:
    """List the notebooks that the table of contents asks for.

    Parameters
    ----------
    project : Project
        The repository.
    tree : BookTree
        A tree of it; only paths are taken from it.

    Returns
    -------
    list of str
        Names, in alphabetical order.
    """
    pages = set(toc_pages(project.root / "_toc.yml"))
    return [
        name
        for name in project.sources()
        if tree.notebook(name).relative_to(tree.base).with_suffix("").as_posix() in pages
    ]


def toc_pages(toc: Path) -> list[str]:
    """List the pages of a `_toc.yml`, root first, without suffixes.

    Parameters
    ----------
    toc : Path
        The table of contents.

    Returns
    -------
    list of str
        Such as `book/index`.
    """

    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key in ("root", "file"):
                if key in node:
                    yield str(Path(node[key]).with_suffix("").as_posix())
            for key in ("parts", "chapters", "sections", "subtrees", "entries"):
                yield from walk(node.get(key))
        elif isinstance(node, list):
            for entry in node:
                yield from walk(entry)

    return list(walk(yaml.safe_load(toc.read_text("utf-8"))))


def sphinx(source: Path, output: Path, log: Path) -> None:
    """Run Jupyter Book from an empty state; every warning is an error.

    Parameters
    ----------
    source : Path
        Folder with `_config.yml`.
    output : Path
        Where `_build/html` goes.
    log : Path
        Keeps everything that is printed.

    Raises
    ------
    BookError
        With the warnings, if there are any.
    """
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    start = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "build", str(source)]
    command += ["--path-output", str(output), "-W", "-n", "--keep-going"]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"},
    )
    printed = ANSI.sub("", done.stdout)
    log.write_text(printed, "utf-8")
    if done.returncode != 0:
        lines = printed.splitlines()
        bad = [line for line in lines if "WARNING" in line or "ERROR" in line] or lines[-25:]
        raise BookError("\n".join(["Sphinx is not content:", *bad, f"Full log: {log}"]))


def check_book(html: Path, tree: BookTree, names: list[str]) -> list[str]:
    """List what is wrong with the built pages.

    Parameters
    ----------
    html : Path
        Folder of the built pages.
    tree : BookTree
        What they were built from.
    names : list of str
        Notebooks that must be offered for download.

    Returns
    -------
    list of str
        One line per problem.
    """
    problems = check_html(html)
    for page in toc_pages(tree.base / "_toc.yml"):
        if not (html / f"{page}.html").is_file():
            problems.append(f"{page}.html was not built")
    for name in names:
        path = tree.notebook(name).relative_to(tree.base)
        rendered = html / path.with_suffix(".html")
        if not (html / "_sources" / path).is_file():
            problems.append(f"the notebook {path} is not among the downloads")
        elif rendered.is_file() and f"_sources/{path.as_posix()}" not in rendered.read_text(
            "utf-8"
        ):
            problems.append(f"{rendered.name} does not offer its notebook for download")
    return problems


def _raise(what: str, problems: list[str]) -> None:
    if problems:
        raise BookError("\n  ".join([f"{what}:", *problems]))
