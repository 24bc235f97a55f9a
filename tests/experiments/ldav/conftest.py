"""Made-up networks for planted texts: never trained, with weights so large that answers differ."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from xai_lib.data import Dataset
from xai_lib.data.planted import planted_texts
from xai_lib.experiments.ldav import Sample
from xai_lib.experiments.ldav import networks as networks_module
from xai_lib.experiments.study import Setting
from xai_lib.models.networks import new_network
from xai_lib.models.pair_classifier import as_scratch
from xai_lib.models.vocabulary import WordVocabulary

NAME = "ldav-bilstm-planted"
PROFILE: dict[str, Any] = {
    "dataset": "planted", "black_box": NAME, "texts": 7, "slow_texts": 3, "n_samples": 40,
    "n_steps": 4, "runs": 2, "explained_runs": 2, "ablation_runs": 2, "euclidean_runs": 2,
    "redrawn_texts": 5, "redraws": 2, "cost_texts": 2,
}  # fmt: skip
LABELS = (
    "plain", "as-printed", "without-l2", "without-l3", "euclidean", "gold-label",
    "predicted-label",
)  # fmt: skip


def _different_words(data: Dataset) -> Dataset:
    """Leave out texts in which a word is twice, so that no two words have one score."""
    return data.take([len(set(text.split())) == len(text.split()) for text in data.texts])


TRAIN = planted_texts(60, 3)
TEST = _different_words(planted_texts(60, 3, split="test", min_words=4, max_words=13))


def make_box(
    seed: int, vectors: float = 1.0, network: str = "bilstm", name: str = NAME, scale: float = 6.0
) -> Any:
    """Make a network whose weights are all other than when drawn; `vectors` 0 gives it none."""
    vocabulary = WordVocabulary.of_texts(TRAIN.texts)
    made = new_network(len(vocabulary), 3, 8, seed=seed, network=network, n_positions=20)
    if vectors:
        made.add_class_vectors(seed, vectors)
    drawn = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=drawn)
        made.embedding.weight *= 4
        made.embedding.weight[0] = 0
        made.output.weight *= scale
        # No class that is predicted whatever is removed.
        made.output.bias *= 0.1
    box: Any = as_scratch(made, vocabulary, name, TRAIN.classes, "cpu", "float32", 20)
    box.card = {
        "name": name, "base": "made up", "accuracy": 0.5 + seed / 1000, "n_test": 10,
        "recipe": {"network": network},
    }  # fmt: skip
    return box


@pytest.fixture(scope="session")
def make() -> Callable[..., Any]:
    return make_box


@pytest.fixture(scope="session")
def boxes() -> dict[str, Any]:
    """Two runs of each training by name; run 0 with class vectors is the setting's black box."""
    found = {f"{NAME}-run1": make_box(1)}
    for i, label in enumerate(LABELS):
        length = {"plain": 0.0, "as-printed": 9.0}.get(label, 1.0)
        for run in (0, 1):
            name = f"{NAME}-{label}-run{run}"
            found[name] = make_box(10 * (i + 1) + run, length, name=name)
    return {NAME: make_box(0), **found}


@pytest.fixture(autouse=True)
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from a cache, and nothing is trained."""

    def trains(name: str, *_: object, **__: object) -> None:
        raise AssertionError(f"{name} would be trained")

    monkeypatch.setenv("XAI_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)
    monkeypatch.setattr(networks_module, "load_entry", trains)


@pytest.fixture
def make_setting(boxes: dict[str, Any]) -> Callable[..., Setting]:
    def make(key: str = "ag_news_bilstm", **changed: Any) -> Setting:
        found = Setting(key, {**PROFILE, **changed}, "cpu")
        others = {name: box for name, box in boxes.items() if name != NAME}
        # Cached properties: what is made up takes their place.
        found.__dict__.update(classifier=boxes[NAME], others=others, train=TRAIN, test=TEST)
        return found

    return make


@pytest.fixture
def setting(make_setting: Callable[..., Setting]) -> Setting:
    return make_setting()


@pytest.fixture
def sample(setting: Setting) -> Sample:
    return Sample(setting, TEST.take(range(7)), 3)


class Slow:
    """The slow, obvious form of what the experiments measure, in float64, word by word."""

    def __init__(self) -> None:
        self.kept: dict[tuple[int, str, tuple[int, ...]], list[float]] = {}
        self.networks: dict[int, tuple[Any, Any]] = {}

    @staticmethod
    def words(text: str) -> list[str]:
        return re.findall(r"[a-z]+", text)

    def network(self, box: Any) -> Any:
        # The box is kept too, so that no other can get its number.
        if id(box) not in self.networks:
            self.networks[id(box)] = (box, copy.deepcopy(box.model).double())
        return self.networks[id(box)][1]

    def numbers(self, box: Any, text: str) -> list[int]:
        known = list(box.vocabulary.words)
        return [known.index(word) + 2 if word in known else 1 for word in self.words(text)]

    def answer(self, box: Any, text: str, removed: Iterable[int] = ()) -> list[float]:
        """Return the probabilities of a text with the words of some places made padding."""
        gone = tuple(sorted(removed))
        key = (id(box), text, gone)
        if key not in self.kept:
            network = self.network(box)
            ids = [0 if i in gone else n for i, n in enumerate(self.numbers(box, text))]
            with torch.no_grad():
                logits = network(network.embedding(torch.tensor([ids])), None)[0].tolist()
            parts = [math.exp(one - max(logits)) for one in logits]
            self.kept[key] = [part / sum(parts) for part in parts]
        return self.kept[key]

    def predicted(self, box: Any, text: str) -> int:
        return int(np.argmax(self.answer(box, text)))

    def distances(self, box: Any, text: str, distance: str) -> list[list[float]]:
        """Return the distance of each word to the vector of each class, class by class."""
        network = self.network(box)
        rows = [network.embedding.weight[n].tolist() for n in self.numbers(box, text)]
        return [
            [apart(vector, row, distance) for row in rows]
            for vector in network.class_vectors.tolist()
        ]

    def nearest_first(self, box: Any, text: str, distance: str = "cosine") -> list[int]:
        """Rank words by LDAV for the predicted class."""
        far = self.distances(box, text, distance)[self.predicted(box, text)]
        return sorted(range(len(far)), key=lambda i: far[i])

    def occluded(self, box: Any, text: str, of: int) -> list[float]:
        """Return what a class loses with each word."""
        whole = self.answer(box, text)[of]
        return [whole - self.answer(box, text, [i])[of] for i in range(len(self.words(text)))]

    def occlusion_first(self, box: Any, text: str) -> list[int]:
        lost = self.occluded(box, text, self.predicted(box, text))
        return sorted(range(len(lost)), key=lambda i: -lost[i])

    def removed(
        self, box: Any, text: str, order: Sequence[int], shares: Sequence[float]
    ) -> dict[str, Any]:
        """Return all that `remove` measures of one text and one ranking."""
        n = len(order)
        own, before = self.predicted(box, text), self.answer(box, text)
        after = [self.answer(box, text, order[:k]) for k in range(n + 1)]
        others = [k for k in range(n + 1) if int(np.argmax(after[k])) != own]
        columns = [min(k, n) for k in range(11)]
        columns += [up(share, n) for share in (0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3)]
        tops = [up(share, n) for share in shares]
        left = [self.answer(box, text, order[k:]) for k in tops]
        return {
            "switching point": others[0] / n if others else 1.0,
            "never switches": float(not others),
            "same prediction": [float(k not in others) for k in columns],
            "log ratio": [math.log(after[k][own]) - math.log(before[own]) for k in columns],
            "comprehensiveness": sum(before[own] - after[k][own] for k in tops) / len(tops),
            "sufficiency": sum(before[own] - one[own] for one in left) / len(tops),
        }


def up(share: float, n: int) -> int:
    """Turn a share of n words into words, rounded up; 0.07 of 100 are 7."""
    return math.ceil(Fraction(str(share)) * n)


def apart(one: Sequence[float], other: Sequence[float], distance: str) -> float:
    if distance == "euclidean":
        return math.dist(one, other)
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return 1 - dot / math.hypot(*one) / math.hypot(*other)


@pytest.fixture(scope="session")
def slow() -> Slow:
    return Slow()


@pytest.fixture(scope="session")
def distance_of() -> Callable[[Sequence[float], Sequence[float], str], float]:
    return apart
