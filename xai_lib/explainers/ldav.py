"""LDAV: how near a word's embedding is to the vector that a class has in the same space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import numpy as np
import torch

from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.models.base import Classifier, refusal
from xai_lib.models.ldav_training import DISTANCES
from xai_lib.models.whitebox import EmbeddingAccess
from xai_lib.text import TextInstance, find_words

# Texts whose embeddings are looked up together: padded to the longest, they stay small.
_LOOKED_UP = 64


class ClassVectors(EmbeddingAccess, Protocol):
    """A classifier with a vector for each class in the space of its word embeddings.

    Attributes
    ----------
    pairs
        Whether it reads pairs of texts; then `Embedded.attention` has 2 for the second.
    """

    pairs: bool

    @property
    def class_vectors(self) -> torch.Tensor | None:
        """The (C, d) vectors, in the order of the classes; None where none were learnt."""
        ...


def class_vectors(classifier: Classifier, method: str = "ldav") -> np.ndarray:
    """Return the (C, d) float64 class vectors of a classifier.

    Raises
    ------
    ValueError
        If it has none; says how they come about and lists the methods that need none.
    """
    found = getattr(classifier, "class_vectors", None)
    if found is None:
        needed = (
            "class vectors that were learnt with the network (`ScratchRecipe(ldav=LdavLosses())`, "
            "or `Recipe(ldav=LdavLosses())` for a pretrained encoder)"
        )
        raise refusal(classifier, method, needed)
    vectors: np.ndarray = found.double().cpu().numpy()
    return vectors


def standardised(distances: np.ndarray) -> np.ndarray:
    """Turn distances into scores: minus their mean, over their standard deviation, times -1.

    Parameters
    ----------
    distances
        (..., m): m distances each.

    Returns
    -------
    (..., m) float64 array
        With mean 0 and (population) standard deviation 1; the nearest has the highest. Zeros where
        all are the same, as one distance alone is.
    """
    if not distances.shape[-1]:
        return np.zeros(distances.shape)
    nearer = distances.mean(axis=-1, keepdims=True) - distances
    spread = np.sqrt(np.square(nearer).mean(axis=-1, keepdims=True))
    # Equal distances differ in the last digits.
    real = spread > 1e-9 * np.abs(distances).max(axis=-1, keepdims=True)
    return np.where(real, nearer / np.where(real, spread, 1.0), 0.0)


def vector_distances(vectors: np.ndarray, words: np.ndarray, distance: str) -> np.ndarray:
    """Return the distances of (C, d) class vectors and (m, d) words, (C, m).

    ``"euclidean"`` is equation 4, ``"cosine"`` is 1 minus the cosine, and 1 for a zero vector.
    """
    if distance == "euclidean":
        return np.linalg.norm(vectors[:, None] - words[None], axis=2)
    lengths = np.linalg.norm(vectors, axis=1)[:, None] * np.linalg.norm(words, axis=1)[None]
    cosine = np.divide(vectors @ words.T, lengths, out=np.zeros(lengths.shape), where=lengths > 0)
    return 1 - cosine


@dataclass(frozen=True)
class Ldav(Explainer):
    """LDAV: minus the standardised distance of a word's embedding and a class vector.

    The score of word i for class c is -(a_i - m) / s, with a_i the distance of the embedding of
    word i and the vector of class c, and m and s the mean and standard deviation of a over the
    words of the text. All classes are explained, each with its own vector; the paper's score is
    that of the predicted class. Costs one model call, for the prediction; the embeddings are
    looked up.

    For a pair of texts, the vector of a word is its embedding times the mean embedding of the
    other text, coordinate by coordinate; m and s are over the words of both.

    Attributes
    ----------
    distance
        ``"cosine"``, or ``"euclidean"`` as in equation 4. Which of them works depends on how the
        class vectors were learnt: ``"euclidean"`` needs vectors much longer than the embeddings,
        which L3 as printed makes, see the notes of `xai_lib.models.ldav_training.LdavLosses`.
    group
        See `xai_lib.text.TextInstance`. A word type has the mean score of its occurrences.

    Raises
    ------
    ValueError
        If the distance is unknown; lists what is valid.

    References
    ----------
    Bashier, Kim & Goebel (COLING 2022), "Locally distributed activation vectors for guided
    feature attribution", equations 4 and 5; section 4.5 for pairs of texts.

    Notes
    -----
    The classifier must have learnt its class vectors with its weights, see
    `xai_lib.models.ldav_training`; so it is explained itself, not a model of it.

    Deviation: the paper's distance is Euclidean. The default goes with the default of the losses.

    Where all distances are equal, as for a text of one word, all scores are 0: equation 5
    divides by zero there. A word that the model sees nothing of has score 0 and no part in m and
    s; the embedding of a word in several pieces is their mean. For pairs the paper does not say
    over which words m and s are taken; over both texts, words of one can be ranked with words of
    the other.
    """

    name: ClassVar[str] = "ldav"
    white_box: ClassVar[bool] = True
    # One forward pass each, so that batches are as full as those of plain predictions.
    texts_at_once: ClassVar[int] = 1024

    distance: str = "cosine"
    group: str = "position"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        _check_distance(self.distance)

    def check(self, classifier: Classifier) -> None:
        """Raise a ValueError if the classifier has no class vectors."""
        class_vectors(classifier, self.name)

    def attribute(
        self, instances: list[TextInstance], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances; see `Explainer.attribute`."""
        vectors = class_vectors(classifier, self.name)
        whole = [np.ones((1, one.n_features), dtype=bool) for one in instances]
        answers = classifier.predict_masked(instances, whole)
        every = word_vectors(instances, classifier)
        found = []
        for one, answer, (words, seen) in zip(instances, answers, every, strict=True):
            scores = np.zeros((len(vectors), len(words)))
            scores[:, seen] = standardised(vector_distances(vectors, words[seen], self.distance))
            found.append(Attribution(_of_features(one, scores, seen), answer[0], 1))
        return found


def word_vectors(
    instances: Sequence[TextInstance], classifier: Classifier
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give what is compared with the class vectors, for each word of each instance.

    Parameters
    ----------
    instances
        Of the classifier.
    classifier
        One with class vectors.

    Yields
    ------
    words : (W, d) float64 array
        Embeddings of the words; in a pair of texts, times the mean embedding of the other text.
    seen : (W,) bool array
        False for a word that the model sees nothing of; its vector is zero.
    """
    box = cast("ClassVectors", classifier)
    for start in range(0, len(instances), _LOOKED_UP):
        some = instances[start : start + _LOOKED_UP]
        embedded = box.embed(some)
        tokens, parts = embedded.embeddings.cpu().numpy(), embedded.attention.cpu().numpy()
        for one, vectors, of_token, part in zip(some, tokens, embedded.word, parts, strict=True):
            inside = np.flatnonzero(of_token >= 0)
            word = of_token[inside]
            count = np.bincount(word, minlength=len(one.spans))
            seen = count > 0
            words = np.zeros((len(one.spans), vectors.shape[1]))
            if len(word):  # The tokens of a word follow one another.
                first = np.flatnonzero(np.diff(word, prepend=-1))
                sums = np.add.reduceat(vectors[inside].astype(np.float64), first, axis=0)
                words[word[first]] = sums / count[word[first], None]
            if box.pairs:
                second = np.zeros(len(words), dtype=bool)
                second[word] = part[inside] == 2
                means = [_mean(words[seen & (second == k)]) for k in (False, True)]
                words = words * np.where(second[:, None], means[0], means[1])
            yield words, seen


def _mean(rows: np.ndarray) -> np.ndarray:
    """Average rows; zeros where there are none."""
    return rows.sum(axis=0) / max(len(rows), 1)


def _of_features(one: TextInstance, scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Average the (C, W) scores of the words of each feature, over those that the model sees."""
    if one.group == "position":
        return scores
    member = np.zeros((len(one.feature_of_word), one.n_features))
    member[np.arange(len(member)), one.feature_of_word] = seen
    mean: np.ndarray = (scores @ member) / np.maximum(member.sum(axis=0), 1)
    return mean


@dataclass(frozen=True, eq=False)
class PhraseScores:
    """What the class vectors say of phrases.

    Attributes
    ----------
    phrases
        The P phrases.
    classes
        Names of the C classes.
    distances
        (P, C) distances of a phrase and the class vectors.
    scores
        (P, C): minus the distances, standardised over the classes of each phrase. With two
        classes they are 1 and -1 whatever the distances are.
    """

    phrases: tuple[str, ...]
    classes: tuple[str, ...]
    distances: np.ndarray
    scores: np.ndarray


def phrase_scores(
    phrases: Sequence[str], classifier: Classifier, distance: str = "cosine"
) -> PhraseScores:
    """Ask the class vectors about phrases, without sending them through the network.

    Parameters
    ----------
    phrases
        P phrases, or the words of a lexicon as one string, of any length.
    classifier
        One with class vectors, not of pairs.
    distance
        ``"euclidean"`` or ``"cosine"``.

    Returns
    -------
    PhraseScores
        A phrase is the mean of the embeddings of its words.

    Raises
    ------
    ValueError
        If the classifier has no class vectors or reads pairs, the distance is unknown, or a
        phrase has no words, which the message quotes.

    References
    ----------
    Bashier, Kim & Goebel (COLING 2022), sections 4.7 and 4.8 and Table 9.
    """
    if isinstance(phrases, str):
        raise ValueError("phrase_scores takes a list of phrases; put the one phrase in a list.")
    _check_distance(distance)
    vectors = class_vectors(classifier)
    box: Any = classifier
    if box.pairs:
        raise ValueError(
            f"The classifier {classifier.name!r} reads pairs of texts; a phrase belongs to neither."
        )
    means = []
    for phrase in phrases:
        words = [phrase[start:end] for start, end in find_words(phrase)]
        if not words:
            raise ValueError(f"A phrase needs a word, got {phrase!r:.80}.")
        # Word by word, so that no phrase is longer than the budget.
        every = [classifier.instance(word) for word in words]
        rows = [vectors[seen] for vectors, seen in word_vectors(every, classifier)]
        means.append(_mean(np.concatenate(rows)))
    table = np.array(means).reshape(len(means), vectors.shape[1])
    found = vector_distances(vectors, table, distance).T
    return PhraseScores(tuple(phrases), classifier.classes, found, standardised(found))


def _check_distance(distance: str) -> None:
    if distance not in DISTANCES:
        raise ValueError(f"Unknown distance {distance!r}. Valid: {', '.join(sorted(DISTANCES))}.")
