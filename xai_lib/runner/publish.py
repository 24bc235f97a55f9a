"""Bring executed notebooks into the committed book, and their prose up to date."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat

from xai_lib.report.redraw import redraw
from xai_lib.runner.errors import RunnerError
from xai_lib.runner.project import PROFILES, BookTree, Project
from xai_lib.runner.records import RunRecord
from xai_lib.runner.weave import weave_file


def publish_notebooks(
    project: Project, names: list[str] | tuple[str, ...], profile: str, force: bool = False
) -> list[Path]:
    """Copy executed notebooks, results and run records of a profile into the committed book.

    Prose is that of the sources as they are now.

    Parameters
    ----------
    project : Project
        The repository.
    names : sequence of str
        Notebooks; none means all.
    profile : str
        Profile they were run with.
    force : bool
        Let a run of a smaller profile take the place of one of a larger.

    Returns
    -------
    list of Path
        The notebooks written.

    Raises
    ------
    RunnerError
        If a notebook has not been run with that profile, or a larger run is published.
    ValueError
        If the code of a notebook has changed since.
    """
    staged, target = project.staged(profile), project.published
    chosen = project.select(names)
    for name in chosen:
        if not staged.notebook(name).is_file():
            raise RunnerError(
                f"{name} has not been run with profile {profile}: xai-lib run {name} "
                f"--profile {profile}"
            )
        earlier = RunRecord.load(target.run_record(name))
        if not force and earlier and PROFILES.index(profile) < PROFILES.index(earlier.profile):
            raise RunnerError(
                f"{name} is published with profile {earlier.profile}; --force puts the smaller "
                f"run of profile {profile} in its place"
            )
    written = []
    for name in chosen:
        weave_file(project.sources()[name], staged.notebook(name), target.notebook(name))
        target.runs.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(staged.run_record(name), target.run_record(name))
        if (staged.results / name).is_dir():
            shutil.rmtree(target.results / name, ignore_errors=True)
            shutil.copytree(staged.results / name, target.results / name)
        written.append(target.notebook(name))
    return written


def refresh_prose(
    project: Project, tree: BookTree, names: list[str] | tuple[str, ...] = ()
) -> list[Path]:
    """Bring prose, tables and verdicts of executed notebooks up to date, without executing.

    Prose is that of the sources; tables and verdicts are drawn anew from the results.

    Parameters
    ----------
    project : Project
        The repository.
    tree : BookTree
        The book to change.
    names : sequence of str
        Notebooks; none means all that `tree` holds.

    Returns
    -------
    list of Path
        The notebooks written.

    Raises
    ------
    ValueError
        If the code of a notebook has changed since it was executed.
    """
    written = []
    for name in project.select(names):
        path = tree.notebook(name)
        if path.is_file():
            weave_file(project.sources()[name], path, path)
            notebook = nbformat.read(path, as_version=4)
            redraw(notebook, tree.results)
            nbformat.write(notebook, path)
            written.append(path)
    return written
