"""The command line: xai-lib run | publish | book | explain | methods | data | bench."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer
from rich.console import Console
from rich.table import Table

from xai_lib.terminal import explanation_page, explanation_table, read_settings

if TYPE_CHECKING:
    from xai_lib.runner.project import Project

# Commands import what they need: `xai-lib --help` answers at once, without loading torch.

P = ParamSpec("P")

# A word that ends so is the file of a picture.
PICTURES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}

app = typer.Typer(
    help="Explain text classifiers, and rebuild the book that checks how well that works.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def one_line_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turn expected errors into one message: exit code 2 for bad input, 1 for a failed run."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        from xai_lib.runner.errors import BookError, NotebookError

        try:
            command(*args, **kwargs)
        except (NotebookError, BookError) as error:
            raise _fail(str(error), 1) from None
        except (ValueError, FileNotFoundError) as error:
            raise _fail(str(error), 2) from None
        except ImportError as error:
            raise _fail(
                f"{error}. Install the extra that has it: pip install -e '.[book]'", 2
            ) from (None)
        except KeyboardInterrupt:
            raise _fail(
                "interrupted; start again to continue with what is not finished", 130
            ) from (None)

    return wrapped


Profile = Annotated[str, typer.Option(help="Size of the experiments: ci, quick or paper.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:<number> or mps.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


@app.command()
@one_line_errors
def run(
    notebooks: Annotated[
        list[str] | None, typer.Argument(help="Names of notebooks; none means all.")
    ] = None,
    profile: Profile = "quick",
    device: Device = "auto",
    seed: Seed = 0,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with data sets; default $XAI_DATA_DIR.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Notebooks at a time; default two where there are cores.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run what is up to date, too.")] = False,
    part: Annotated[
        str | None,
        typer.Option(
            help="text, image or settings (sst2,cola): run these, keep what is published of others."
        ),
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Then copy notebooks and results into book/.")
    ] = False,
) -> None:
    """Execute notebooks; what is up to date is skipped."""
    from xai_lib.run import run_notebooks
    from xai_lib.runner.project import Project
    from xai_lib.runner.settings import RunSettings

    project = Project.find()
    settings = RunSettings(profile, device, seed, data_dir, jobs, force, part)
    run_notebooks(project, notebooks or [], settings, Console())
    if publish:
        _publish(project, notebooks or [], profile, force)


@app.command(name="publish")
@one_line_errors
def publish_command(
    notebooks: Annotated[
        list[str] | None, typer.Argument(help="Names of notebooks; none means all.")
    ] = None,
    profile: Profile = "paper",
    prose: Annotated[
        bool,
        typer.Option(
            "--prose", help="Only bring prose, tables and verdicts of what is published up to date."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a larger published run by a smaller one.")
    ] = False,
) -> None:
    """Copy executed notebooks and their results into book/; executes nothing."""
    from xai_lib.runner.project import Project

    _publish(Project.find(), notebooks or [], None if prose else profile, force)


@app.command()
@one_line_errors
def book(profile: Profile = "quick") -> None:
    """Build the HTML book from the notebooks last executed with a profile."""
    import time

    from xai_lib.book import build_book, notebooks_in
    from xai_lib.runner.progress import duration
    from xai_lib.runner.project import Project
    from xai_lib.runner.records import RunRecord

    project, started = Project.find(), time.perf_counter()
    page = build_book(project, profile)
    tree, table = project.staged(profile), Table("notebook", "time")
    for name in notebooks_in(project, tree):
        record = RunRecord.load(tree.run_record(name))
        table.add_row(name, duration(record.seconds) if record else "")
    table.add_row("(pages)", duration(time.perf_counter() - started))
    Console().print(table)
    _say(f"The book: {page}")


@app.command()
@one_line_errors
def explain(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT",
            help="The text, best in quotes, - reads standard input; or the file of a picture.",
        ),
    ],
    model: Annotated[
        str, typer.Option(help="Name in the zoo, folder of a Hugging Face classifier, or hub id.")
    ],
    method: Annotated[
        str | None, typer.Option(help="Name of the method, see xai-lib methods; default lipex.")
    ] = None,
    explainer: Annotated[
        Path | None, typer.Option(help="Folder of a fitted explainer, in place of a method.")
    ] = None,
    n_samples: Annotated[
        int | None, typer.Option(help="Budget in model calls; default that of the method.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another setting of the method, NAME=VALUE; repeatable."),
    ] = None,
    device: Device = "auto",
    seed: Seed = 0,
    top: Annotated[int, typer.Option(help="Words shown for each class.")] = 5,
    html: Annotated[Path | None, typer.Option(help="Write the heat map to this file.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the explanation to this file.")
    ] = None,
) -> None:
    """Explain one text, or one picture, of a model."""
    settings = read_settings(setting or [])
    if n_samples is not None:
        settings["n_samples"] = n_samples
    for file in (html, json_file):
        if file is not None and not file.resolve().parent.is_dir():
            raise ValueError(f"the folder of {file} does not exist")
        if file is not None and file.is_dir():
            raise ValueError(f"{file} is a folder; give the name of a file in it")
    if top < 1:
        raise ValueError(f"top must be 1 or more, not {top}")
    if explainer is not None and (settings or method is not None):
        raise ValueError("a fitted explainer brings its method and settings; give it alone")
    import xai_lib
    from xai_lib.explainers import explainer_class

    if method is not None and explainer_class(method).amortised:
        raise ValueError(
            f"{method} has to be fitted before it explains; give the folder of a fitted one with "
            f"--explainer FOLDER in place of --method {method}"
        )
    text = " ".join(words)  # A text without quotes comes as its words.
    if text == "-":
        text = sys.stdin.read()
    elif Path(text).suffix.lower() in PICTURES and not (" " in text or Path(text).is_file()):
        raise ValueError(f"there is no picture {text}; words that look like one go in by -")
    by = (method or "lipex") if explainer is None else xai_lib.load_explainer(explainer)
    classifier = xai_lib.load_classifier(model, device=device)
    picture = words != ["-"] and Path(text).suffix.lower() in PICTURES and Path(text).is_file()
    if picture and classifier.modality == "text":
        raise ValueError(f"{text} is a picture, and {model} reads texts; words go in by -")
    explanation = xai_lib.explain(text, classifier, method=by, seed=seed, **settings)
    Console().print(explanation_table(explanation, top))
    unread = getattr(explanation, "truncated_words", 0)
    note = f"; the model did not read the last {unread} words" if unread else ""
    if classifier.modality == "image" and explanation.n_features == 1:
        note += "; the whole picture is one segment, so that there is nothing to compare"
    calls = explanation.model_calls
    cost = f"{calls} model call{'s' * (calls != 1)}, {explanation.seconds:.2f} s"
    _say(f"{explanation.method}: {cost}{note}")
    if html is not None:
        html.write_text(explanation_page(explanation), "utf-8")
        _say(f"heat map: {html}")
    if json_file is not None:
        json_file.write_text(explanation.to_json(), "utf-8")
        _say(f"explanation: {json_file}")


@app.command(name="methods")
@one_line_errors
def methods_command() -> None:
    """List the methods: what they explain, and what they need of the model."""
    from xai_lib.explainers import explainer_class, methods

    listing = Table("method", "explains", "needs")
    for name in methods():
        kind = explainer_class(name)
        needs = "the inside of the model" if kind.white_box else "answers"
        if kind.amortised:
            needs += ", and a teacher"
        listing.add_row(name, " and ".join(f"{one}s" for one in kind.modalities), needs)
    Console().print(listing)


@app.command()
@one_line_errors
def data(
    name: Annotated[str | None, typer.Argument(help="A data set; none lists them all.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with data sets; default $XAI_DATA_DIR.")
    ] = None,
) -> None:
    """List the data sets, or show where one comes from and what it holds."""
    from xai_lib.data import CATALOGUE, load_dataset

    console = Console()
    if name is None:
        listing = Table("name", "classes", "splits", "looked for in")
        for spec in CATALOGUE:
            places = ["generated"] if spec.generate else ["folder", *map(str, spec.sources)]
            listing.add_row(
                spec.name, str(len(spec.classes)), ", ".join(spec.splits), ", ".join(places)
            )
        console.print(listing)
        return
    known = next((spec for spec in CATALOGUE if spec.name == name), None)
    shown = Table("split", "rows", "source", "sha256")
    found = None
    for split in known.splits if known else ("train", "test"):
        found = load_dataset(name, split, data_dir)
        shown.add_row(split, f"{len(found):,}", found.source, found.sha256[:16])
    if known:
        _say(known.title)
    console.print(shown)
    if found is not None:
        _say("classes: " + ", ".join(found.classes))
        for note in found.notes:
            _say(f"note: {note}")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@one_line_errors
def bench(context: typer.Context) -> None:
    """Measure speed against the lime package; options are those of benchmarks/run.py."""
    from xai_lib.runner.errors import RunnerError
    from xai_lib.runner.project import Project

    root = Project.find().root
    script = root / "benchmarks" / "run.py"
    if not script.is_file():
        raise RunnerError(f"{script} does not exist")
    done = subprocess.run([sys.executable, str(script), *context.args], cwd=root, check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)


def _publish(project: Project, names: list[str], profile: str | None, force: bool) -> None:
    """Copy what was run with a profile into book/, or with None only refresh what is there."""
    from xai_lib.book import notebooks_in
    from xai_lib.runner.pages import write_generated
    from xai_lib.runner.publish import publish_notebooks, refresh_prose

    if profile is None:
        written = refresh_prose(project, project.published, names)
    else:
        written = publish_notebooks(project, names, profile, force)
    write_generated(project.published, notebooks_in(project, project.published))
    for path in written:
        _say(f"published {path}")


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def _fail(message: str, code: int) -> typer.Exit:
    console = Console(stderr=True)
    console.print(f"Error: {message}", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(code)


if __name__ == "__main__":
    app()
