"""Measure speed, mostly against the ``lime`` package: ``make bench`` or ``xai-lib bench``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

if __name__ == "__main__":  # As a script, Python looks for modules in this folder only.
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import typer
from rich.console import Console

from benchmarks.results import Results, Row
from benchmarks.settings import QUICK, Settings, default_model

HERE = Path(__file__).resolve().parent

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def group_names(settings: Settings) -> list[str]:
    """List the groups of rows in the order in which they are measured."""
    lime = [f"lime-{words}" for words in settings.words]
    return [
        "selection",
        *lime,
        "bfloat16",
        "mase",
        "calls-short",
        "calls-long",
        "amortised",
        "ldav",
        "l2e",
        "image",
    ]


def measure(
    settings: Settings,
    results: Results,
    groups: list[str],
    console: Console,
    data_dir: Path | None = None,
) -> None:
    """Measure groups of rows and write the file after each.

    Parameters
    ----------
    settings
        Sizes.
    results
        Where the rows go.
    groups
        Names of `group_names`.
    console
        Where progress is told.
    data_dir
        Folder of data sets.
    """
    from benchmarks import amortised, budget, image, l2e, ldav, mase, precision, selection, speed
    from xai_lib.data import load_dataset
    from xai_lib.models.precision import fast_bfloat16, pick_device
    from xai_lib.models.zoo import train_named
    from xai_lib.models.zoo_entries import ZOO

    dataset = load_dataset(settings.data, "test", data_dir=data_dir)
    if settings.model in ZOO:  # Once, before the processes ask for it.
        train_named(settings.model, settings.device, data_dir)

    def report(rows: list[Row]) -> None:
        results.add(rows)
        for row in rows:
            value = "-" if row.value is None else f"{row.value:.3g}"
            console.print(f"{row.what}: {value}", markup=False, highlight=False, soft_wrap=True)

    if "selection" in groups:
        report(selection.rows(settings))
    with ExitStack() as stack:
        lengths = [words for words in settings.words if f"lime-{words}" in groups]
        # Memory grows with the text: each length's peak is its own only in this order.
        for sides in [stack.enter_context(speed.started(settings, data_dir))] if lengths else []:
            for words in sorted(lengths):
                report(speed.rows(sides, settings, dataset, words))
    later: dict[str, Callable[[], list[Row]]] = {
        "bfloat16": lambda: precision.rows(settings, dataset, data_dir),
        "mase": lambda: mase.rows(settings, dataset, data_dir),
        "calls-short": lambda: budget.rows(settings, dataset, "short", data_dir),
        "calls-long": lambda: budget.rows(settings, dataset, "long", data_dir),
        "amortised": lambda: amortised.rows(settings, dataset, data_dir),
        "ldav": lambda: ldav.rows(settings, data_dir),
        "l2e": lambda: l2e.rows(settings, data_dir),
        "image": lambda: image.rows(settings, data_dir),
    }
    if "bfloat16" in groups and not fast_bfloat16(pick_device(settings.device)):
        console.print("No bfloat16 units: its rows are left out.")
        later.pop("bfloat16")
    for name, rows in later.items():
        if name in groups:
            report(rows())


@app.command()
def main(
    quick: Annotated[bool, typer.Option("--quick", help="Tiny sizes: only show it runs.")] = False,
    model: Annotated[
        str | None, typer.Option(help="Black box; default minilm-emotion, or minilm-r8.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Data set of the texts; with --model.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with data sets; default $XAI_DATA_DIR.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    repeats: Annotated[int | None, typer.Option(help="Interleaved rounds; default 3.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Measure this group, keep the other rows; repeatable.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep rows already measured in the same settings.")
    ] = False,
    out: Annotated[Path, typer.Option(help="The results.")] = HERE / "results.json",
    figure: Annotated[
        Path | None, typer.Option(help="Draw the accuracy curves into this file.")
    ] = None,
) -> None:
    """Measure, print a table, write the results."""
    console = Console()
    try:
        _main(quick, model, data, data_dir, device, seed, repeats, only, resume, out, figure)
    except ValueError as error:
        console.print(f"Error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        console.print("interrupted; --resume keeps what was measured")
        raise typer.Exit(130) from None


def _main(
    quick: bool,
    model: str | None,
    data: str | None,
    data_dir: Path | None,
    device: str,
    seed: int,
    repeats: int | None,
    only: list[str] | None,
    resume: bool,
    out: Path,
    figure: Path | None,
) -> None:
    if find_spec("lime") is None:
        raise ValueError(
            "The lime package is not installed. Install the extra that has it: "
            "pip install -e '.[bench]'"
        )
    if model is None:
        model, data = default_model(data_dir)
    if data is None:
        from xai_lib.models.zoo_entries import ZOO

        if model not in ZOO:
            raise ValueError(f"Say with --data which texts {model!r} should explain.")
        data = ZOO[model].dataset
    sizes: dict[str, Any] = dict(QUICK) if quick else {}
    if repeats is not None:
        sizes["repeats"] = repeats
    settings = Settings(model, data, device, seed, **sizes)
    if settings.repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {settings.repeats}.")
    known = group_names(settings)
    if unknown := sorted(set(only or []) - set(known)):
        raise ValueError(f"Unknown groups {unknown}. Valid groups are: {', '.join(known)}.")
    from xai_lib.models.precision import pick_device

    console = Console()
    resume = resume or bool(only)
    results = Results(out, settings.to_dict(), pick_device(device), resume, known)
    wanted = [name for name in known if name in (only or known)]
    groups = [name for name in wanted if only or not results.done(name)]
    measure(settings, results, groups, console, data_dir)
    console.print(results.table())
    console.print(f"written: {out}", markup=False, highlight=False, soft_wrap=True)
    if figure is not None:
        from benchmarks.figure import draw

        draw(results.document(), figure)
        console.print(f"drawn: {figure}", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app()
