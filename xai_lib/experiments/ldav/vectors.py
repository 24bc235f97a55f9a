"""Figures 8 to 12, table 9 and the lexicon: where class vectors, texts and words lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from xai_lib import papers
from xai_lib.data.lexicon import Lexicon
from xai_lib.experiments.ldav.networks import LDAV, PLAIN, network, runs_of
from xai_lib.experiments.ldav.sample import Sample
from xai_lib.experiments.rows import Row, compare_rows, defined_row, estimate_row, runs_row
from xai_lib.experiments.study import Setting
from xai_lib.explainers.ldav import class_vectors, phrase_scores, standardised, vector_distances
from xai_lib.models.ldav_training import text_vectors
from xai_lib.models.vocabulary import UNKNOWN

RUNS = "explained_runs"
GAP = "cosine gap"


def correlation_rows(setting: Setting) -> list[Row]:
    """Write Figure 8: how the class vectors correlate over their components.

    Parameters
    ----------
    setting
        Gives the networks with class vectors.

    Returns
    -------
    list of dict
        For each pair of classes the mean over the runs, and the largest between two classes.
    """
    found = np.array(
        [np.corrcoef(class_vectors(network(setting, LDAV, run))) for run in runs_of(setting, RUNS)]
    )
    classes = setting.classifier.classes
    rows = [
        runs_row({"setting": setting.key, "class": one, "other": other}, found[:, i, j], -1, 1)
        for i, one in enumerate(classes)
        for j, other in enumerate(classes)
    ]
    apart = ~np.eye(len(classes), dtype=bool)
    largest = found[:, apart].max(axis=1)
    place = {"setting": setting.key, "class": "largest", "other": "between classes"}
    return [*rows, runs_row(place, largest, -1, 1)]


@dataclass(frozen=True, eq=False)
class Cloud:
    """Mean word embeddings of texts on their two principal components.

    Attributes
    ----------
    points
        (n, 2).
    predicted
        (n,) predicted classes.
    classes
        Their names.
    """

    points: np.ndarray
    predicted: np.ndarray
    classes: tuple[str, ...]


def embeddings(sample: Sample, box: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the (n, d) mean word embeddings of the texts and the (n,) predicted classes."""
    embedded = box.embed(sample.instances(box))
    vectors = text_vectors(embedded.embeddings, embedded.attention).double().cpu().numpy()
    return vectors, box.predict_proba(sample.data.texts).argmax(axis=1)


def principal(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """Return (n, 2) principal components of vectors, and the share of the variance on them."""
    centred = vectors - vectors.mean(axis=0)
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    return left[:, :2] * scale[:2], float((scale[:2] ** 2).sum() / (scale**2).sum())


def cosines(vectors: np.ndarray, classes: np.ndarray) -> dict[str, np.ndarray]:
    """Compare each text with those of its predicted class and with the others.

    Parameters
    ----------
    vectors
        (n, d).
    classes
        (n,) predicted classes.

    Returns
    -------
    dict of str to (n,) array
        Mean cosine ``within a class`` (without the text itself) and ``between classes``, and the
        gap between them; NaN where there is no such text.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    table = unit @ unit.T
    same = classes[:, None] == classes[None]
    np.fill_diagonal(same, False)
    other = classes[:, None] != classes[None]
    within, between = (
        np.where(
            mask.any(axis=1), (table * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1), np.nan
        )
        for mask in (same, other)
    )
    return {
        "cosine within a class": within,
        "cosine between classes": between,
        GAP: within - between,
    }


def cloud_rows(
    sample: Sample, trainings: tuple[str, ...] = (PLAIN, LDAV)
) -> tuple[list[Row], list[Row], dict[str, Cloud]]:
    """Write Figures 9 to 12: how the texts' mean embeddings lie.

    Parameters
    ----------
    sample
        The texts.
    trainings
        With class vectors, without, or both.

    Returns
    -------
    rows, comparisons : list of dict
        Cosines of each text, its mean over the runs, and the share of the variance that two
        components hold, over the runs.
    clouds : dict of str to Cloud
        What is drawn: run 0 of each training.
    """
    setting, seed = sample.setting, sample.seed
    rows: list[Row] = []
    clouds: dict[str, Cloud] = {}
    tables: dict[str, dict[str, np.ndarray]] = {}
    for training in trainings:
        parts, shares = [], []
        for run in runs_of(setting, RUNS):
            box = network(setting, training, run)
            vectors, predicted = embeddings(sample, box)
            points, share = principal(vectors)
            parts.append(cosines(vectors, predicted))
            shares.append(share)
            clouds.setdefault(training, Cloud(points, predicted, box.classes))
        tables[training] = {
            name: np.mean([one[name] for one in parts], axis=0) for name in parts[0]
        }
        place: Row = {"setting": setting.key, "training": training}
        for name, values in tables[training].items():
            rows.append(defined_row({**place, "measure": name}, values, seed))
        held: Row = {**place, "measure": "variance on two components"}
        rows.append(runs_row(held, np.array(shares), 0, 1))
    pairs: list[Row] = []
    for name in tables[trainings[0]]:
        where: Row = {"setting": setting.key, "measure": name}
        both = {training: table[name] for training, table in tables.items()}
        pairs += compare_rows(where, both, [(LDAV, PLAIN)], seed)
    return rows, pairs, clouds


def phrase_rows(setting: Setting, item: str = "table-9") -> list[Row]:
    """Write Table 9: the scores of phrases over the classes.

    Parameters
    ----------
    setting
        Gives the networks; phrases and printed scores are the item's.
    item
        The paper's item.

    Returns
    -------
    list of dict
        For each phrase and class the mean over the runs; where the classes are the paper's, also
        the share of the runs in which the class that is printed highest is highest, and elsewhere
        a row without a number.
    """
    printed = papers.published("ldav", item) or []
    phrases = list(dict.fromkeys(cell["phrase"] for cell in printed))
    boxes = [network(setting, LDAV, run) for run in runs_of(setting, "runs")]
    found = np.array([phrase_scores(phrases, box, "cosine").scores for box in boxes])
    classes = setting.classifier.classes
    rows: list[Row] = []
    for i, phrase in enumerate(phrases):
        place: Row = {"setting": setting.key, "phrase": phrase}
        rows += [
            runs_row({**place, "class": name}, found[:, i, j]) for j, name in enumerate(classes)
        ]
        own = {cell["class"]: cell["mean"] for cell in printed if cell["phrase"] == phrase}
        where = {**place, "class": "printed class first"}
        if set(own) == set(classes):
            best = classes.index(max(own, key=lambda name: own[name]))
            rows.append(estimate_row(where, found[:, i].argmax(axis=1) == best, 0))
        else:
            rows.append({**where, "mean": None, "low": None, "high": None, "n": 0})
    return rows


def lexicon_rows(setting: Setting, lexicon: Lexicon, seed: int) -> list[Row]:
    """Write section 4.8: sentiment words against the vectors of two classes.

    Parameters
    ----------
    setting
        A data set with the classes ``negative`` and ``positive``.
    lexicon
        Its words that the network knows are used.
    seed
        Seed of the intervals.

    Returns
    -------
    list of dict
        The score of the mean embedding of all words of a polarity, over the runs; the mean
        distance of its words to each vector, and how much nearer they are to that of their own
        class, with intervals over the words. Each word's distances are means over the runs.
    """
    boxes = [network(setting, LDAV, run) for run in runs_of(setting, RUNS)]
    classes = setting.classifier.classes
    rows: list[Row] = []
    for polarity, words in (("positive", lexicon.positive), ("negative", lexicon.negative)):
        apart, scores = [], []
        numbers = np.array([box.vocabulary.ids(words) for box in boxes])
        seen = (numbers != UNKNOWN).all(axis=0)
        for box, ids in zip(boxes, numbers[:, seen], strict=True):
            table = box.model.embedding.weight.detach().double().cpu().numpy()
            found = table[ids]
            vectors = class_vectors(box)
            apart.append(vector_distances(vectors, found, "cosine"))
            mean = vector_distances(vectors, found.mean(axis=0)[None], "cosine")[:, 0]
            scores.append(standardised(mean))
        distance = np.mean(apart, axis=0)
        place: Row = {"setting": setting.key, "lexicon": polarity}
        for j, name in enumerate(classes):
            where = {**place, "class": name}
            rows.append(
                runs_row({**where, "measure": "score"}, np.array([one[j] for one in scores]))
            )
            rows.append(estimate_row({**where, "measure": "distance"}, distance[j], seed))
        own = classes.index(polarity)
        nearer = distance[1 - own] - distance[own]
        where = {**place, "class": None, "measure": "nearer to its own class"}
        rows.append(estimate_row(where, nearer, seed))
    return rows
