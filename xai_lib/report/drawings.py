"""Figures that know which results they show, so that they can be drawn anew without a run."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec
from weakref import WeakKeyDictionary

from xai_lib.report.results import Result, load_result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")

_DRAWN: dict[str, Callable[..., Any]] = {}
_SOURCES: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def from_result(
    draw: Callable[Concatenate[Result, P], Figure],
) -> Callable[Concatenate[Result, P], Figure]:
    """Note on each figure of a function from which result and with which arguments it was drawn.

    Parameters
    ----------
    draw
        Draws one stored result and nothing else; its other arguments are plain data.

    Returns
    -------
    callable
        The function; `source_of` tells of its figures what `drawn_again` needs.
    """
    name = f"{draw.__module__.rpartition('.')[2]}.{draw.__name__}"

    @wraps(draw)
    def noted(result: Result, /, *args: P.args, **kwargs: P.kwargs) -> Figure:
        fig = draw(result, *args, **kwargs)
        given = inspect.signature(draw).bind(result, *args, **kwargs).arguments
        of_result = next(iter(given))
        _SOURCES[fig] = {
            "figure": name,
            "paper": result.paper,
            "item": result.item,
            "arguments": {key: value for key, value in given.items() if key != of_result},
        }
        return fig

    _DRAWN[name] = noted
    return noted


def source_of(fig: Figure) -> str | None:
    """Return what a figure was drawn from as JSON, or None where that is not known."""
    source = _SOURCES.get(fig)
    return None if source is None else json.dumps(source)


def drawn_again(source: str, results: Path) -> Figure:
    """Draw a figure anew.

    Parameters
    ----------
    source
        What `source_of` returned.
    results
        Folder with a folder of results for each paper.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is no such figure.
    FileNotFoundError
        If the result is not there.
    """
    given = json.loads(source)
    name = given["figure"]
    with suppress(ImportError):
        importlib.import_module(f"xai_lib.report.{name.partition('.')[0]}")
    if name not in _DRAWN:
        raise ValueError(f"there is no figure {name!r} that is drawn from a result alone")
    result = load_result(given["paper"], given["item"], results)
    fig: Figure = _DRAWN[name](result, **given["arguments"])
    return fig
