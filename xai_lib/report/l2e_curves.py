"""The curves of the L2E chapter: losses, sizes, numbers of neighbours, drawn from results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xai_lib import papers
from xai_lib.report.cells import select
from xai_lib.report.drawings import from_result
from xai_lib.report.panels import (
    distinct,
    grid,
    legend_below,
    log_ticks,
    name_panel,
    panels,
    rows_with,
    spans,
)
from xai_lib.report.results import Result
from xai_lib.report.style import method_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@from_result
def optimiser_curves(result: Result) -> Figure:
    """Draw the loss by epoch for each optimiser.

    Parameters
    ----------
    result
        Rows ``setting, formulation, optimizer, epoch, part (training, validation), mean``.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each setting and formulation; full lines are validation, broken ones training.
    """
    places = list(dict.fromkeys((row["setting"], row["formulation"]) for row in result.rows))
    fig, axes = grid(len(places), share=False)
    names = distinct(result.rows, "optimizer")
    looks = dict(zip(names, _palette(len(names)), strict=True))
    for ax, (setting, formulation) in zip(axes, places, strict=True):
        for optimizer, colour in looks.items():
            for part, line in (("validation", "-"), ("training", "--")):
                where = {"setting": setting, "formulation": formulation, "optimizer": optimizer}
                rows = rows_with(result, {**where, "part": part})
                rows.sort(key=lambda row: row["epoch"])
                ax.plot(
                    [row["epoch"] for row in rows], [row["mean"] for row in rows], line,
                    color=colour, label=f"{_OPTIMISERS.get(optimizer, optimizer)}, {part}",
                )  # fmt: skip
        ax.set_title(f"{papers.paper(result.paper).setting_name(setting)}, {formulation}")
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss")
    legend_below(fig, axes)
    return fig


@from_result
def size_curves(
    result: Result, measure: str, along: str = "texts", by: str = "width", label: str = ""
) -> Figure:
    """Draw one measure of students against their size or that of their training set.

    Parameters
    ----------
    result
        Rows ``setting, teacher, width, texts, measure, mean, low, high``.
    measure
        Which measure.
    along, by
        The column to draw along, on a logarithmic axis, and that with a curve for each value.
    label
        What the vertical axis shows; the measure by default.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each setting and teacher.
    """
    rows = rows_with(result, {"measure": measure})
    places = list(dict.fromkeys((row["setting"], row["teacher"]) for row in rows))
    values = sorted(distinct(rows, by))
    fig, axes = grid(len(places), share=False)
    paper = papers.paper(result.paper)
    for ax, (setting, teacher) in zip(axes, places, strict=True):
        chosen = select(rows, {"setting": setting, "teacher": teacher})
        for i, (value, colour) in enumerate(zip(values, _palette(len(values)), strict=True)):
            some = sorted(select(chosen, {by: value}), key=lambda row: row[along])
            if some:
                ax.errorbar(
                    [row[along] for row in some], [row["mean"] for row in some], yerr=spans(some),
                    color=colour, marker="osD^vPX"[i % 7], markersize=5, elinewidth=1,
                    label=f"{by} {value:g}",
                )  # fmt: skip
        log_ticks(ax, distinct(chosen, along))
        ax.set_title(f"{paper.setting_name(setting)}, taught by {method_name(teacher)}")
        ax.set_xlabel({"texts": "texts that the teacher explained"}.get(along, along))
        ax.set_ylabel(label or measure)
    legend_below(fig, axes)
    return fig


@from_result
def division_curves(result: Result) -> Figure:
    """Draw the overlap of human rationales against the number of neighbours, in both forms.

    Parameters
    ----------
    result
        Rows ``setting, neighbours, divided, mean, low, high``.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each setting; a dotted line is the number that the paper prints.
    """
    settings = distinct(result.rows, "setting")
    fig, axes = panels(len(settings), legend=True)
    (printed,) = (
        cell["mean"]
        for cell in papers.published(result.paper, "table-5") or []
        if (cell["filter"], cell["teacher"]) == ("none", "human")
    )
    forms = ((False, "o-", "Equation 1"), (True, "s--", "divided again, as released"))
    for ax, setting in zip(axes, settings, strict=True):
        for (divided, look, name), colour in zip(forms, _palette(2), strict=True):
            rows = rows_with(result, {"setting": setting, "divided": divided})
            rows.sort(key=lambda row: row["neighbours"])
            ax.errorbar(
                [row["neighbours"] for row in rows], [row["mean"] for row in rows],
                yerr=spans(rows), fmt=look, color=colour, elinewidth=1, label=name,
            )  # fmt: skip
        ax.set_xticks(sorted(distinct(result.rows, "neighbours")))
        ax.axhline(printed, color="#6e6e6e", linestyle=":", label="paper, three neighbours")
        ax.set_ylim(bottom=0)
        name_panel(ax, result, setting, "neighbours")
        ax.set_ylabel("overlap of human rationales")
    legend_below(fig, axes)
    return fig


_OPTIMISERS = {"sgd": "gradient descent", "adam": "Adam"}


def _palette(n: int) -> list[tuple[float, float, float]]:
    import seaborn as sns

    return list(sns.color_palette("colorblind", n))
