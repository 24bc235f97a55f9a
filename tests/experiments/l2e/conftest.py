"""A black box whose answers can be worked out by hand, and explanations written by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xai_lib.data import Dataset
from xai_lib.experiments.l2e import Explained, Sample
from xai_lib.experiments.study import Setting
from xai_lib.explanation import Explanation
from xai_lib.models.function import FunctionClassifier
from xai_lib.text import find_words

CLASSES = ("negative", "positive")
# The log-odds of "positive" are the sum of what the words are worth; other words are worth nothing.
WORTH = {"good": 3.0, "fine": 1.0, "sun": 0.5, "bad": -2.0, "poor": -1.0, "rain": -0.5}
PROFILE: dict[str, Any] = {
    "dataset": "made_up", "black_box": "bag", "n_samples": 20, "n_references": 2,
    "train_texts": 6, "test_texts": 3, "candidates": 50, "max_test_words": 5, "random_draws": 2,
    "seeds": [0], "timed_texts": 3, "timed_slow": 1,
    "student": {
        "width": 8, "heads": 2, "blocks": 1, "epochs": 2, "learning_rate": 3e-3,
        "precision": "float32",
    },
}  # fmt: skip

# Three documents that count and two neighbours.
#             log-odds of "positive":   2.5                -0.5            4
DOCUMENTS = ("good film the rain", "bad film fine sun", "good fine")
OTHERS = ("good sun rain film", "poor rain film")
# By word, for the predicted class. As labels: teacher [2,1,0,-1], [1,-1,-2,2], [2,1], [-1,1,2,0],
# [1,-1,2]; student [2,0,0,-1], [1,0,0,-2], [1,1], [2,-1,-2,1], [2,-1,0].
TEACHER = ([2, 0.5, 0, -1], [0.4, -1, -2, 0.5], [3, 1], [-4, 1, 2, 0], [1, -3, 2])
LABELLER = ([2.2, 0.1, -0.3, -1.1], [1.4, 0.2, -0.4, -2], [1.1, 0.9], [2, -1, -2, 1], [2, -1, 0.4])
RANKER = ([-3, 0.1, 0.2, -1], [1, 2, 0, -5], [1, 2], [0, 0, 5, 4], [0, 1, 2])


def log_odds_of(text: str) -> float:
    return sum(WORTH.get(word, 0.0) for word in re.findall("[a-z]+", text.lower()))


def answer(texts: Sequence[str]) -> np.ndarray:
    positive = [1 / (1 + math.exp(-log_odds_of(text))) for text in texts]
    return np.array([[1 - p, p] for p in positive])


class Bag(FunctionClassifier):
    """`xai_lib.as_classifier` of `answer`, whose answers can be stored under a name."""

    def __init__(self, name: str = "bag") -> None:
        super().__init__(answer, CLASSES, name)
        self.card = {"name": name, "accuracy": 0.75, "n_test": 8}

    @property
    def fingerprint(self) -> str:
        return f"fingerprint of {self.name}"


def data(texts: Sequence[str], labels: Sequence[int], split: str = "test", **extra: Any) -> Dataset:
    columns = {name: tuple(values) for name, values in extra.items()}
    return Dataset("made_up", split, tuple(texts), np.array(labels), CLASSES, "by hand", columns)


@pytest.fixture(autouse=True)
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from the cache of the machine."""
    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)


@pytest.fixture
def box() -> Bag:
    return Bag()


@pytest.fixture(scope="session")
def make_box() -> Callable[..., Bag]:
    return Bag


@pytest.fixture(scope="session")
def make_data() -> Callable[..., Dataset]:
    return data


@pytest.fixture(scope="session")
def worth() -> Callable[[str], float]:
    return log_odds_of


@pytest.fixture
def make_setting(box: Bag) -> Callable[..., Setting]:
    def make(
        key: str = "news", train: Dataset | None = None, test: Dataset | None = None, **changed: Any
    ) -> Setting:
        found = Setting(key, {**PROFILE, **changed}, "cpu")
        # Cached properties and loaded splits: what is made up takes their place.
        found.__dict__["classifier"] = box
        for name, some in (("train", train), ("test", test)):
            found.splits["made_up", None, False, "", name] = data([], []) if some is None else some
        return found

    return make


@pytest.fixture(scope="session")
def write() -> Callable[..., list[Explanation]]:
    """Write explanations of texts; a student says nothing of the class not predicted."""

    def make(
        texts: Sequence[str], weights: Sequence[Sequence[float]], method: str = "lime"
    ) -> list[Explanation]:
        found = []
        for text, own in zip(texts, weights, strict=True):
            spans = find_words(text)
            predicted = int(log_odds_of(text) > 0)
            rows = np.full((2, len(spans)), np.nan)
            rows[predicted] = own
            if method != "l2e":
                rows[1 - predicted] = np.array(own, dtype=float) + 10
            found.append(
                Explanation(
                    classes=CLASSES, probabilities=answer([text])[0], predicted=predicted,
                    weights=rows, method=method, seed=0, model_calls=3, seconds=0.5, text=text,
                    words=tuple(text[a:b] for a, b in spans), spans=spans,
                    settings={"formulation": "labelling"} if method == "l2e" else {},
                )
            )  # fmt: skip
        return found

    return make


@pytest.fixture
def make_explained(
    make_setting: Callable[..., Setting], write: Callable[..., list[Explanation]]
) -> Callable[..., Explained]:
    """Make the documents above, one teacher and its two students; all of it can be changed."""

    def make(
        teachers: Mapping[str, Sequence[Sequence[float]]] | None = None,
        labellers: Mapping[str, Sequence[Sequence[Sequence[float]]]] | None = None,
        rankers: Mapping[str, Sequence[Sequence[Sequence[float]]]] | None = None,
        labels: Sequence[int] = (1, 0, 1, 1, 0),
        near: Sequence[Sequence[int]] = ((3, 4), (4, -1), (-1, -1)),
        extra: Mapping[str, Sequence[Any]] | None = None,
        key: str = "news",
        **changed: Any,
    ) -> Explained:
        texts = (*DOCUMENTS, *OTHERS)
        pool = data(texts, labels, **(extra or {}))
        rows = np.array(near)
        kinds = {"semantic": rows, "lexical": rows}
        setting = make_setting(key, **changed)
        sample = Sample(setting, data([], []), pool, len(DOCUMENTS), kinds, (), 7)
        own = {"lime": TEACHER} if teachers is None else teachers
        runs = {}
        for formulation, weights in (
            ("ranking", {"lime": [RANKER]} if rankers is None else rankers),
            ("labelling", {"lime": [LABELLER]} if labellers is None else labellers),
        ):
            for name, several in weights.items():
                runs[name, formulation] = [write(texts, one, "l2e") for one in several]
        found = {name: write(texts, some) for name, some in own.items()}
        return Explained(sample, {}, found, {}, runs)

    return make


@pytest.fixture(scope="session")
def cell() -> Callable[..., dict[str, Any]]:
    """Find the one row of a list that has these columns."""

    def find(rows: Sequence[dict[str, Any]], **where: Any) -> dict[str, Any]:
        found = [row for row in rows if all(row.get(k) == v for k, v in where.items())]
        assert len(found) == 1, (where, found)
        return found[0]

    return find
