"""Fitting of an L2E student: from explanations to a network and what is known of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from xai_lib.explainers.amortised import Progress
from xai_lib.explainers.l2e_run import bfloat16_agreement
from xai_lib.explainers.l2e_student import FIRST_WORD, Student, word_bytes
from xai_lib.explainers.l2e_targets import (
    SCHEMES,
    discretised,
    labelling_loss,
    ranking_loss,
    ranks_of_weights,
)
from xai_lib.explainers.l2e_training import Lesson, Loss, Schedule, train
from xai_lib.explainers.teacher_explanations import teacher_instances
from xai_lib.explanation import Explanation
from xai_lib.models.base import Classifier, refusal
from xai_lib.models.vocabulary import WordVocabulary
from xai_lib.rng import generator
from xai_lib.text import TextInstance

if TYPE_CHECKING:
    from xai_lib.explainers.l2e import L2E

_WORDS_AT_ONCE = 256

# A text, the class that the black box predicts, and the weights of its words.
Taught = tuple[TextInstance, int, np.ndarray]


def fit_student(
    settings: L2E,
    explanations: Mapping[str, Sequence[Explanation]],
    classifier: Classifier,
    seed: int,
    progress: Progress | None,
    validation: Mapping[str, Sequence[Explanation]] | None,
) -> tuple[Student, dict[str, Any]]:
    """Fit a student.

    Parameters
    ----------
    settings
        The explainer that it is for.
    explanations
        For each teacher what it explained.
    classifier, seed, progress, validation
        See `xai_lib.explainers.l2e.L2E.fit` and `fit_several`.

    Returns
    -------
    network : Student
        In evaluation mode.
    facts : dict
        What `AmortisedExplainer.facts` shows.
    """
    start = time.perf_counter()
    if settings.teacher and settings.teacher not in explanations:
        named = ", ".join(filter(None, explanations))
        raise ValueError(
            f"Unknown teacher {settings.teacher!r}. "
            + (f"Those that teach are: {named}." if named else "Only fit_several has named ones.")
        )
    taught, dropped = _every(explanations, classifier)
    if validation is None:
        texts = [one.text for some in taught.values() for one, _, _ in some]
        held = held_out_texts(texts, settings.held_out, generator(seed, settings.name, "held out"))
        kept, checked = {}, {}
        for name, some in taught.items():
            kept[name] = [one for one in some if one[0].text not in held]
            checked[name] = [one for one in some if one[0].text in held]
    else:
        kept, (checked, _) = taught, _every(validation, classifier)
    read = dict.fromkeys(one.read_text for some in kept.values() for one, _, _ in some)
    vocabulary = WordVocabulary.of_texts(read, size=2**62, min_count=settings.min_count)
    means = subword_means(vocabulary, classifier) if settings.initial == "black_box" else None
    facts: dict[str, Any] = {
        "black_box": classifier.name,
        "identity": getattr(classifier, "identity", None),
        "classes": list(classifier.classes),
        "n_classes": len(classifier.classes),
        "width": settings.width,
        "embedding_width": None if means is None else means.shape[1],
        "vocabulary": list(word_bytes(vocabulary)),
        "teacher": ", ".join(dict.fromkeys(one[0].method for one in explanations.values())),
        "teachers": list(explanations) if len(explanations) > 1 else [],
        "n_texts": sum(map(len, kept.values())),
        "n_validation": sum(map(len, checked.values())),
        "dropped": dropped,
        "optimizer": settings.optimizer,
        "seed": int(seed),
    }
    device = torch.device(classifier.device)
    # Not of losses, epochs or rates: variants start from the same weights.
    rng = generator(seed, settings.name, settings.blocks, settings.heads, settings.width)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(rng.integers(2**62)))
        network = settings._network(facts)
    network.set_words(vocabulary)
    table = network.embedding.weight
    with torch.no_grad():
        if means is not None:
            table[FIRST_WORD : FIRST_WORD + len(means)] = means
        # Of the names, so that the order of the classes changes nothing.
        for label, named in enumerate(classifier.classes):
            start_of_class = generator(seed, settings.name, "class", named)
            drawn = start_of_class.normal(scale=table.shape[1] ** -0.5, size=table.shape[1])
            table[network.n_words + label] = torch.from_numpy(drawn)
    lessons, held_lessons = (
        [
            Lesson(network.ids(one.words, label, number), _targets(settings, weights))
            for number, name in enumerate(explanations)
            for one, label, weights in part.get(name, [])
        ]
        for part in (kept, checked)
    )
    network = network.to(device)
    schedule = Schedule(
        settings.optimizer,
        settings.learning_rate,
        settings.epochs,
        settings.batch_tokens,
        settings.clip,
        settings.patience,
    )
    labelling = settings.formulation == "labelling"
    record = train(
        network, lessons, held_lessons, _loss_of(settings), labelling, schedule, rng, progress
    )
    network.eval()
    facts |= {
        "n_words": sum(len(one.targets) for one in lessons),
        "history": record.history,
        "validation": record.validation,
        "best_epoch": record.best_epoch,
        "bfloat16_agreement": bfloat16_agreement(network, held_lessons or lessons),
        "seconds": round(time.perf_counter() - start, 3),
    }
    return network, facts


def _every(
    explanations: Mapping[str, Sequence[Explanation]], classifier: Classifier
) -> tuple[dict[str, list[Taught]], int]:
    """Return what each teacher teaches, and how many texts are of no use."""
    every = {}
    for name, some in explanations.items():
        try:
            every[name] = usable(some, classifier)
        except ValueError as error:
            raise ValueError(f"Teacher {name!r}: {error}" if name else str(error)) from error
    return {name: some for name, (some, _) in every.items()}, sum(n for _, n in every.values())


def _targets(settings: L2E, weights: np.ndarray) -> np.ndarray:
    if settings.formulation == "ranking":
        return ranks_of_weights(weights)
    return discretised(weights, settings.scheme) - SCHEMES[settings.scheme][0]


def _loss_of(settings: L2E) -> Loss:
    def ranking(outputs: torch.Tensor, ranks: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return ranking_loss(outputs[..., 0], ranks, mask, settings.ties)

    return ranking if settings.formulation == "ranking" else labelling_loss


def usable(explanations: Sequence[Explanation], classifier: Classifier) -> tuple[list[Taught], int]:
    """Return what there is to learn from explanations.

    Parameters
    ----------
    explanations
        By any method that explains the predicted class.
    classifier
        The black box that they are of.

    Returns
    -------
    lessons : list of (TextInstance, int, (W,) float64 array)
        Each text, its predicted class and the weights of its words; not all of them 0.
    dropped : int
        Texts with words whose weights are all 0.

    Raises
    ------
    ValueError
        If the explanations are not of the classifier, or there is nothing to learn from.
    """
    instances, importance = teacher_instances(explanations, classifier)
    predicted = [one.predicted for one in explanations if one.n_features]
    found = [one for one in zip(instances, predicted, importance, strict=True) if one[2].any()]
    if not found:
        raise ValueError(
            f"There is nothing to learn from: the weights of all {len(instances)} texts are 0."
        )
    return found, len(instances) - len(found)


def held_out_texts(texts: Sequence[str], share: float, rng: np.random.Generator) -> frozenset[str]:
    """Draw a share of the different texts; none where that would leave none to learn from.

    A share above 0 holds out one text at least, if there are two.
    """
    different = list(dict.fromkeys(texts))
    n = min(max(1, round(share * len(different))), len(different) - 1) if share else 0
    return frozenset(different[i] for i in rng.permutation(len(different))[:n])


def subword_means(vocabulary: WordVocabulary, classifier: Classifier) -> torch.Tensor:
    """Look up words in the embedding layer of the black box.

    Parameters
    ----------
    vocabulary
        V words.
    classifier
        One that shows its embeddings.

    Returns
    -------
    (V, d) float32 tensor
        Mean embedding of the pieces of each word, all divided by one number so that their mean
        length is 1. Zero for a word that the black box sees nothing of.

    Raises
    ------
    ValueError
        If the classifier shows no embeddings; lists the methods that need none.
    """
    if not hasattr(classifier, "embed"):
        raise refusal(classifier, "l2e", "the embedding layer (for initial='black_box')")
    box: Any = classifier
    words, rows = vocabulary.words, []
    for start in range(0, len(words), _WORDS_AT_ONCE):
        embedded = box.embed(classifier.instances(words[start : start + _WORDS_AT_ONCE]))
        inside = torch.from_numpy((embedded.word >= 0).astype(np.float32))
        pieces = embedded.embeddings.float().cpu()
        total = inside.sum(dim=1, keepdim=True).clamp(min=1)
        rows.append((pieces * inside[..., None]).sum(dim=1) / total)
    table = torch.cat(rows) if rows else box.embed(classifier.instances([""])).embeddings[0, :0]
    lengths = torch.linalg.vector_norm(table, dim=1)
    table = table / lengths.mean().clamp(min=1e-12) if len(table) else table
    return table.float().cpu()
