"""Gaussian noise on the word embeddings of a text, along them or in all their coordinates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch

from xai_lib.explainers.mase_solvers import noise_covariance
from xai_lib.models.whitebox import Embedded
from xai_lib.rng import generator
from xai_lib.text import TextInstance

# Draws of coordinate noise that share a generator, so that no more than these are in memory.
BLOCK = 16

Key = tuple[str | float | bool | None, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the features of an instance are among its tokens, and how long they are.

    Attributes
    ----------
    seen
        (G,) the features of which the model sees at least one token that is not zero.
    place
        (T,) int: index in `seen` of the feature of each token; G for tokens of none.
    norms
        (G,) root mean square, over the tokens of a feature, of their Euclidean norms. For a
        feature of one token that is the norm of its embedding.
    """

    seen: np.ndarray
    place: np.ndarray
    norms: np.ndarray

    @property
    def scale(self) -> float:
        """Mean norm of the features, to which noise is relative."""
        return float(self.norms.mean()) if len(self.norms) else 0.0


def layout(one: TextInstance, embedded: Embedded) -> Layout:
    """Find the features of an instance among its tokens."""
    word = embedded.word[0]
    feature = np.full(len(word), -1)
    feature[word >= 0] = one.feature_of_word[word[word >= 0]]
    squares = embedded.embeddings[0].double().square().sum(dim=1).cpu().numpy()
    own = feature[feature >= 0]
    total = np.bincount(own, squares[feature >= 0], one.n_features)
    count = np.bincount(own, minlength=one.n_features)
    norms = np.sqrt(total / np.maximum(count, 1))
    seen = np.flatnonzero(norms > 0)
    index = np.full(one.n_features + 1, len(seen))  # The last one is that of tokens of none.
    index[seen] = np.arange(len(seen))
    return Layout(seen, index[feature], norms[seen])


class Noise(ABC):
    """Perturbations of one text: input 0 is the text itself, the others follow draw by draw.

    Parameters
    ----------
    at
        Features of the text.
    n_draws
        Number P of draws.
    signs
        ``(1,)``, or ``(1, -1)`` where each draw is used with both signs, one after the other.

    Attributes
    ----------
    regressors
        (P, G): what the answers are regressed on; complete after `recall`.
    covariance
        (G, G) covariance of the regressors that the estimate is told.
    """

    regressors: np.ndarray
    covariance: np.ndarray

    def __init__(self, at: Layout, n_draws: int, signs: tuple[int, ...]) -> None:
        self.at, self.signs = at, signs
        self.n_draws = n_draws if len(at.seen) else 0

    @property
    def n_inputs(self) -> int:
        """Number of inputs, the text itself included."""
        return 1 + self.n_draws * len(self.signs)

    def _split(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return draw and sign of inputs; sign 0 for the text itself."""
        draws, which = np.divmod(np.maximum(rows - 1, 0), len(self.signs))
        return draws, np.where(rows == 0, 0, np.array(self.signs)[which])

    @abstractmethod
    def __call__(self, embeddings: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """Perturb the (T, d) embeddings of the text: (m, T, d) for m inputs."""

    def recall(self, embeddings: torch.Tensor) -> None:  # noqa: B027
        """Complete `regressors` for the (T, d) embeddings of the text, if they depend on them."""

    @abstractmethod
    def weights(self, model: np.ndarray, rescale: bool) -> np.ndarray:
        """Turn (G, C) coefficients of the regressors into weights of the seen features."""


class WordNoise(Noise):
    """One number for each feature: its embeddings grow or shrink along themselves.

    The embedding e of each token of feature i becomes e (1 + sigma r u_i / norm_i), with the
    mean norm r of the features. So a word of one token moves by sigma r u_i along its unit vector,
    and sigma is the noise relative to the size of the embeddings.

    Parameters
    ----------
    at, n_draws, signs
        See `Noise`.
    sigma
        Standard deviation of the noise relative to the mean norm.
    covariance
        See `noise_covariance`.
    seed, key
        Fix the draws; a longer list of draws begins with the shorter one.
    """

    def __init__(
        self,
        at: Layout,
        n_draws: int,
        signs: tuple[int, ...],
        sigma: float,
        covariance: str,
        seed: int,
        key: Key,
    ) -> None:
        super().__init__(at, n_draws, signs)
        self.sigma = sigma
        size = len(at.seen)
        self.covariance = noise_covariance(size, covariance) if size else np.empty((0, 0))
        white = generator(seed, *key).standard_normal((self.n_draws, size))
        self.regressors = (
            white if covariance == "isotropic" else white @ np.linalg.cholesky(self.covariance).T
        )

    def __call__(self, embeddings: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """Perturb embeddings; see `Noise`."""
        factors = np.ones((len(rows), len(self.at.seen) + 1))
        if self.n_draws:
            draws, signs = self._split(rows)
            step = self.sigma * self.at.scale / self.at.norms
            factors[:, :-1] += signs[:, None] * self.regressors[draws] * step
        token = torch.from_numpy(factors[:, self.at.place]).to(embeddings)
        return embeddings * token[..., None]

    def weights(self, model: np.ndarray, rescale: bool) -> np.ndarray:
        """Divide by sigma: change of the answer for a step of r along the embedding.

        Rescaled by norm / r it is the change for a step of the whole embedding, which gradient
        times input is at the text itself.
        """
        slope = model / self.sigma
        return slope * (self.at.norms / self.at.scale)[:, None] if rescale else slope


class CoordinateNoise(Noise):
    """Independent noise in every coordinate of every token of a feature.

    The regressor of a feature is the sum of e Z / (sigma s)^2 over its tokens and their
    coordinates, where Z ~ N(0, (sigma s)^2). Its mean product with the answers is the embedding
    times LEG's estimate of the whole gradient, which never has to be kept.

    Parameters
    ----------
    at, n_draws, signs
        See `Noise`.
    sigma
        Standard deviation of the noise relative to that of the coordinates.
    spread
        (d,) standard deviation s of each coordinate over the vocabulary; a coordinate without
        spread is left alone.
    seed, key
        Fix the draws.
    """

    def __init__(
        self,
        at: Layout,
        n_draws: int,
        signs: tuple[int, ...],
        sigma: float,
        spread: np.ndarray,
        seed: int,
        key: Key,
    ) -> None:
        super().__init__(at, n_draws, signs)
        self.deviation, self.seed, self.key = sigma * spread, seed, key
        self.covariance = np.eye(len(at.seen))
        self.regressors = np.zeros((self.n_draws, len(at.seen)))
        self._block: tuple[int, np.ndarray] = (-1, np.empty(0))

    def _white(self, draw: int, width: int) -> np.ndarray:
        """Return the (T, d) standard normal numbers of a draw, for T tokens of features."""
        number, place = divmod(draw, BLOCK)
        if self._block[0] != number:
            shape = (BLOCK, width, len(self.deviation))
            drawn = generator(self.seed, *self.key, number).standard_normal(shape, np.float32)
            self._block = (number, drawn)
        return self._block[1][place]

    def __call__(self, embeddings: torch.Tensor, rows: np.ndarray) -> torch.Tensor:
        """Perturb embeddings; see `Noise`."""
        perturbed = embeddings.repeat(len(rows), 1, 1)
        tokens = self._tokens()
        noise = np.zeros((len(rows), len(tokens), len(self.deviation)), dtype=np.float32)
        for k, (draw, sign) in enumerate(zip(*self._split(rows), strict=True)):
            if sign != 0:
                noise[k] = sign * self._white(int(draw), len(tokens)) * self.deviation
        where = torch.from_numpy(tokens).to(embeddings.device)
        perturbed[:, where] += torch.from_numpy(noise).to(embeddings)
        return perturbed

    def recall(self, embeddings: torch.Tensor) -> None:
        """Draw once more for the regressors; see `Noise`."""
        tokens = self._tokens()
        own = embeddings[torch.from_numpy(tokens).to(embeddings.device)].double().cpu().numpy()
        inverse = np.divide(
            1.0, self.deviation, out=np.zeros_like(self.deviation), where=self.deviation > 0
        )
        size = len(self.at.seen)
        for draw in range(self.n_draws):
            along = (own * self._white(draw, len(tokens)) * inverse).sum(axis=1)
            self.regressors[draw] = np.bincount(self.at.place[tokens], along, size)

    def _tokens(self) -> np.ndarray:
        return np.flatnonzero(self.at.place < len(self.at.seen))

    def weights(self, model: np.ndarray, rescale: bool) -> np.ndarray:
        """Leave them: they are in units of the whole embedding already."""
        return model
