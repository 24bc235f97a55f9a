"""What surrounds an L2E student: lessons from explanations, its start, its answers."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from xai_lib.explainers.amortised import teacher_instances
from xai_lib.explainers.l2e_student import Student
from xai_lib.explainers.l2e_training import Lesson
from xai_lib.explanation import Explanation
from xai_lib.models.base import Classifier, refusal
from xai_lib.models.batching import batches_of
from xai_lib.models.vocabulary import WordVocabulary
from xai_lib.text import TextInstance

# Tokens of the comparison of number formats; a few thousand words say enough.
_COMPARED_TOKENS = 2000
_NO_LIMIT = 2**31
_WORDS_AT_ONCE = 256

# A text, the class that the black box predicts, and the weights of its words.
Taught = tuple[TextInstance, int, np.ndarray]


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


def outputs_of(
    network: Student, inputs: Sequence[np.ndarray], precision: str = "float32"
) -> list[np.ndarray]:
    """Send texts through a fitted student.

    Parameters
    ----------
    network
        In evaluation mode, where its weights are.
    inputs
        n arrays of tokens, see `Student.ids`.
    precision
        ``"float32"`` or ``"bfloat16"``.

    Returns
    -------
    list of (W, n_outputs) float32 array
        What comes out for a text does not depend on the others: on a processor texts of one
        length form a batch, see `xai_lib.models.batching`.
    """
    runner = network if precision == "float32" else _shortened(network)
    device = next(runner.parameters()).device
    lengths = np.array([len(ids) for ids in inputs], dtype=np.int64)
    found: list[np.ndarray] = [np.empty(0)] * len(inputs)
    with torch.inference_mode():
        for width, rows in batches_of(lengths, str(device), _NO_LIMIT):
            ids = np.zeros((len(rows), width), dtype=np.int64)
            for row, i in enumerate(rows):
                ids[row, : lengths[i]] = inputs[i]
            padded = bool(lengths[rows].min() < width)
            outputs = runner(torch.from_numpy(ids).to(device), padded).cpu().numpy()
            for output, i in zip(outputs, rows, strict=True):
                found[i] = output[: lengths[i] - network.prefix]
    return found


def _shortened(network: Student) -> Student:
    """Return the student in bfloat16 but for its last layer, made once."""
    device = next(network.parameters()).device
    found: Student | None = network.__dict__.get("_short")
    if found is None or next(found.parameters()).device != device:
        found = copy.deepcopy(network).to(torch.bfloat16)
        found.output.float()
        # Past the registry of modules: it is not to be saved.
        object.__setattr__(network, "_short", found)
    return found


def bfloat16_agreement(network: Student, lessons: Sequence[Lesson]) -> float:
    """Compare what is read off in bfloat16 and in float32, on a processor.

    Parameters
    ----------
    network
        A fitted student in evaluation mode.
    lessons
        The first few of them are compared.

    Returns
    -------
    float
        Share of words with the same label; for ranking, mean share of the best 30 % of the words
        that are the same.
    """
    several = np.cumsum([len(one.ids) for one in lessons]) <= _COMPARED_TOKENS
    inputs = [one.ids for one in lessons[: max(1, int(several.sum()))]]
    inputs = [ids[: network.prefix + _COMPARED_TOKENS] for ids in inputs]
    on_processor = copy.deepcopy(network).to("cpu")
    exact, rounded = (outputs_of(on_processor, inputs, p) for p in ("float32", "bfloat16"))
    same, of = 0, 0
    for one, other in zip(exact, rounded, strict=True):
        if one.shape[1] > 1:
            same += int((one.argmax(axis=1) == other.argmax(axis=1)).sum())
            of += len(one)
        else:
            best = -(-3 * len(one) // 10)
            first, second = (set(np.argsort(-part[:, 0])[:best].tolist()) for part in (one, other))
            same += len(first & second)
            of += best
    return same / of
