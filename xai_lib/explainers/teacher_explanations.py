"""What a teacher explained, as an amortised method learns from it, and batches of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from xai_lib.explanation import Explanation
from xai_lib.models.base import Classifier, check_classifier
from xai_lib.text import TextInstance


def teacher_instances(
    explanations: Sequence[Explanation], classifier: Classifier
) -> tuple[list[TextInstance], list[np.ndarray]]:
    """Return what a teacher explained and its weights for the predicted class.

    Parameters
    ----------
    explanations
        By any method that explains the predicted class.
    classifier
        The black box they are of.

    Returns
    -------
    instances : list of TextInstance
        Texts with at least one word, in order.
    importance : list of (W,) float64 array
        Weight of each word: that of its feature.

    Raises
    ------
    ValueError
        If there is nothing to learn from, or the explanations are not of this classifier, or not
        all by one method.
    """
    check_classifier(classifier)
    kind = ""
    if isinstance(explanations, Explanation):
        kind = "one explanation"
    elif isinstance(explanations, Mapping):
        kind = "a dict"
    elif not isinstance(explanations, Iterable):
        kind = type(explanations).__name__
    if kind:
        raise ValueError(
            f"fit learns from a list of one teacher's explanations, got {kind}. Methods that learn "
            "from several teachers have fit_several."
        )
    instances: list[TextInstance] = []
    importance: list[np.ndarray] = []
    teacher = ""
    for i, one in enumerate(explanations):
        if not isinstance(one, Explanation):
            raise ValueError(
                f"fit learns from explanations, such as those of xai_lib.explain_corpus; item {i} "
                f"is {type(one).__name__}."
            )
        teacher = teacher or one.method
        if one.method != teacher:
            raise ValueError(
                f"Explanation {i} is by {one.method!r}, the first by {teacher!r}: fit learns from "
                "one teacher. Methods that learn from several have fit_several."
            )
        if one.classes != classifier.classes:
            raise ValueError(
                f"Explanation {i} has the classes {list(one.classes)}, but {classifier.name!r} "
                f"has {list(classifier.classes)}."
            )
        if not one.n_features:
            continue
        group = str(one.settings.get("group", "position"))
        instance = classifier.instance(one.text, group)
        if instance.feature_spans != one.spans:
            raise ValueError(
                f"The words of explanation {i} ({one.text[:60]!r}) are not those that "
                f"{classifier.name!r} reads; explain the texts with this classifier first."
            )
        weights = one.weights[one.predicted]
        if not np.isfinite(weights).all():
            raise ValueError(
                f"Explanation {i} ({one.text[:60]!r}) has no weights for its predicted class "
                f"{one.classes[one.predicted]!r}; use a teacher that explains it."
            )
        instances.append(instance)
        importance.append(weights[instance.feature_of_word])
    if not instances:
        raise ValueError(
            f"There is nothing to learn from: {len(explanations)} explanations, none with words."
        )
    return instances, importance


def epochs_of_batches(
    counts: np.ndarray, batch_words: int, epochs: int, rng: np.random.Generator
) -> Sequence[list[np.ndarray]]:
    """Deal whole texts into batches of about so many words, anew for every epoch.

    Parameters
    ----------
    counts
        (n,) int words of each text.
    batch_words
        The texts are cut where about so many are full.
    epochs
        Number of epochs.
    rng
        Order of the texts.

    Returns
    -------
    list of list of int array
        For each epoch its batches of text numbers.
    """
    dealt = []
    for _ in range(epochs):
        order = rng.permutation(len(counts))
        ends = np.cumsum(counts[order])
        batch = np.minimum((ends - 1) // batch_words, max(math.ceil(ends[-1] / batch_words) - 1, 0))
        dealt.append(np.split(order, np.flatnonzero(np.diff(batch)) + 1))
    return dealt
