"""The documents of a setting: those that students learn from, and those that count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

import numpy as np

from xai_lib.atomic import replace_file
from xai_lib.data import Dataset, DatasetNotFound, load_neighbours
from xai_lib.data.neutral import originals
from xai_lib.data.wheels import cache_folder
from xai_lib.experiments.study import Setting
from xai_lib.metrics.neighbours import (
    lexical_similarity,
    nearest,
    semantic_similarity,
    text_vectors,
)
from xai_lib.text import find_words

# The settings whose documents have words that people marked as reasons.
MOVIES, ALL_MOVIES = "movies", "movies_all"
MARKED = (MOVIES, ALL_MOVIES)
NEAREST = 3


@dataclass(frozen=True, eq=False)
class Sample:
    """Documents of one setting.

    Attributes
    ----------
    setting
        Where they come from.
    train
        Training documents that every teacher explains for its students.
    pool
        Held-out documents that the teachers explain: those that count and their neighbours.
    n
        The first n documents of the pool count.
    near
        Kind of neighbour, ``"semantic"`` or ``"lexical"``, to (n, 3) rows of the pool.
    references
        Training documents that Deep SHAP compares with.
    seed
        Seed of the draw, the explanations and the intervals.
    """

    setting: Setting
    train: Dataset
    pool: Dataset
    n: int
    near: Mapping[str, np.ndarray]
    references: tuple[str, ...]
    seed: int

    @cached_property
    def documents(self) -> Dataset:
        """The n documents that count."""
        return self.pool.take(range(self.n))


def gather(setting: Setting, seed: int = 0) -> Sample:
    """Draw the documents of a setting and find their neighbours.

    Parameters
    ----------
    setting
        Its profile gives ``train_texts``, ``test_texts``, ``candidates``, ``max_test_words`` and
        ``n_references``.
    seed
        Seed of all draws.

    Returns
    -------
    Sample
        Held-out documents of two words or more that are not in the training split, drawn without
        replacement. Their neighbours are the three nearest candidates of the same predicted class.
        Those of the movie reviews are the authors' own where their lists are there, from all
        splits; else reviews of the test split of the same class with the most similar rationales.
    """
    numbers = setting.profile
    train = setting.train.sample(numbers["train_texts"], seed, min_words=2, at_most=True)
    references = setting.train.sample(numbers["n_references"], seed + 1, min_words=2).texts
    if setting.key in MARKED:
        some, marked = _marked_documents(setting, numbers["test_texts"], seed)
        n = len(marked)
        pool, rows = _pool(some, {"lexical": marked}, n)
        return Sample(setting, train, pool, n, rows, references, seed)
    known = set(setting.train.texts)
    most = numbers["max_test_words"]
    fresh = setting.test.take(
        [text not in known and len(find_words(text)) <= most for text in setting.test.texts]
    )
    some = fresh.sample(numbers["candidates"], seed, min_words=2, at_most=True)
    n = min(numbers["test_texts"], len(some))
    predicted = setting.classifier.predict_proba(some.texts).argmax(axis=1)
    wanted = np.arange(n)
    alike = {
        "semantic": semantic_similarity(stored_vectors(some), wanted),
        "lexical": lexical_similarity(some.texts, wanted),
    }
    near = {kind: nearest(one, predicted, NEAREST, wanted) for kind, one in alike.items()}
    pool, rows = _pool(some, near, n)
    return Sample(setting, train, pool, n, rows, references, seed)


def stored_vectors(data: Dataset) -> np.ndarray:
    """Return `xai_lib.metrics.neighbours.text_vectors` of texts, kept in the cache folder."""
    path = cache_folder() / "vectors" / f"{data.sha256[:20]}.npy"
    if path.is_file():
        found: np.ndarray = np.load(path)
        return found
    found = text_vectors(data.texts)
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    np.save(buffer, found)
    replace_file(path, buffer.getvalue())
    return found


def _pool(
    candidates: Dataset, near: Mapping[str, np.ndarray], n: int
) -> tuple[Dataset, dict[str, np.ndarray]]:
    """Keep the first n candidates and all neighbours, and renumber the neighbours."""
    others = sorted({int(i) for some in near.values() for i in some.ravel() if i >= n})
    kept = [*range(n), *others]
    place = {row: i for i, row in enumerate(kept)} | {-1: -1}
    renumbered = {
        kind: np.array([[place[int(i)] for i in row] for row in some])
        for kind, some in near.items()
    }
    return candidates.take(kept), renumbered


def marked_words(data: Dataset) -> list[np.ndarray]:
    """Return for each text which of its words people marked, or were planted, as (W,) booleans.

    Raises
    ------
    ValueError
        If the data say neither.
    """
    if "rationale_words" in data.extra:
        return [np.array(one, dtype=bool) for one in data.extra["rationale_words"]]
    if "planted" not in data.extra:
        raise ValueError(f"{data.name!r} does not say which words are the reason of its labels")
    found = []
    for text, places in zip(data.texts, data.extra["planted"], strict=True):
        marked = np.zeros(len(find_words(text)), dtype=bool)
        marked[list(places)] = True
        found.append(marked)
    return found


def _marked_documents(setting: Setting, n: int, seed: int) -> tuple[Dataset, np.ndarray]:
    """Draw n documents with marked words, and put what may be a neighbour behind them."""
    test = originals(setting.split("test"))
    try:
        lists = load_neighbours(setting.data_dir) if "doc_id" in test.extra else {}
    except DatasetNotFound:
        lists = {}
    if lists:
        every = test.joined(originals(setting.split("validation")))
        every = every.joined(originals(setting.split("train")))
        place = {str(name): row for row, name in enumerate(every.extra["doc_id"])}
        known = test.take([name in lists for name in test.extra["doc_id"]])
        some = known.sample(n, seed, min_words=2, at_most=True)
        near = [[place[name] for name in lists[one][:NEAREST]] for one in some.extra["doc_id"]]
        shift = len(some)
        first = {place[str(name)]: row for row, name in enumerate(some.extra["doc_id"])}
        rows = [[first.get(row, row + shift) for row in one] for one in near]
        return some.joined(every), np.array(rows)
    some = test.sample(n, seed, min_words=2, at_most=True)
    every = some.joined(test.take([text not in set(some.texts) for text in test.texts]))
    words = [
        " ".join(text[a:b] for (a, b), yes in zip(find_words(text), marked, strict=True) if yes)
        for text, marked in zip(every.texts, marked_words(every), strict=True)
    ]
    wanted = np.arange(len(some))
    return every, nearest(lexical_similarity(words, wanted), every.labels, NEAREST, wanted)
