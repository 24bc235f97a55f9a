"""Rows between a source and a `Dataset`: cleaning and splitting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xai_lib.data.dataset import Dataset
from xai_lib.rng import generator

TEST_SHARE = 0.2


class SourceUnavailable(Exception):  # noqa: N818 - a finding, not always an error
    """A source cannot give the data set; its message is the reason."""


@dataclass
class Rows:
    """What a source read, before cleaning.

    Attributes
    ----------
    texts, labels
        The rows; labels index `classes`.
    classes
        Class names in label order.
    extra
        Other columns.
    notes
        How these rows differ from the official ones.
    dropped
        Rows left out so far.
    """

    texts: list[str]
    labels: list[int]
    classes: tuple[str, ...]
    extra: dict[str, list[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    dropped: int = 0

    def keep(self, flags: Sequence[bool]) -> Rows:
        """Select rows, without counting the others as dropped."""

        def chosen(values: list[Any]) -> list[Any]:
            return [value for value, flag in zip(values, flags, strict=True) if flag]

        return Rows(
            texts=chosen(self.texts),
            labels=chosen(self.labels),
            classes=self.classes,
            extra={key: chosen(values) for key, values in self.extra.items()},
            notes=list(self.notes),
            dropped=self.dropped,
        )

    def drop(self, flags: Sequence[bool], why: str) -> Rows:
        """Leave out the rows whose flag is false, and say so if there are any."""
        missing = len(flags) - sum(flags)
        if not missing:
            return self
        kept = self.keep(flags)
        kept.dropped += missing
        kept.notes.append(f"Left out: {missing} {why}.")
        return kept

    def drop_repeats(self) -> Rows:
        """Leave out every text that occurred before."""
        seen: set[str] = set()
        flags = []
        for text in self.texts:
            flags.append(text not in seen)
            seen.add(text)
        return self.drop(flags, "rows that repeat an earlier text")

    def finish(self, name: str, split: str, source: str) -> Dataset:
        """Freeze the rows."""
        return Dataset(
            name=name,
            split=split,
            texts=tuple(self.texts),
            labels=np.array(self.labels, dtype=np.int64),
            classes=self.classes,
            source=source,
            extra={key: tuple(frozen(v) for v in values) for key, values in self.extra.items()},
            notes=tuple(self.notes),
            dropped=self.dropped,
        )


def frozen(value: Any) -> Any:
    """Turn lists within a cell into tuples, at any depth."""
    return tuple(frozen(item) for item in value) if isinstance(value, list) else value


def choose_test_rows(
    texts: Sequence[str], labels: Sequence[int], share: float = TEST_SHARE, seed: int = 0
) -> np.ndarray:
    """Choose the test rows of a data set that has no official split.

    Class by class, groups of identical texts are shuffled and moved to the test side until it
    holds `share` of the rows of the class. A text that occurs under two labels counts for the
    label of its first row, so identical texts always stay on one side.

    Parameters
    ----------
    texts, labels
        The N rows.
    share
        Share of each class that goes to the test side, rounded to whole rows; the last group
        moved can exceed it.
    seed
        Seed of the shuffle.

    Returns
    -------
    numpy.ndarray
        (N,) bool, true for test rows.
    """
    group_of_text: dict[str, int] = {}
    members: list[list[int]] = []
    for row, text in enumerate(texts):
        group = group_of_text.setdefault(text, len(members))
        if group == len(members):
            members.append([])
        members[group].append(row)
    is_test = np.zeros(len(texts), dtype=bool)
    for label in sorted({labels[rows[0]] for rows in members}):
        groups = [rows for rows in members if labels[rows[0]] == label]
        wanted = round(share * sum(len(rows) for rows in groups))
        moved = 0
        for index in generator(seed, "data.split", label).permutation(len(groups)):
            if moved >= wanted:
                break
            is_test[groups[index]] = True
            moved += len(groups[index])
    return is_test


_QUOTED = re.compile(r"writes in|writes:|wrote:|says:|said:|^In article|^Quoted from|^\||^>")


def strip_message(text: str) -> str:
    """Remove headers, quotes and footer of a Usenet message.

    The same rules, in the same order, as ``fetch_20newsgroups(remove=("headers", "footers",
    "quotes"))`` of scikit-learn: all up to the first blank line is the header; all after the
    last line that is empty or of hyphens only is the footer; lines that introduce or mark a
    quotation go.

    Parameters
    ----------
    text
        A message with headers.

    Returns
    -------
    str
        The body, often empty.

    References
    ----------
    scikit-learn, ``sklearn/datasets/_twenty_newsgroups.py``.
    """
    body = text.partition("\n\n")[2]
    lines = body.strip().split("\n")
    blank = [i for i, line in enumerate(lines) if not line.strip().strip("-")]
    if blank and blank[-1] > 0:
        body = "\n".join(lines[: blank[-1]])
    return "\n".join(line for line in body.split("\n") if not _QUOTED.search(line))
