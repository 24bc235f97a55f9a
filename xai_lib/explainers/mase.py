"""MASE: a linear model of the black box around the word embeddings of one text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from xai_lib.explainers.answered import AnsweredExplainer
from xai_lib.explainers.base import Attribution
from xai_lib.explainers.mase_noise import CoordinateNoise, Noise, WordNoise, layout
from xai_lib.explainers.mase_solvers import (
    ALPHA,
    COVARIANCES,
    ESTIMATORS,
    Fit,
    held_out_r2,
    leg,
    odd_part,
    ridge,
    soft_threshold,
    sparse,
)
from xai_lib.masks import check_budget
from xai_lib.models.base import Classifier
from xai_lib.models.embedding_output import EmbeddingOutput
from xai_lib.models.perturbed import embed_each, perturbed_logits
from xai_lib.models.transformer_whitebox import softmax
from xai_lib.models.whitebox import Embedded, EmbeddingAccess, Vocabulary, embedding_access
from xai_lib.text import TextInstance

RESPONSES = ("probability", "logit")
VARIANTS = ("word", "full")
LAYERS = ("words", "output")
PRECISIONS = ("prediction", "float32")


@dataclass(frozen=True)
class Mase(AnsweredExplainer):
    """MASE: saliency of words from Gaussian noise on their embeddings, for all classes at once.

    Every input multiplies the embeddings of the words by 1 + sigma r u_i / norm_i with normal
    numbers u; a linear model without intercept of the change of the answer gives the weights.
    So a positive weight says that more of a word's embedding raises the answer. Separators and
    special tokens are left alone; a word of which the model sees nothing has the weight 0.

    Attributes
    ----------
    n_samples
        Budget in model calls, the text itself included; at least 2. Noise that is left without
        its mirror image is not asked for, so that with `antithetic` an even budget leaves one
        call unused; only a budget of 2 uses one draw with one sign.
    sigma
        Standard deviation of the noise: relative to the mean norm r of the words, or with
        ``variant="full"`` to the standard deviation of each coordinate over the vocabulary.
    covariance
        Of the noise on words in a row, in units of sigma squared, see `noise_covariance`:
        ``"isotropic"``, or ``"smooth"``, whose variances are nearly 2.
    estimator
        ``"ridge"``: least squares on the noise that was drawn, penalised by g' covariance g.
        ``"leg"``: moments and the known covariance, as LEG has it; the same in the limit, but its
        error in each weight is that of all words together, so that long texts need many more
        draws.
    response
        ``"probability"`` or ``"logit"``.
    antithetic
        Use each draw with both signs, which cancels all even terms of the answer.
    variant
        ``"word"``: one number for a word, along its embedding. ``"full"``: noise in every
        coordinate; the weight is the embedding times the estimate of the gradient, whose error
        grows with the number of coordinates. It needs isotropic noise and the estimator ``"leg"``.
    rescale
        Weight of word i times norm_i / r, which makes it an estimate of gradient times input;
        without effect on ``"full"``, which is one already.
    layer
        What is perturbed. ``"words"``: the vectors in which words are looked up. ``"output"``:
        what the embedding layer makes of them, in BERT the sum of word, position and type
        divided by its own spread; for Transformers with such a layer, ``variant="word"`` and
        always in float32.
    precision
        ``"float32"``: perturbed embeddings are run in float32, also where the classifier predicts
        in a shorter number format. ``"prediction"``: in the format of its predictions. bfloat16
        rounds logits to steps of 0.4 %, which hides what small noise changes: with sigma = 0.1
        most of what is left may be rounding.
    group
        See `xai_lib.text.TextInstance`.

    References
    ----------
    Yang, Luo, Zhu & Jin (2025), "MASE: Interpretable NLP models via model-agnostic saliency
    estimation", arXiv:2512.04386v1, abstract; Luo, Barut & Jin (ICCV 2021), LEG and LEG-TV.

    Notes
    -----
    A reconstruction: of the paper only the abstract was within reach. It says that noise on the
    embedding layer ("normalized linear Gaussian perturbations") gives a saliency estimate. Model,
    estimator ``"leg"``, covariance and programme are those of LEG, the method for images that two
    of the authors published before. Normalising noise to the norm of the embeddings, the ridge
    regression and all default values are ours.

    A sign is that of a slope, not of a removal: on MiniLM and small BERTs the book finds that it
    often does not say whether a word supports the class.

    Weights are divided by sigma, so that they are slopes and can be compared between values of
    sigma. As sigma tends to 0, rescaled weights of the response ``"logit"`` tend to those of
    `InputXGradient`. A feature of several tokens is as long as the root mean square of their
    norms, and all of them grow by the same factor.

    Diagnostics: ``sigma``; and for ``variant="word"`` ``r2_held_out``, how well the linear model
    of the predicted class, fitted to four fifths of the noise, predicts the answers to the rest.
    The draws depend on seed, text, group, covariance and variant, not on sigma or the budget.
    """

    name: ClassVar[str] = "mase"
    white_box: ClassVar[bool] = True
    later_settings: ClassVar[tuple[str, ...]] = ("answers", "layer")
    n_samples: int = 1000
    sigma: float = 0.1
    covariance: str = "isotropic"
    estimator: str = "ridge"
    response: str = "probability"
    antithetic: bool = True
    variant: str = "word"
    rescale: bool = False
    layer: str = "words"
    precision: str = "float32"
    group: str = "position"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_budget(self.n_samples)
        if not (math.isfinite(self.sigma) and self.sigma > 0):
            raise ValueError(f"sigma must be a positive number, got {self.sigma}.")
        for setting, value, valid in (
            ("covariance", self.covariance, COVARIANCES),
            ("estimator", self.estimator, ESTIMATORS),
            ("response", self.response, RESPONSES),
            ("variant", self.variant, VARIANTS),
            ("layer", self.layer, LAYERS),
            ("precision", self.precision, PRECISIONS),
        ):
            if value not in valid:
                raise ValueError(f"Unknown {setting} {value!r}. Valid: {', '.join(valid)}.")
        if self.variant == "full" and (self.covariance, self.estimator) != ("isotropic", "leg"):
            raise ValueError(
                "variant 'full' needs covariance 'isotropic' and estimator 'leg', got "
                f"{self.covariance!r} and {self.estimator!r}."
            )
        if self.variant == "full" and self.layer == "output":
            raise ValueError("variant 'full' needs layer 'words', got 'output'.")

    @property
    def signs(self) -> tuple[int, ...]:
        """Signs with which a draw is used."""
        return (1, -1) if self.antithetic and self.n_samples > 2 else (1,)

    def check(self, classifier: Classifier) -> None:
        """Raise a ValueError if the classifier does not answer for embeddings.

        For ``variant="full"`` also if it does not show those of its vocabulary.
        """
        self._access(classifier)
        if self.variant == "full" and not isinstance(classifier, Vocabulary):
            raise ValueError(
                f"variant 'full' of the method {self.name!r} needs the embeddings of the whole "
                f"vocabulary, which the classifier {classifier.name!r} does not offer. Valid "
                "for it is variant 'word'."
            )

    def asked(self) -> list[str | float | bool]:
        """Return what the perturbations depend on; see `AnsweredExplainer.asked`."""
        n_draws = (self.n_samples - 1) // len(self.signs)
        signs = len(self.signs)
        asked: list[str | float | bool] = [n_draws, signs, self.sigma]
        asked += [self.covariance, self.variant, self.precision]
        # The default is not named, so that answers which were kept before keep their files.
        return asked if self.layer == "words" else [*asked, self.layer]

    def _access(self, classifier: Classifier) -> EmbeddingAccess:
        """Return what answers for the embeddings that are perturbed."""
        access = embedding_access(classifier, self.name)
        return access if self.layer == "words" else EmbeddingOutput(classifier, self.name)

    def ask(
        self, instances: Sequence[TextInstance], classifier: Classifier, seed: int
    ) -> list[np.ndarray]:
        """Return logits of perturbed embeddings; see `AnsweredExplainer.ask`."""
        box = self._access(classifier)
        embedded = embed_each(box, instances)
        noises = [
            self._noise(one, found, box, seed)
            for one, found in zip(instances, embedded, strict=True)
        ]
        counts, exact = [noise.n_inputs for noise in noises], self.precision == "float32"
        logits = perturbed_logits(box, embedded, noises, counts, exact)
        for one, answer in zip(instances, logits, strict=True):
            if not np.isfinite(answer).all():
                raise ValueError(
                    f"The black box {classifier.name!r} returned a value that is not finite for "
                    f"perturbed embeddings of the text {one.text[:80]!r}."
                )
        return logits

    def fit_answers(
        self,
        instances: Sequence[TextInstance],
        answers: Sequence[np.ndarray],
        classifier: Classifier,
        seed: int,
    ) -> list[Attribution]:
        """Fit to logits of the same noise, or of a longer list of draws of it.

        See `AnsweredExplainer.fit_answers`.

        Raises
        ------
        ValueError
            If there are fewer answers than `n_samples` asks for.
        """
        box = self._access(classifier)
        found = []
        for one, logits in zip(instances, answers, strict=True):
            (embedded,) = embed_each(box, [one])
            noise = self._noise(one, embedded, box, seed)
            if len(logits) < noise.n_inputs:
                raise ValueError(
                    f"There are {len(logits)} answers for the text {one.text[:80]!r}, fewer than "
                    f"the {noise.n_inputs} that were to be asked for."
                )
            noise.recall(embedded.embeddings[0])
            found.append(self._fit(one, noise, logits[: noise.n_inputs]))
        return found

    def _noise(
        self, one: TextInstance, embedded: Embedded, box: EmbeddingAccess, seed: int
    ) -> Noise:
        n_draws = (self.n_samples - 1) // len(self.signs)
        key = ("mase", one.read_text, self.variant, self.covariance, self.group)
        at = layout(one, embedded)
        if self.variant == "word":
            return WordNoise(at, n_draws, self.signs, self.sigma, self.covariance, seed, key)
        assert isinstance(box, Vocabulary)
        spread = box.vocabulary_embeddings().double().std(dim=0, correction=0).cpu().numpy()
        return CoordinateNoise(at, n_draws, self.signs, self.sigma, spread, seed, key)

    def _fit(self, one: TextInstance, noise: Noise, logits: np.ndarray) -> Attribution:
        probabilities = softmax(logits)
        answer, response = probabilities[0], logits if self.response == "logit" else probabilities
        weights = np.zeros((response.shape[1], one.n_features))
        diagnostics = {"sigma": self.sigma}
        fit = partial(self._model, covariance=noise.covariance)
        shape = (noise.n_draws, len(noise.signs), response.shape[1])
        changes = (response[1:] - response[0]).reshape(shape)
        if noise.n_draws:
            model = fit(noise.regressors, odd_part(changes))
            weights[:, noise.at.seen] = noise.weights(model, self.rescale).T
        if self.variant == "word":
            own = changes[..., [int(np.argmax(answer))]]
            diagnostics["r2_held_out"] = self._r2(noise, own, fit)
        return Attribution(weights, answer, noise.n_inputs, diagnostics=diagnostics)

    @staticmethod
    def _r2(noise: Noise, changes: np.ndarray, fit: Fit) -> float:
        return held_out_r2(noise.regressors, changes, fit)

    def _model(self, noise: np.ndarray, changes: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """Fit (G, C) coefficients to (n, G) noise and the odd part (n, C) of the changes."""
        if self.estimator == "leg":
            return leg(noise, changes, covariance)
        # A draw with both signs stands for two rows.
        return ridge(noise, changes, covariance, ALPHA / len(self.signs))


@dataclass(frozen=True)
class MaseSparse(Mase):
    """MASE with few words: the smallest linear model that explains the estimate up to a share.

    Minimises |g|_1 subject to |S (g* - g)|_max <= penalty |S g*|_max, where g* is the estimate of
    `Mase` on the same noise and S the covariance of the noise: a linear programme, class by class.
    With isotropic noise its solution is soft-thresholding, which needs no solver.

    Attributes
    ----------
    penalty
        lambda_0, from 0 (the estimate itself) to less than 1; weights below this share of the
        largest become 0.
    n_samples, sigma, covariance, estimator, response, antithetic, variant, rescale
        See `Mase`.
    layer, precision, group
        See `Mase`.

    References
    ----------
    As `Mase`; LEG-TV (ICCV 2021), with the identity in place of its matrix of differences.

    Notes
    -----
    A reconstruction, see `Mase`: that a sparse variant exists is second-hand. LEG-TV's code
    suggests 0.1 or 0.3 for lambda_0.
    """

    name: ClassVar[str] = "mase_sparse"
    penalty: float = 0.1

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        if not 0 <= self.penalty < 1:
            raise ValueError(f"penalty must be at least 0 and below 1, got {self.penalty}.")

    def _model(self, noise: np.ndarray, changes: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        full = super()._model(noise, changes, covariance)
        if self.covariance == "isotropic":
            return soft_threshold(full, self.penalty)
        moments = covariance @ full
        return np.stack([sparse(one, covariance, self.penalty) for one in moments.T], axis=1)
