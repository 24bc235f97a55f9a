"""Run the book's notebooks: the ones that need it, two at a time, and stop at the first error."""

from __future__ import annotations

import os
import queue
import shutil
import threading
from collections import deque
from pathlib import Path
from typing import Any

import nbformat
from rich.console import Console

from xai_lib.runner.errors import NotebookError
from xai_lib.runner.execute import Timing, execute, has_errors, n_code_cells
from xai_lib.runner.keys import notebook_sha256, run_key
from xai_lib.runner.parts import Part, kept_of, part_of, shortened, stage_results, with_kept
from xai_lib.runner.progress import Reporter, duration, make_reporter
from xai_lib.runner.project import Project, available_cores
from xai_lib.runner.records import RunRecord, all_versions, commit_of, describe_device, now
from xai_lib.runner.settings import RunSettings
from xai_lib.runner.weave import weave, weave_file

Event = tuple[str, str, Any]


def run_notebooks(
    project: Project,
    names: list[str] | tuple[str, ...] = (),
    settings: RunSettings | None = None,
    console: Console | None = None,
) -> dict[str, RunRecord]:
    """Execute notebooks and put them, woven with their sources, into the staged book.

    A notebook whose key (code, parameters, library, profile, data) equals that of the staged one is
    not executed again; its prose is brought up to date all the same.

    Parameters
    ----------
    project : Project
        The repository.
    names : sequence of str
        Notebooks to run; none means all.
    settings : RunSettings
        Profile, device, seed, ...
    console : Console, optional
        Where to report; standard output by default.

    Returns
    -------
    dict
        The run record of each notebook.

    Raises
    ------
    RunnerError
        If a name is unknown, or a notebook cannot be run in parts.
    NotebookError
        If a notebook fails: those that run beside it are finished, no other is started.
    """
    settings, console = settings or RunSettings(), console or Console()
    chosen = project.select(names)
    parameters, data = settings.parameters(), settings.data_folder()
    parts: dict[str, Part] = {}
    if settings.part is not None:
        parts = {name: part_of(project, name, settings.profile, settings.part) for name in chosen}
        # It is no run of the whole, and must not pass for one.
        parameters = {**parameters, "part": settings.part}
    keys = {name: run_key(project, name, parameters, data) for name in chosen}
    records: dict[str, RunRecord] = {}
    waiting: deque[str] = deque()
    with make_reporter(console) as reporter:
        for name in chosen:
            finished = None if settings.force else _finished(project, settings, name, keys[name])
            if finished is None:
                waiting.append(name)
            else:
                records[name] = finished
                _stage(project, settings, name, parts.get(name))
                reporter.skipped(name, finished.seconds)
        if waiting:
            records |= _run_all(project, settings, waiting, keys, parts, reporter)
    for name in chosen:
        console.print(
            f"  {name:<12} {duration(records[name].seconds):>12}   "
            f"{project.staged(settings.profile).notebook(name)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    return records


def _finished(project: Project, settings: RunSettings, name: str, key: str) -> RunRecord | None:
    """Return the record of a finished run with this key whose output is still there and sound."""
    record = RunRecord.load(project.staged(settings.profile).run_record(name))
    raw = project.raw(settings.profile, name)
    if record is None or record.key != key or not raw.is_file():
        return None
    return None if has_errors(nbformat.read(raw, as_version=4)) else record


def _run_all(
    project: Project,
    settings: RunSettings,
    waiting: deque[str],
    keys: dict[str, str],
    parts: dict[str, Part],
    reporter: Reporter,
) -> dict[str, RunRecord]:
    """Keep up to `jobs` notebooks running until all are done or one has failed.

    Each runs in a thread (the work is in the kernel's process) and reports by a queue; threads are
    daemons, so that an interrupt ends at once and the orphaned kernels with it.
    """
    cores = available_cores()
    jobs = min(settings.jobs or min(2, cores), len(waiting))
    threads = max(1, cores // jobs)
    commit, device = commit_of(project.root), describe_device(settings.device)
    records: dict[str, RunRecord] = {}
    failures: list[NotebookError] = []
    running: dict[str, str] = {}  # name -> start time
    events: queue.Queue[Event] = queue.Queue()
    while running or (waiting and not failures):
        while waiting and len(running) < jobs and not failures:
            name = waiting.popleft()
            part = parts.get(name)
            source = project.sources()[name]
            data = settings.data_folder()
            environment = {
                **({"XAI_DATA_DIR": str(data)} if data else {}),
                "XAI_RESULTS_DIR": str(project.staged(settings.profile).results),
                "XAI_PROFILE": settings.profile,
                "XAI_COMMIT": commit,
                "XAI_NOTEBOOK_SHA256": notebook_sha256(source),
                "XAI_PART": ",".join(part.settings) if part else "",
                "OMP_NUM_THREADS": str(threads),
                # Their bars and warnings would leave paths of this machine in the notebook.
                "TQDM_DISABLE": "1",
                "PYTHONWARNINGS": "ignore:IProgress not found",
                "MKL_NUM_THREADS": str(threads),
                # Threads of the tokenizer and forked workers warn about each other.
                "TOKENIZERS_PARALLELISM": os.environ.get("TOKENIZERS_PARALLELISM", "false"),
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            }
            _clear(project, settings.profile, name)
            output = project.raw(settings.profile, name)
            if part is not None:
                stage_results(project, name, settings.profile)
                source = shortened(source, part, output.with_suffix(".part.ipynb"))
            reporter.start(name, n_code_cells(nbformat.read(source, as_version=4)))
            running[name] = now()
            work = (name, source, output, settings, environment, project.root / "notebooks", events)
            threading.Thread(target=_work, args=work, daemon=True).start()
        try:
            name, kind, value = events.get(timeout=0.25)
        except queue.Empty:
            reporter.tick()
            continue
        if kind == "cell":
            reporter.cell(name, *value)
            continue
        started = running.pop(name)
        if kind == "failed":
            reporter.failed(name)
            failures.append(value)
            continue
        timing: Timing = value
        part = parts.get(name)
        _stage(project, settings, name, part)
        records[name] = RunRecord(
            notebook=name,
            profile=settings.profile,
            key=keys[name],
            parameters=settings.parameters(),
            started=started,
            seconds=round(timing.seconds, 2),
            cells=timing.cells,
            commit=commit,
            device=device,
            threads=threads,
            versions=all_versions(),
            kept=None if part is None else kept_of(project, name, part),
        )
        records[name].save(project.staged(settings.profile).run_record(name))
        reporter.done(name, timing.seconds)
    if failures:
        raise failures[0]
    return records


def _work(
    name: str,
    source: Path,
    output: Path,
    settings: RunSettings,
    environment: dict[str, str],
    folder: Path,
    events: queue.Queue[Event],
) -> None:
    def on_cell(number: int, heading: str) -> None:
        events.put((name, "cell", (number, heading)))

    try:
        timing = execute(source, output, settings.parameters(), on_cell, environment, folder)
        events.put((name, "done", timing))
    except NotebookError as failure:
        events.put((name, "failed", failure))
    except BaseException as error:  # or the main thread would wait for ever
        message = f"{type(error).__name__}: {error}"
        events.put((name, "failed", NotebookError(name, 0, 0, "", message, "", output)))


def _clear(project: Project, profile: str, name: str) -> None:
    """Remove what an earlier run of a notebook left, so that nothing stale can pass for new."""
    tree = project.staged(profile)
    for path in (project.raw(profile, name), tree.notebook(name), tree.run_record(name)):
        path.unlink(missing_ok=True)
    shutil.rmtree(tree.results / name, ignore_errors=True)


def _stage(project: Project, settings: RunSettings, name: str, part: Part | None) -> None:
    source, raw = project.sources()[name], project.raw(settings.profile, name)
    target = project.staged(settings.profile).notebook(name)
    if part is None:
        weave_file(source, raw, target)
        return
    paths = (source, raw, project.published.notebook(name))
    own, executed, published = (nbformat.read(path, as_version=4) for path in paths)
    whole = with_kept(own, executed, published, part, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(weave(own, whole), target)
