"""What the gradient methods share: batches of embeddings, aggregation, the way to words."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.models.base import Classifier
from xai_lib.models.whitebox import Embedded, WhiteBox, white_box
from xai_lib.text import TextInstance

AGGREGATIONS = ("sum", "l1", "l2")
TARGETS = ("all", "predicted")
# Tokens in one forward and backward pass.
TOKEN_BUDGET = {"cpu": 4096, "cuda": 16384}
# What comes out for a text must not depend on what shares its batch, but kernels sum in another
# order for another shape. So on a CPU the inputs of one text make a batch; elsewhere, where that
# would be slow, texts share batches of fixed shapes: inputs are padded to a multiple of this many
# tokens and batches to a fixed number of rows.
PADDING_STEP = 32

Job = tuple[int, int]  # index of an instance, index of a class


class FromEmbeddings(torch.nn.Module):
    """The network of a white box as captum wants it: a module from embeddings to logits."""

    def __init__(self, box: WhiteBox) -> None:
        super().__init__()
        self.network = box.network  # captum hooks the submodules
        self.run = box.logits_from_embeddings

    def forward(self, embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        """Return (n, C) logits."""
        return self.run(embeddings, attention)


def token_budget(kind: str) -> int:
    """Return the tokens of one forward and backward pass on a kind of device."""
    return TOKEN_BUDGET.get(kind, TOKEN_BUDGET["cuda"])


def aggregate(values: np.ndarray, how: str) -> np.ndarray:
    """Reduce attributions of embedding coordinates (..., d) to one number for each token.

    Parameters
    ----------
    values
        (..., d).
    how
        ``"sum"`` keeps signs and completeness, ``"l1"`` and ``"l2"`` are the norms.

    Returns
    -------
    (...,) float64 array
    """
    values = values.astype(np.float64)
    if how == "sum":
        return values.sum(axis=-1)
    return np.linalg.norm(values, ord=1 if how == "l1" else 2, axis=-1)


@dataclass(frozen=True)
class GradientExplainer(Explainer):
    """What the gradient methods share.

    The input is the word embedding of each token, to which the network adds positions; the
    target is the logit of a class, in float32 and evaluation mode. The weight of a word is the
    sum over its pieces, that of a word type the sum over its occurrences; special tokens and
    separators belong to no feature.

    Attributes
    ----------
    aggregation
        From embedding coordinates to a token: ``"sum"``, ``"l1"`` or ``"l2"``.
    target
        ``"all"`` explains every class. ``"predicted"`` explains the predicted class only, leaves
        the other rows NaN, and costs C times less.
    group
        See `xai_lib.text.TextInstance`.

    Notes
    -----
    `model_calls` counts the inputs sent forward: the prediction, and for each explained class
    what the method's own docstring says. Backward passes, one for each input of the method, are
    not counted.

    xai-benchmark, whose numbers LIPEx compares with, attributes the output of the whole embedding
    layer (after positions and layer norm), takes the norm it calls l2 but codes as l1, and leaves
    dropout on. Here dropout is off, and the attributed embeddings are those that removing a word
    takes away; ``aggregation="l1"`` is its norm.
    """

    white_box: ClassVar[bool] = True
    aggregation: str = "sum"
    target: str = "all"
    group: str = "position"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        if self.aggregation not in AGGREGATIONS:
            raise ValueError(
                f"Unknown aggregation {self.aggregation!r}. Valid: {', '.join(AGGREGATIONS)}."
            )
        if self.target not in TARGETS:
            raise ValueError(f"Unknown target {self.target!r}. Valid: {', '.join(TARGETS)}.")

    @property
    def inputs_per_class(self) -> int:
        """Inputs sent forward for one class of one text."""
        return 1

    def check(self, classifier: Classifier) -> None:
        """Raise a ValueError if the classifier is no white box."""
        white_box(classifier, self.name)

    def attribute(
        self, instances: list[TextInstance], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances; see `Explainer.attribute`."""
        box = white_box(classifier, self.name)
        whole = [np.ones((1, one.n_features), dtype=bool) for one in instances]
        answers = [answer[0] for answer in classifier.predict_masked(instances, whole)]
        n_classes = len(classifier.classes)
        targets = [
            range(n_classes) if self.target == "all" else [int(np.argmax(answer))]
            for answer in answers
        ]
        jobs = [(i, c) for i, classes in enumerate(targets) for c in classes]
        weights = [np.full((n_classes, one.n_features), np.nan) for one in instances]
        gaps: list[list[float]] = [[] for _ in instances]
        forward = FromEmbeddings(box)
        for batch, width, n_rows in self._batches(box, instances, jobs):
            rows = batch + batch[:1] * (n_rows - len(batch))
            embedded = self.embed(box, [instances[i] for i, _ in rows], width, seed)
            classes = torch.tensor([c for _, c in rows], device=embedded.embeddings.device)
            with torch.enable_grad(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Setting .*hooks", category=UserWarning)
                values, gap = self.coordinates(forward, box, embedded, classes)
            box.calls += len(batch) * self.inputs_per_class
            tokens = aggregate(values.detach().cpu().numpy(), self.aggregation)
            for (i, c), row, word in zip(batch, tokens, embedded.word, strict=False):
                weights[i][c] = _of_features(instances[i], row, word)
            if gap is not None:
                for (i, _), size in zip(batch, gap.abs().cpu().tolist(), strict=False):
                    gaps[i].append(float(size))
        for one, classes_of, found in zip(instances, targets, weights, strict=True):
            if not np.isfinite(found[list(classes_of)]).all():
                raise ValueError(
                    f"The gradients of {classifier.name!r} are not finite for the text "
                    f"{one.text[:80]!r}."
                )
        return [
            Attribution(
                found,
                answer,
                1 + len(classes_of) * self.inputs_per_class,
                diagnostics={"completeness_gap": max(gap_of)} if gap_of else None,
            )
            for found, answer, classes_of, gap_of in zip(
                weights, answers, targets, gaps, strict=True
            )
        ]

    def _batches(
        self, box: WhiteBox, instances: list[TextInstance], jobs: list[Job]
    ) -> Iterator[tuple[list[Job], int, int]]:
        """Cut jobs into batches; yield the jobs, the width, the number of rows to fill."""
        kind = box.device.split(":")[0]
        on_cpu = kind == "cpu"
        lengths = [box.embed([one]).word.shape[1] for one in instances]
        widths = [n if on_cpu else -(-n // PADDING_STEP) * PADDING_STEP for n in lengths]
        together: dict[int, list[Job]] = {}
        for i, c in jobs:
            together.setdefault(i if on_cpu else widths[i], []).append((i, c))
        for same in together.values():
            width = widths[same[0][0]]
            inputs = token_budget(kind) // width
            size = max(1, inputs // self.inputs_per_class)
            for start in range(0, len(same), size):
                batch = same[start : start + size]
                yield batch, width, len(batch) if on_cpu else size

    def embed(
        self, box: WhiteBox, instances: Sequence[TextInstance], width: int, seed: int
    ) -> Embedded:
        """Look up the embeddings of instances; a method with chance draws what it needs."""
        return box.embed(instances, width)

    @abstractmethod
    def coordinates(
        self, forward: FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attribute every embedding coordinate of a batch.

        Parameters
        ----------
        forward
            The network from embeddings to logits, whose submodules may be hooked.
        box
            The white box.
        embedded
            n padded inputs.
        classes
            (n,) int: the class whose logit each input explains.

        Returns
        -------
        values : (n, T, d) tensor
        gap : (n,) tensor or None
            Where the method is complete: the sum of the values minus the difference of logits.
        """


def _of_features(one: TextInstance, tokens: np.ndarray, word: np.ndarray) -> np.ndarray:
    """Sum the weights of tokens (T,) over the pieces and occurrences of each feature, (F,)."""
    inside = word >= 0
    features = one.feature_of_word[word[inside]]
    return np.bincount(features, tokens[inside], one.n_features).astype(np.float64)
