"""Tables that put the paper's number beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from xai_lib import papers
from xai_lib.report.html import MUTED, Html, card, muted, table
from xai_lib.report.judging import accuracy
from xai_lib.report.results import Result
from xai_lib.report.schema import Row
from xai_lib.report.style import angle_name, method_name

NOT_PRINTED = "not printed in the paper"
NOT_RUN = "not run here"
# From so many columns of numbers on a table is set close, or it would be wider than the page.
MANY_COLUMNS = 7

_HEADS = {
    "setting": "Data",
    "k": "K",
    "method": "Method",
    "n_samples": "Perturbations",
    "delta": "Within",
    "sigma": "σ",
    "series": "Curve",
    "statistic": "Statistic",
    "parameter": "Setting",
    "modality": "Modality",
    "variant": "Variant",
    "measure": "Measure",
    "teacher": "Teacher",
    "formulation": "Formulation",
    "explanation": "Words of",
    "student": "Student",
}


def paper_vs_ours(result: Result) -> Html:
    """Show a result beside the numbers the paper prints.

    Parameters
    ----------
    result
        The result.

    Returns
    -------
    Html
        Our numbers with their 95 % intervals, and the paper's with their spread. Cells that the
        paper prints and this run lacks are shown too. The caption names profile, data,
        black boxes with their held-out accuracy, stand-ins, n and device.

    Raises
    ------
    ValueError
        If the rows lack a column that identifies a cell.
    """
    item = papers.item(result.paper, result.item)
    keys = [key for key in item.keys if key in result.columns]
    if not keys:
        raise ValueError(
            f"{result.item} of {result.paper}: rows need the columns {', '.join(item.keys)}"
        )
    ours = [row for row in result.rows if not _hidden(row, item)]
    pairs: list[tuple[Row, Row | None, Row | None]] = []
    left = list(result.published or ())
    for row in ours:
        match = next((p for p in result.published or () if _matches(row, p, keys)), None)
        if match in left:
            left.remove(match)
        pairs.append(({key: row.get(key) for key in keys}, row, match))
    wanted = {s.id for s in papers.paper(result.paper).settings.values() if s.modality == "image"}
    modalities = {"image" if row.get("setting") in wanted else "text" for row in ours}
    for cell in left:
        # The pictures of a text chapter's table have their own chapter.
        modality = cell.get("modality", "image" if cell.get("setting") in wanted else "text")
        if modality in modalities:
            pairs.append(({key: cell.get(key) for key in keys}, None, cell))
    pivot = item.pivot if item.pivot in keys else None
    if pivot is None:
        content = _long(pairs, keys, item, result)
    else:
        content = _wide(pairs, keys, pivot, item, result)
    source = {"table": "paper_vs_ours", "paper": item.paper, "item": item.id}
    return card(content, f"{item_name(item)}: the paper's numbers and ours", source)


def comparisons_table(result: Result, where: Mapping[str, Any] | None = None) -> Html:
    """Show the paired differences of a result.

    Parameters
    ----------
    result
        The result.
    where
        Columns and values that pick the comparisons, for instance ``{"k": "1-5"}``; all by
        default.

    Returns
    -------
    Html
    """
    chosen = [
        row
        for row in result.comparisons
        if all(row.get(column) == value for column, value in (where or {}).items())
    ]
    item = papers.item(result.paper, result.item)
    keys = [key for key in item.keys if any(row.get(key) is not None for row in chosen)]
    digits = max(item.digits, 3)
    tested = any(row.get("p_holm") is not None for row in chosen)
    rows = []
    for row in chosen:
        pair = f"{method_name(row['first'])} − {method_name(row['second'])}"
        p = row.get("p_holm")
        cells = [*(_key(result, key, row.get(key)) for key in keys), escape(pair)]
        cells.append(f"<b>{row['difference']:+.{digits}f}</b> {_interval(row, digits, True)}")
        cells.append(str(row["n"]))
        if tested:
            cells.append("" if p is None else "&lt; 0.001" if p < 0.001 else f"{p:.3f}")
        rows.append(cells)
    head = [*(_HEADS.get(key, key) for key in keys), "Pair", "Difference [95 %]", "n"]
    if tested:
        head.append("p (Holm)")
    content = table(head, rows, _pairs_caption(result, chosen), headers=len(keys) + 1)
    source = {"table": "comparisons_table", "paper": item.paper, "item": item.id, "where": where}
    return card(content, f"{item_name(item)}: paired differences", source)


def _pairs_caption(result: Result, chosen: Sequence[Row]) -> str:
    """Say what paired differences are and what they rest on; `caption` has the details."""
    item = papers.item(result.paper, result.item)
    quantity = f" ({escape(item.quantity)})" if item.quantity else ""
    parts = [
        f"<b>{escape(item_name(item))}, paired.</b> {escape(result.title)}{quantity}",
        "First minus second on the same n texts, in brackets the 95 % interval of the mean",
        *_tests(chosen),
        f"Profile <i>{escape(result.profile)}</i>",
    ]
    for what, entries in (("Data", result.data), ("Black boxes", result.black_box)):
        named = dict.fromkeys(escape(entry["name"]) + _stand_in(entry) for entry in entries)
        parts.append(f"{what}: {', '.join(named)}")
    parts.append(f"Commit {_commits(result)}")
    return ". ".join(parts) + "."


def _commits(result: Result) -> str:
    """Name the commit, and those of earlier runs whose rows were kept."""
    made = escape(str(result.provenance["commit"])[:10])
    paper = papers.paper(result.paper)
    kept = [
        f"{', '.join(escape(paper.setting_name(key)) for key in one['settings'])}: "
        f"{escape(str(one['commit'])[:10])}"
        for one in result.provenance.get("kept", [])
    ]
    return f"{made} ({'; '.join(kept)})" if kept else made


def _tests(chosen: Sequence[Row]) -> list[str]:
    """Name the tests behind the p-values."""
    used = dict.fromkeys(row.get("test") for row in chosen if row.get("p_holm") is not None)
    names = [_TESTS[test] for test in used if test in _TESTS]
    if not names:
        return []
    text = f"p by {' or '.join(names)}, corrected for the number of comparisons (Holm)"
    if "wilcoxon" in used:
        text += "; the test ranks texts and the interval is of their mean, so one can be sure "
        text += "where the other is not"
    return [text]


_TESTS = {"wilcoxon": "Wilcoxon's signed-rank test", "mcnemar": "McNemar's exact test"}


def caption(result: Result) -> str:
    """Say what a table or figure rests on.

    Parameters
    ----------
    result
        The result.

    Returns
    -------
    str
        HTML: item and title, quantity, n, profile, data, black boxes with held-out accuracy,
        what stands in for what, device, commit; marked, so that `xai_lib.report.redraw` finds it.
    """
    return f'<span data-caption="{result.paper}/{result.item}">{_caption(result)}</span>'


def _caption(result: Result) -> str:
    item = papers.item(result.paper, result.item)
    spread = sorted({row["n"] for row in result.rows if isinstance(row.get("n"), int)})
    parts = [f"<b>{escape(item_name(item))}.</b> {escape(result.title)}"]
    if item.quantity:
        parts[0] += f" ({escape(item.quantity)})"
    if spread:
        n = str(spread[0]) if len(spread) == 1 else f"{spread[0]} to {spread[-1]}"
        parts.append(f"In brackets the 95 % interval, n = {n}")
    if item.kind == "added":
        parts.append("Not in the paper")
    elif item.kind == "reconstructed":
        parts.append("A reconstruction: the paper's own numbers are not available")
    elif not item.printed:
        parts.append("The paper prints no numbers for it")
    parts.append(f"Profile <i>{escape(result.profile)}</i>")
    # A data set with two black boxes is there twice.
    parts += dict.fromkeys(f"Data: {_data(entry)}" for entry in result.data)
    parts += dict.fromkeys(f"Black box: {_black_box(entry)}" for entry in result.black_box)
    parts.append(f"{escape(str(result.provenance['device']))}, commit {_commits(result)}")
    return ". ".join(parts) + "."


def item_name(item: papers.Item) -> str:
    """Name an item as the paper does: ``"Table 1"``; any other by its kind."""
    return _KINDS.get(item.kind, item.name)


_KINDS = {"added": "Added by this book", "reconstructed": "Reconstruction"}


def not_printed(item: papers.Item) -> str:
    """Say why the paper's number is missing."""
    return papers.paper(item.paper).unavailable or NOT_PRINTED


def _data(entry: Row) -> str:
    split = f" ({escape(str(entry['split']))})" if entry.get("split") else ""
    text = f"{escape(entry['name'])}{split}, {entry['rows']} rows, {escape(entry['source'])}"
    return text + _stand_in(entry)


def _black_box(entry: Row) -> str:
    text = f"{escape(entry['name'])}, held-out accuracy {accuracy(entry)}"
    return text + _stand_in(entry)


def _stand_in(entry: Row) -> str:
    stands_for = entry.get("stands_for")
    return f", <b>standing in for {escape(str(stands_for))}</b>" if stands_for else ""


def _hidden(row: Row, item: papers.Item) -> bool:
    return any(row.get(column) in values for column, values in item.hide.items())


def _matches(row: Row, printed: Row, keys: Sequence[str]) -> bool:
    """Match on the keys the printed cell has; without a data set it fits all of ours."""
    return all(row.get(key) == printed[key] for key in keys if key in printed)


def _long(
    pairs: list[tuple[Row, Row | None, Row | None]],
    keys: Sequence[str],
    item: papers.Item,
    result: Result,
) -> str:
    rows = []
    for place, ours, printed in pairs:
        cells = [_key(result, key, place[key]) for key in keys]
        cells.append(_ours(ours, item))
        cells.append(_paper(printed, item))
        if any("n" in row for row in result.rows):
            cells.append(str(ours.get("n", "")) if ours else "")
        rows.append(cells)
    head = [*(_HEADS.get(key, key) for key in keys), "Ours", "Paper"]
    if any("n" in row for row in result.rows):
        head.append("n")
    return table(head, rows, caption(result), headers=len(keys))


def _wide(
    pairs: list[tuple[Row, Row | None, Row | None]],
    keys: Sequence[str],
    pivot: str,
    item: papers.Item,
    result: Result,
) -> str:
    index = [key for key in keys if key != pivot]
    columns = list(dict.fromkeys(place[pivot] for place, _, _ in pairs))
    lines: dict[tuple[Any, ...], dict[Any, tuple[Row | None, Row | None]]] = {}
    for place, ours, printed in pairs:
        line = lines.setdefault(tuple(place[key] for key in index), {})
        line[place[pivot]] = (ours, printed)
    printed_any = any(printed is not None for _, _, printed in pairs)
    dense = len(columns) >= MANY_COLUMNS
    grouped = dense and len(index) > 1  # The first key takes a row, not a column.
    if grouped:
        order = list(dict.fromkeys(place[0] for place in lines))
        lines = dict(sorted(lines.items(), key=lambda line: order.index(line[0][0])))
    rows: list[list[str]] = []
    group = None
    for place_key, line in lines.items():
        start = [_key(result, key, value) for key, value in zip(index, place_key, strict=True)]
        if grouped:
            name, *start = start
            rows += [[name]] if name != group else []
            group = name
        shown = [line.get(column) for column in columns]
        if any(c is not None and c[1] is not None for c in shown):
            start_ours, start_paper = [*start, "ours"], [*start, "paper"]
            rows.append(
                start_ours + ["" if c is None else _ours(c[0], item, "<br>") for c in shown]
            )
            paper = ["" if c is None else muted(_paper(c[1], item, short=True)) for c in shown]
            rows.append(start_paper + paper)
        else:
            start = [*start, "ours"] if printed_any else start
            rows.append(start + ["" if c is None else _ours(c[0], item, "<br>") for c in shown])
    keys = index[grouped:]
    head = [_HEADS.get(key, key) for key in keys] + [""] * printed_any
    head += [_key(result, pivot, column, head=True) for column in columns]
    if not printed_any:
        rows.append(["Paper"] + [""] * (len(keys) - 1) + [not_printed(item)])
    return table(head, rows, caption(result), len(keys) + printed_any, dense=dense)


def _key(result: Result, key: str, value: Any, head: bool = False) -> str:
    if value is None:
        return ""
    if key == "setting":
        return escape(papers.paper(result.paper).setting_name(str(value)))
    if key in ("method", "series", "teacher", "explanation"):
        return escape(method_name(str(value)))
    if key == "k":
        text = escape(str(value)).replace("-", " to ")
        return f"K = {text}" if head else text
    if key == "n_samples" and head:
        return f"N = {escape(str(value))}"
    if key == "delta":
        return escape(angle_name(str(value)))
    if isinstance(value, float):
        return f"{value:g}"
    return escape(str(value).replace("_", " "))


def _number(value: Any, digits: int) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return escape(str(value))
    return f"{value:.{digits}f}"


def _shown(value: Any, item: papers.Item) -> str:
    # A mean has the item's decimals; a setting or a weight as many as it needs.
    if item.value == "mean":
        return _number(value, item.digits)
    return f"{value:.3g}" if isinstance(value, float) else escape(str(value))


def _interval(row: Row, digits: int, sign: bool = False) -> str:
    if row.get("low") is None or row.get("high") is None:
        return ""
    form = f"{'+' if sign else ''}.{digits}f"
    return muted(f"[{row['low']:{form}}, {row['high']:{form}}]")


def _ours(row: Row | None, item: papers.Item, separator: str = " ") -> str:
    if row is None:
        return muted(NOT_RUN)
    value = row.get(item.value)
    if value is None:
        return muted("undefined")
    text = _shown(value, item)
    interval = _interval(row, item.digits)
    return f"<b>{text}</b>{separator}{interval}" if interval else f"<b>{text}</b>"


def _paper(row: Row | None, item: papers.Item, short: bool = False) -> str:
    if row is None:
        return "not printed" if short else f'<span style="color:{MUTED}">{not_printed(item)}</span>'
    value = row[item.value]
    text = _shown(value, item)
    return text if row.get("sd") is None else f"{text} ± {_number(row['sd'], item.digits)}"
