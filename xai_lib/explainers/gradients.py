"""Gradient methods: how the logits change with the embeddings of the words."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
import torch

from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.explanation import Explanation
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


class _FromEmbeddings(torch.nn.Module):
    """The network of a white box as captum wants it: a module from embeddings to logits."""

    def __init__(self, box: WhiteBox) -> None:
        super().__init__()
        self.network = box.network  # captum hooks the submodules
        self.run = box.logits_from_embeddings

    def forward(self, embeddings: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        """Return (n, C) logits."""
        return self.run(embeddings, attention)


def _captum() -> ModuleType:
    try:
        import captum.attr
    except ImportError as error:
        raise ImportError(
            "The gradient methods need captum; install it with: pip install 'xai_lib[gradients]'"
        ) from error
    return captum.attr


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
    """What the five gradient methods share.

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

    def explain(
        self, texts: Sequence[str], classifier: Classifier, seed: int = 0
    ) -> list[Explanation]:
        """Explain texts; see `Explainer.explain`.

        Raises
        ------
        ValueError
            If the classifier is no white box, also where no text has a word.
        """
        white_box(classifier, self.name)
        return super().explain(texts, classifier, seed)

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
        forward = _FromEmbeddings(box)
        for batch, width, n_rows in self._batches(box, instances, jobs):
            rows = batch + batch[:1] * (n_rows - len(batch))
            embedded = box.embed([instances[i] for i, _ in rows], width)
            classes = torch.tensor([c for _, c in rows], device=embedded.embeddings.device)
            with torch.enable_grad(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Setting .*hooks", category=UserWarning)
                values, gap = self._coordinates(forward, box, embedded, classes)
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
            inputs = TOKEN_BUDGET.get(kind, TOKEN_BUDGET["cuda"]) // width
            size = max(1, inputs // self.inputs_per_class)
            for start in range(0, len(same), size):
                batch = same[start : start + size]
                yield batch, width, len(batch) if on_cpu else size

    def _coordinates(
        self, forward: _FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attribute every embedding coordinate: (n, T, d); and the completeness gap (n,)."""
        raise NotImplementedError


def _of_features(one: TextInstance, tokens: np.ndarray, word: np.ndarray) -> np.ndarray:
    """Sum the weights of tokens (T,) over the pieces and occurrences of each feature, (F,)."""
    inside = word >= 0
    features = one.feature_of_word[word[inside]]
    return np.bincount(features, tokens[inside], one.n_features).astype(np.float64)


@dataclass(frozen=True)
class Saliency(GradientExplainer):
    """The gradient of the logit; with the default norm, its size.

    Costs one input for each class. With ``aggregation="sum"`` weights are signed: the sum of the
    gradient over the coordinates.

    References
    ----------
    Simonyan, Vedaldi & Zisserman (2014), "Deep inside convolutional networks", section 3.
    """

    name: ClassVar[str] = "saliency"
    aggregation: str = "l1"

    def _coordinates(
        self, forward: _FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        method = _captum().Saliency(forward)
        inputs = embedded.embeddings.detach().requires_grad_()
        extra = (embedded.attention,)
        return method.attribute(inputs, classes, abs=False, additional_forward_args=extra), None


@dataclass(frozen=True)
class GuidedBackprop(GradientExplainer):
    """The gradient with negative signals stopped at every ReLU; with the default norm, its size.

    Costs one input for each class. Only ``torch.nn.ReLU`` modules are guided. A network without
    them, such as BERT with its GELU, gives exactly the values of `Saliency`.

    References
    ----------
    Springenberg, Dosovitskiy, Brox & Riedmiller (2015), "Striving for simplicity", section 3.4.
    """

    name: ClassVar[str] = "guided_backprop"
    aggregation: str = "l1"

    def _coordinates(
        self, forward: _FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        method = _captum().GuidedBackprop(forward)
        inputs = embedded.embeddings.detach().requires_grad_()
        return method.attribute(inputs, classes, (embedded.attention,)), None


@dataclass(frozen=True)
class InputXGradient(GradientExplainer):
    """The gradient times the embedding. Costs one input for each class.

    References
    ----------
    Shrikumar, Greenside, Shcherbina & Kundaje (2016), "Not just a black box", section 3.
    """

    name: ClassVar[str] = "input_x_gradient"

    def _coordinates(
        self, forward: _FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        method = _captum().InputXGradient(forward)
        inputs = embedded.embeddings.detach().requires_grad_()
        return method.attribute(inputs, classes, (embedded.attention,)), None


@dataclass(frozen=True)
class IntegratedGradients(GradientExplainer):
    """The gradient averaged on the way from a text of padding, times the way.

    The baseline puts the padding embedding in the place of every token of a word and keeps
    special tokens, separators and positions. So the weights of the words (with the aggregation
    ``"sum"``) add up to the logit of the text minus the logit of the baseline, up to the error of
    the quadrature; its largest size over the classes is the diagnostic ``completeness_gap``, in
    logits. Costs ``n_steps + 2`` inputs for each class.

    Attributes
    ----------
    n_steps
        Points of the Gauss-Legendre quadrature, at least 2.
    aggregation, target, group
        See `GradientExplainer`.

    References
    ----------
    Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks", equation 1.
    """

    name: ClassVar[str] = "integrated_gradients"
    n_steps: int = 50

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        if self.n_steps < 2:
            raise ValueError(f"n_steps must be at least 2 points, got {self.n_steps}.")

    @property
    def inputs_per_class(self) -> int:
        """Inputs sent forward for one class of one text: the points and both ends."""
        return self.n_steps + 2

    def _coordinates(
        self, forward: _FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        inputs = embedded.embeddings
        words = torch.from_numpy(embedded.word >= 0).to(inputs.device)
        baseline = torch.where(words[..., None], box.padding_embedding(), inputs)
        budget = TOKEN_BUDGET.get(inputs.device.type, TOKEN_BUDGET["cuda"])
        values, gap = (
            _captum()
            .IntegratedGradients(forward)
            .attribute(
                inputs,
                baseline,
                classes,
                (embedded.attention,),
                n_steps=self.n_steps,
                internal_batch_size=max(len(inputs), budget // inputs.shape[1]),
                return_convergence_delta=True,
            )
        )
        return values, gap


@dataclass(frozen=True)
class DeepLift(GradientExplainer):
    """DeepLIFT with the rescale rule against embeddings of zeros.

    Costs two inputs for each class, the text and the baseline.

    References
    ----------
    Shrikumar, Greenside & Kundaje (2017), "Learning important features through propagating
    activation differences", section 3.5.1.

    Notes
    -----
    The baseline zeroes every token, special ones included, as xai-benchmark does. captum applies
    the rule to activation modules only (ReLU, ELU, LeakyReLU, Sigmoid, Tanh, Softplus, max pooling,
    softmax); attention, layer norm and GELU pass the plain gradient. So on BERT, where the
    pooler's Tanh is the only such module, the values stay close to `InputXGradient`.
    """

    name: ClassVar[str] = "deeplift"

    @property
    def inputs_per_class(self) -> int:
        """Inputs sent forward for one class of one text."""
        return 2

    def _coordinates(
        self, forward: _FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        method = _captum().DeepLift(forward)
        inputs = embedded.embeddings.detach().requires_grad_()
        baseline = torch.zeros_like(inputs)
        extra = (embedded.attention,)
        return method.attribute(inputs, baseline, classes, additional_forward_args=extra), None
