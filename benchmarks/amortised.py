"""What a PFLex explanation costs beyond the prediction that it explains."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.results import Row
from benchmarks.settings import Settings
from benchmarks.worker import wait
from xai_lib.data import Dataset
from xai_lib.explainers.base import Explainer
from xai_lib.explainers.lime import Lime
from xai_lib.explainers.pflex import PFLex
from xai_lib.models import load_classifier
from xai_lib.models.base import Classifier
from xai_lib.models.class_vectors import renew_class_vectors
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.text import find_words

# An explanation over a plain prediction: one text at a time, and a corpus in one call.
ONE_AT_MOST, CORPUS_AT_MOST = 1.10, 1.15
# What the head costs does not depend on its weights, so a few texts and one epoch do.
LESSONS, LESSON_SAMPLES = 8, 50
WARM_UP = 5
# Calls of one text are summed up in so many blocks to show how far the ratio goes astray.
BLOCKS = 10


def head(classifier: Classifier, texts: Sequence[str], seed: int = 0) -> PFLex:
    """Fit a head on LIME's explanations of a few texts for one epoch."""
    lessons = Lime(n_samples=LESSON_SAMPLES).explain(texts, classifier, seed)
    return PFLex(epochs=1).fit(lessons, classifier, seed)


def interleaved(
    sides: Sequence[Callable[[int], object]], rounds: int, device: str, seconds: float = np.inf
) -> np.ndarray:
    """Time sides in turn, round after round.

    Parameters
    ----------
    sides
        Functions of the number of the round. Every other round begins with the last of them, so
        that none always finds what another has just loaded.
    rounds
        Number of rounds.
    device
        Where the black box runs.
    seconds
        After this time, and at least two rounds, no further round is begun.

    Returns
    -------
    (n, number of sides) float64 array
        Seconds of each call.
    """
    taken = np.empty((rounds, len(sides)))
    begin = time.perf_counter()
    for done in range(rounds):
        if done >= 2 and time.perf_counter() - begin > seconds:
            return taken[:done]
        order = range(len(sides)) if done % 2 == 0 else reversed(range(len(sides)))
        for i in order:
            start = time.perf_counter()
            sides[i](done)
            wait(device)
            taken[done, i] = time.perf_counter() - start
    return taken


def ratio_of_medians(taken: np.ndarray, blocks: int) -> dict[str, Any]:
    """Give the fields of a `Row` for two interleaved sides.

    Parameters
    ----------
    taken
        (n, 2) seconds; the ratio is that of the first side to the second.
    blocks
        Number of blocks of consecutive rounds, at most n.

    Returns
    -------
    dict
        ``value``: median of the first side over median of the second; ``low`` and ``high``: the
        smallest and largest such ratio of a block; ``n``: rounds.
    """

    def ratio(part: np.ndarray) -> float:
        ours, theirs = np.median(part, axis=0)
        return float(ours / theirs)

    each = [ratio(part) for part in np.array_split(taken, min(blocks, len(taken)))]
    return {"value": ratio(taken), "low": min(each), "high": max(each), "n": len(taken)}


def untrained_bert(
    like: HuggingFaceClassifier, layers: int, width: int, heads: int
) -> HuggingFaceClassifier:
    """Make a BERT with random weights: what a forward pass costs does not depend on them.

    It has class vectors too, for LDAV.

    Parameters
    ----------
    like
        Gives tokenizer, classes, token budget, device, and the number format that is tried.
    layers, width, heads
        12, 768 and 12 are BERT-base; the feed-forward layers are four times as wide, as there.
    """
    from transformers import BertConfig, BertForSequenceClassification

    sizes: dict[str, Any] = {
        "vocab_size": like.model.config.vocab_size,
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
        "num_labels": len(like.classes),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = BertForSequenceClassification(BertConfig(**sizes))
    renew_class_vectors(model, 0)
    return HuggingFaceClassifier(
        model,
        like.tokenizer,
        f"an untrained BERT of {layers} layers, {width} wide",
        like.classes,
        like.device,
        max_length=like.max_length,
    )


def rows(settings: Settings, dataset: Dataset, data_dir: Path | None = None) -> list[Row]:
    """Measure an explanation by PFLex, forward pass included, against a plain prediction.

    Returns
    -------
    list of Row
        One text at a time, and a corpus in one call; for the black box, and for one of the size
        that the paper explains.
    """
    classifier = load_classifier(settings.model, settings.device, "auto", data_dir=data_dir)
    assert isinstance(classifier, HuggingFaceClassifier)
    shuffled = dataset.sample(len(dataset), seed=settings.seed).texts
    texts = [text for text in shuffled if find_words(text)]
    found = rows_of(settings, classifier, texts, "")
    large = untrained_bert(classifier, *settings.amortised_size)
    return found + rows_of(settings, large, texts, "-large")


def rows_of(settings: Settings, box: Classifier, texts: Sequence[str], which: str) -> list[Row]:
    """Measure the two rows of one black box; `which` ends their names."""
    explainer = head(box, texts[:LESSONS], settings.seed)
    endless = itertools.cycle(texts)
    single = [next(endless) for _ in range(settings.amortised_calls)]
    corpus = [next(endless) for _ in range(settings.amortised_texts)]
    one = interleaved_pair(explainer, box, [[text] for text in single])
    many = interleaved_pair(explainer, box, [corpus] * settings.repeats, settings.row_seconds)
    return [
        Row(
            "amortised",
            f"pflex-one{which}",
            f"PFLex of one text against predicting it, {len(single)} texts one by one, {box.name}",
            **ratio_of_medians(one, BLOCKS),
            at_most=ONE_AT_MOST,
            details=details(one, box, single, 1),
        ),
        Row(
            "amortised",
            f"pflex-corpus{which}",
            f"PFLex of {len(corpus)} texts against predicting them, {box.name}",
            **ratio_of_medians(many, len(many)),
            at_most=CORPUS_AT_MOST,
            details=details(many, box, corpus, len(corpus)),
        ),
    ]


def interleaved_pair(
    explainer: Explainer,
    classifier: Classifier,
    batches: Sequence[list[str]],
    seconds: float = np.inf,
) -> np.ndarray:
    """Time explaining and predicting the same texts, (n, 2) seconds, after a warm-up."""

    def explaining(i: int) -> object:
        return explainer.explain(batches[i], classifier)

    def predicting(i: int) -> object:
        return classifier.predict_proba(batches[i])

    few = [batch[:WARM_UP] for batch in batches[:WARM_UP]]
    for batch in few:  # Kernels are chosen on first use.
        explainer.explain(batch, classifier)
        classifier.predict_proba(batch)
    return interleaved((explaining, predicting), len(batches), classifier.device, seconds)


def details(
    taken: np.ndarray, classifier: Classifier, texts: Sequence[str], calls: int
) -> dict[str, Any]:
    """Give the details of a `Row` for an explanation (first side) and a prediction of texts."""
    ours, theirs = np.median(taken, axis=0)
    return {
        "our_seconds": float(ours),
        "their_seconds": float(theirs),
        "our_calls": calls,
        "their_calls": calls,
        "precision": classifier.precision,
        "median_words": float(np.median([len(find_words(text)) for text in texts])),
        "different_texts": len(set(texts)),
    }
