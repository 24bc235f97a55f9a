"""The losses of locally distributed activation vectors (LDAV): a vector for each class."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

SEPARATIONS = ("normalised", "literal")
TARGETS = ("predicted", "gold")
DISTANCES = ("cosine", "euclidean")


@dataclass(frozen=True)
class LdavLosses:
    """What is added to the cross-entropy so that class vectors are learnt with a network.

    The loss of a batch is L1 + L2 - L3. L1 is the cross-entropy divided by the number k of
    classes. L2 pulls the mean word embedding of a text and the vector of its class together. L3
    pushes the class vectors apart.

    Attributes
    ----------
    rho1, rho2
        Weights of L2 and L3; 0 leaves the term out.
    l3
        ``"normalised"``: the class vectors have length 1 in L3, which is then 2 k^2 at most.
        ``"literal"``: as printed. It has no largest value, so that training ends where early
        stopping ends it.
    target
        The class of a text in L2: the ``"predicted"`` one, as in the paper, or the ``"gold"``
        one.
    distance
        Of text and class vector in L2: ``"cosine"``, or ``"euclidean"`` as in Table 11.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or a name is unknown; lists what is valid.

    References
    ----------
    Bashier, Kim & Goebel (COLING 2022), "Locally distributed activation vectors for guided
    feature attribution", equations 1 to 3; section 4.5 for pairs of texts.

    Notes
    -----
    Deviations: the paper gives no values of rho1 and rho2; the defaults are those that the
    chapter's grid found for ``"normalised"``, and ``"literal"`` needs larger ones. Equation 3 as
    printed grows without end as the class vectors do, and only their directions matter to
    equation 2, hence the default of `l3`.

    The form of L3 and the distance of the score (`xai_lib.explainers.ldav.Ldav`) belong together.
    ``"normalised"`` leaves the vectors about as long as words are; the words that decide become
    longer than that, the others shorter, so that by the Euclidean distance the others are nearer:
    use the cosine. ``"literal"`` makes the vectors many times as long; then the Euclidean distance
    is a projection, and works, as the paper finds. With L2 much stronger than L3 all class vectors
    take the direction of what the texts share, and no score works.
    """

    rho1: float = 0.1
    rho2: float = 0.01
    l3: str = "normalised"
    target: str = "predicted"
    distance: str = "cosine"

    def __post_init__(self) -> None:
        """Check the settings."""
        for what, number in (("rho1", self.rho1), ("rho2", self.rho2)):
            if not 0 <= number < float("inf"):
                raise ValueError(f"{what} must be a number of at least 0, got {number}.")
        for what, value, valid in (
            ("l3", self.l3, SEPARATIONS),
            ("target", self.target, TARGETS),
            ("distance", self.distance, DISTANCES),
        ):
            if value not in valid:
                raise ValueError(f"Unknown {what} {value!r}. Valid: {', '.join(valid)}.")

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data."""
        return asdict(self)

    def of_batch(
        self,
        logits: torch.Tensor,
        labels: torch.Tensor,
        texts: torch.Tensor,
        vectors: torch.Tensor,
    ) -> torch.Tensor:
        """Compute L1 + L2 - L3 of a batch.

        Parameters
        ----------
        logits
            (n, k).
        labels
            (n,) int64 classes.
        texts
            (n, d) vectors of the texts, from `text_vectors`.
        vectors
            (k, d) class vectors.

        Returns
        -------
        Scalar tensor
            L1 and L2 are means over the batch.
        """
        loss = torch.nn.functional.cross_entropy(logits, labels) / logits.shape[1]
        if self.rho1:
            own = labels if self.target == "gold" else logits.detach().argmax(dim=1)
            loss = loss + self.rho1 * distances(texts, vectors[own], self.distance).mean()
        if self.rho2:
            loss = loss - self.rho2 * separation(vectors, self.l3)
        return loss


def text_vectors(
    embeddings: torch.Tensor, attention: torch.Tensor | None, pairs: bool = False
) -> torch.Tensor:
    """Average the word embeddings of texts.

    Parameters
    ----------
    embeddings
        (n, T, d), without dropout.
    attention
        (n, T): 0 for padding, which does not count; 2 for words of a second text. None where all
        are words of one text.
    pairs
        Whether these are pairs of texts: then the averages of the two are multiplied, coordinate
        by coordinate.

    Returns
    -------
    (n, d) tensor
        Zero for a text, or a pair with a text, that has no words.
    """
    if attention is None:
        return embeddings.mean(dim=1)
    if not pairs:
        return _mean(embeddings, attention != 0)
    return _mean(embeddings, attention == 1) * _mean(embeddings, attention == 2)


def _mean(embeddings: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    count = there.sum(dim=1, keepdim=True).clamp(min=1)
    inside = torch.where(there[..., None], embeddings, torch.zeros_like(embeddings))
    return inside.sum(dim=1) / count


def distances(one: torch.Tensor, other: torch.Tensor, distance: str) -> torch.Tensor:
    """Return the distances of rows, (..., d) and (..., d) to (...).

    ``"cosine"`` is 1 minus the cosine, and 1 where a row is zero; ``"euclidean"`` is the length
    of the difference.
    """
    if distance == "cosine":
        return 1 - torch.nn.functional.cosine_similarity(one, other, dim=-1)
    return torch.linalg.vector_norm(one - other, dim=-1)


def separation(vectors: torch.Tensor, how: str = "normalised") -> torch.Tensor:
    """Sum the squared distances of class vectors over all ordered pairs of classes.

    Parameters
    ----------
    vectors
        (k, d).
    how
        ``"literal"``, or ``"normalised"`` for vectors that are first given length 1.

    Returns
    -------
    Scalar tensor
        As 2 k sum |z|^2 - 2 |sum z|^2, hence at most 2 k^2 for vectors of length 1.
    """
    if how == "normalised":
        vectors = torch.nn.functional.normalize(vectors, dim=1)
    return 2 * len(vectors) * vectors.square().sum() - 2 * vectors.sum(dim=0).square().sum()


def vector_norms(vectors: torch.Tensor) -> list[float]:
    """Return the lengths of class vectors, to six places, for the record of a training."""
    return [round(float(norm), 6) for norm in torch.linalg.vector_norm(vectors, dim=1)]
