"""What a black box answers for perturbed word embeddings of many texts, in full batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from xai_lib.models.huggingface import PADDING_STEP, TOKEN_BUDGET
from xai_lib.models.whitebox import Embedded, EmbeddingAccess, EmbeddingPrediction
from xai_lib.text import TextInstance

Perturb = Callable[[torch.Tensor, np.ndarray], torch.Tensor]
"""From the (T, d) embeddings of a text and m numbers of inputs to (m, T, d) embeddings."""


def embed_each(box: EmbeddingAccess, instances: Sequence[TextInstance]) -> list[Embedded]:
    """Look up the embeddings of instances one by one, at the width at which they will be run.

    Parameters
    ----------
    box
        The black box.
    instances
        n instances of it.

    Returns
    -------
    list of Embedded
        Each of one instance. On a CPU nothing is padded; elsewhere the width is a multiple of
        the step of predictions.
    """
    step = PADDING_STEP["cpu" if _on_cpu(box) else "cuda"]
    found = [box.embed([one]) for one in instances]
    widths = [one.word.shape[1] for one in found]
    return [
        one if width % step == 0 else box.embed([instance], -(-width // step) * step)
        for one, instance, width in zip(found, instances, widths, strict=True)
    ]


def perturbed_logits(
    box: EmbeddingAccess,
    embedded: Sequence[Embedded],
    perturbations: Sequence[Perturb],
    counts: Sequence[int],
    exact: bool = False,
) -> list[np.ndarray]:
    """Return the logits of perturbed inputs of many texts.

    What comes out for a text does not depend on the others: on a CPU, where kernels sum in
    another order for another shape, a batch holds one text; elsewhere texts share batches, which
    all have one shape for a width.

    Parameters
    ----------
    box
        The black box; its `calls` grow by the sum of the counts.
    embedded
        n texts from `embed_each`.
    perturbations
        For each text the function that perturbs its embeddings. It is called once for each input,
        in order.
    counts
        Number of inputs of each text.
    exact
        Run `logits_from_embeddings` also where the box has a faster way in which it makes its
        predictions, whose rounding may be larger than what a small perturbation changes.

    Returns
    -------
    list of (count, C) float64 array
    """
    run = (
        box.predict_from_embeddings
        if isinstance(box, EmbeddingPrediction) and not exact
        else box.logits_from_embeddings
    )
    parts: list[list[np.ndarray]] = [[] for _ in embedded]
    for batch, n_rows in _batches(box, [one.word.shape[1] for one in embedded], counts):
        inputs = [perturbations[i](embedded[i].embeddings[0], rows) for i, rows in batch]
        sizes = [len(rows) for _, rows in batch]
        attention = [
            embedded[i].attention.expand(size, -1)
            for (i, _), size in zip(batch, sizes, strict=True)
        ]
        if (fill := n_rows - sum(sizes)) > 0:
            inputs.append(inputs[-1][-1:].expand(fill, -1, -1))
            attention.append(attention[-1][-1:].expand(fill, -1))
        with torch.no_grad():
            logits = run(torch.cat(inputs), torch.cat(attention))
        box.calls += sum(sizes)
        answers = logits.double().cpu().numpy()[: sum(sizes)]
        for (i, _), answer in zip(batch, np.split(answers, np.cumsum(sizes)[:-1]), strict=True):
            parts[i].append(answer)
    return [np.concatenate(part) for part in parts]


def _on_cpu(box: EmbeddingAccess) -> bool:
    return box.device.split(":")[0] == "cpu"


def _batches(
    box: EmbeddingAccess, widths: Sequence[int], counts: Sequence[int]
) -> Iterator[tuple[list[tuple[int, np.ndarray]], int]]:
    """Cut inputs into batches; yield texts with their inputs, and the number of rows to fill."""
    on_cpu = _on_cpu(box)
    budget = TOKEN_BUDGET["cpu" if on_cpu else "cuda"]
    together: dict[int, list[int]] = {}
    for i, width in enumerate(widths):
        together.setdefault(i if on_cpu else width, []).append(i)
    for texts in together.values():
        size = max(1, budget // widths[texts[0]])
        text = np.repeat(texts, [counts[i] for i in texts])
        row = np.concatenate([np.arange(counts[i]) for i in texts])
        for start in range(0, len(text), size):
            of, rows = text[start : start + size], row[start : start + size]
            batch = [(int(i), rows[of == i]) for i in dict.fromkeys(of.tolist())]
            yield batch, len(of) if on_cpu else size
