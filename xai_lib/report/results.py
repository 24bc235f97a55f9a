"""A result: the rows behind one figure or table, with the printed numbers and the provenance."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from xai_lib import papers
from xai_lib.report.schema import ResultError, Row, check, columns_of, plain

Rows = Sequence[Mapping[str, Any]] | pd.DataFrame


@dataclass(frozen=True, eq=False)
class Result:
    """Our numbers for one item of a paper, beside the paper's.

    Attributes
    ----------
    paper, item
        ``"lipex"``, ``"table-1"``.
    title
        What the item shows.
    profile
        The profile that made it.
    columns
        Names of the columns of `rows`, in the order to show.
    rows
        Our numbers, one object per cell. A row with a ``mean`` has ``low``, ``high`` (95 %) and
        ``n``.
    comparisons
        Paired differences between methods on the same inputs: ``first``, ``second``,
        ``difference`` (first minus second), ``low``, ``high``, ``n``, and where tested ``p`` and
        ``p_holm``.
    published
        The paper's printed cells, or None where it prints none.
    data
        Data sets used: ``name``, ``source``, ``sha256``, ``rows``; ``stands_for`` names what the
        paper used if it is not the same.
    black_box
        Models explained: ``name``, ``held_out_accuracy``, ``test_size``, and ``stands_for``.
    provenance
        See :func:`xai_lib.report.provenance.provenance`.
    """

    paper: str
    item: str
    title: str
    profile: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    comparisons: tuple[Row, ...]
    published: tuple[Row, ...] | None
    data: tuple[Row, ...]
    black_box: tuple[Row, ...]
    provenance: Row

    def __post_init__(self) -> None:
        check(vars(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and asdict(self) == asdict(other)

    __hash__ = None  # type: ignore[assignment]

    def frame(self) -> pd.DataFrame:
        """Give the rows as a table with the columns in their order."""
        return pd.DataFrame(list(self.rows), columns=list(self.columns))

    def to_json(self) -> str:
        """Write the result as JSON text: sorted keys, UTF-8, no NaN, a line break at the end."""
        return json.dumps(
            asdict(self), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False
        ) + "\n"  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Read a result.

        Parameters
        ----------
        text
            What `to_json` wrote.

        Returns
        -------
        Result

        Raises
        ------
        ResultError
            If a field is missing, unknown or wrong.
        """
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise ResultError(f"not JSON: {error}") from error
        names = {field.name for field in fields(cls)}
        if not isinstance(raw, dict) or set(raw) != names:
            found = sorted(raw) if isinstance(raw, dict) else type(raw).__name__
            raise ResultError(f"a result has the fields {sorted(names)}; found {found}")
        for name in ("columns", "rows", "comparisons", "published", "data", "black_box"):
            if raw[name] is None and name == "published":
                continue
            if not isinstance(raw[name], list):
                raise ResultError(f"{name} must be a list, not {type(raw[name]).__name__}")
            raw[name] = tuple(raw[name])
        return cls(**raw)


class _DatasetLike(Protocol):
    """What `data_record` reads of a data set."""

    @property
    def name(self) -> str: ...

    @property
    def split(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    @property
    def sha256(self) -> str: ...

    def __len__(self) -> int: ...


def data_record(dataset: _DatasetLike, stands_for: str | None = None) -> Row:
    """Describe a data set for the `data` field of a result.

    Parameters
    ----------
    dataset
        The split that was used.
    stands_for
        What the paper used, where it is not this data set; said in every caption.

    Returns
    -------
    dict
        ``name``, ``split``, ``source``, ``sha256``, ``rows``, ``notes``, and ``stands_for``.
    """
    record: Row = {
        "name": dataset.name,
        "split": dataset.split,
        "source": dataset.source,
        "sha256": dataset.sha256,
        "rows": len(dataset),
        "notes": list(dataset.notes),
    }
    return record if stands_for is None else {**record, "stands_for": stands_for}


def results_dir() -> Path:
    """Give the folder that results are written to and read from.

    Returns
    -------
    pathlib.Path
        ``$XAI_RESULTS_DIR``; without it ``_build/results`` in the working directory.
    """
    return Path(os.environ.get("XAI_RESULTS_DIR") or Path("_build") / "results")


def save_result(
    paper: str,
    item: str,
    rows: Rows,
    *,
    profile: str,
    data: Sequence[Mapping[str, Any]],
    black_box: Sequence[Mapping[str, Any]],
    provenance: Mapping[str, Any],
    comparisons: Rows = (),
    columns: Sequence[str] | None = None,
    title: str | None = None,
    folder: str | Path | None = None,
) -> Result:
    """Check a result, add the paper's numbers, and write it.

    Parameters
    ----------
    paper, item
        A paper and one of its items, ``"lipex"``, ``"table-1"``.
    rows
        Our numbers: a DataFrame, or one mapping per cell.
    profile
        The profile that made them.
    data, black_box, provenance
        See `Result`.
    comparisons
        Paired differences, for instance what :func:`xai_lib.metrics.compare_pairs` returns with
        the columns that tell the tables apart (``setting``, ``k``) added.
    columns
        Order of the columns; the order of first appearance by default.
    title
        The item's own title by default.
    folder
        `results_dir` by default.

    Returns
    -------
    Result
        As it reads back: floats have 6 significant digits, NaN is None.

    Raises
    ------
    ResultError
        If the shape is wrong; the message names the field and the row.
    ValueError
        If the paper or the item is unknown.

    Notes
    -----
    Written to ``<folder>/<paper>/<item>.json`` through a temporary file, so that a reader never
    meets half a file.
    """
    known = papers.item(paper, item)
    printed = papers.published(paper, item)
    ours = _objects("rows", rows)
    result = Result(
        paper=paper,
        item=item,
        title=known.title if title is None else title,
        profile=profile,
        columns=tuple(columns) if columns is not None else columns_of(ours),
        rows=tuple(ours),
        comparisons=tuple(_objects("comparisons", comparisons)),
        published=None if printed is None else tuple(printed),
        data=tuple(_objects("data", data)),
        black_box=tuple(_objects("black_box", black_box)),
        provenance=plain("provenance", dict(provenance)),
    )
    target = _path(paper, item, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{item}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(result.to_json())
        # mkstemp makes the file private; results are as readable as any other file.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return result


def load_result(paper: str, item: str, folder: str | Path | None = None) -> Result:
    """Read a result and check it.

    Parameters
    ----------
    paper, item
        A paper and one of its items.
    folder
        `results_dir` by default.

    Returns
    -------
    Result

    Raises
    ------
    FileNotFoundError
        If there is none.
    ResultError
        If the file does not have the shape of a result.
    """
    path = _path(paper, item, folder)
    if not path.is_file():
        raise FileNotFoundError(f"no result for {item} of {paper}: {path} does not exist")
    try:
        result = Result.from_json(path.read_text(encoding="utf-8"))
    except ResultError as error:
        raise ResultError(f"{path.name} of {paper}: {error}") from error
    if (result.paper, result.item) != (paper, item):
        raise ResultError(f"{path.name} of {paper} holds {result.item} of {result.paper}")
    return result


def has_result(paper: str, item: str, folder: str | Path | None = None) -> bool:
    """Tell whether a result was filed; arguments as of `load_result`."""
    return _path(paper, item, folder).is_file()


def _path(paper: str, item: str, folder: str | Path | None) -> Path:
    return (Path(folder) if folder is not None else results_dir()) / paper / f"{item}.json"


def _objects(name: str, rows: Iterable[Mapping[str, Any]] | pd.DataFrame) -> list[Row]:
    """Turn rows into plain objects; a DataFrame's missing cells become None."""
    if isinstance(rows, pd.DataFrame):
        rows = [
            {str(column): cell for column, cell in zip(rows.columns, record, strict=True)}
            for record in rows.itertuples(index=False, name=None)
        ]
    return [plain(f"{name}[{i}]", dict(row)) for i, row in enumerate(rows)]
