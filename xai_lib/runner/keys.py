"""A key that changes whenever a notebook's numbers could: the base of resuming finished work."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import nbformat

from xai_lib.runner.project import Project
from xai_lib.runner.weave import code_of

# These read and arrange what notebooks produce; no number depends on them.
TOOLS = ("runner", "book.py", "run.py", "cli.py", "__main__.py")


def run_key(
    project: Project, name: str, parameters: dict[str, Any], data_dir: Path | None = None
) -> str:
    """Hash everything that decides the numbers of one notebook.

    That is: its code cells, the parameters, the code and data files of `xai_lib`, the notebook's
    profile file, and the manifests of the data folder. Prose cells, comments and docstrings do not
    count, so that rewording a chapter does not cost a run of hours.

    Parameters
    ----------
    project : Project
        The repository.
    name : str
        Name of the notebook.
    parameters : dict
        Values for the parameters cell, JSON-able.
    data_dir : Path, optional
        Folder of data sets.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()

    def add(label: str, content: str | bytes) -> None:
        raw = content.encode() if isinstance(content, str) else content
        digest.update(f"{label}\0{len(raw)}\0".encode())
        digest.update(raw)

    for number, code in enumerate(code_cells(project.sources()[name])):
        add(f"cell {number}", code)
    add("parameters", json.dumps(parameters, sort_keys=True))
    add("python", "{}.{}".format(*sys.version_info[:2]))
    for label, content in _package_files():
        add(label, content)
    profile_file = project.root / "notebooks" / "profiles" / f"{name}.yaml"
    if profile_file.is_file():
        add("profile", profile_file.read_bytes())
    for manifest in _manifests(data_dir):
        add(f"data {manifest.parent.name}", manifest.read_bytes())
    return digest.hexdigest()


def notebook_sha256(path: Path) -> str:
    """Hash the code of a notebook; its prose and outputs do not count.

    Parameters
    ----------
    path : Path
        The notebook.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256("\0".join(code_cells(path)).encode()).hexdigest()


def code_cells(path: Path) -> list[str]:
    """Return the source of every code cell of a notebook that holds code, in order."""
    return [cell.source for cell in code_of(nbformat.read(path, as_version=4))]


def _package_files() -> list[tuple[str, str | bytes]]:
    package = Path(__file__).resolve().parent.parent
    found: list[tuple[str, str | bytes]] = []
    for path in sorted(package.rglob("*")):
        relative = path.relative_to(package)
        if relative.parts[0] in TOOLS or "__pycache__" in relative.parts:
            continue
        if path.suffix == ".py":
            found.append((relative.as_posix(), _without_prose(path.read_text("utf-8"))))
        elif path.suffix in {".yaml", ".yml", ".json", ".mplstyle"}:
            found.append((relative.as_posix(), path.read_bytes()))
    return found


def _without_prose(source: str) -> str:
    """Return the syntax tree of `source` as text: no comments, no layout, no docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and body
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = body[1:]
    return ast.dump(tree)


def _manifests(data_dir: Path | None) -> list[Path]:
    return sorted(data_dir.glob("*/meta.json")) if data_dir else []
