"""What the black box says of the selected words alone, and without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xai_lib.metrics.faithfulness import Instance, MaskedPredictor, Removed

CLIP = 1e-6


@dataclass(frozen=True, eq=False)
class Selected(Removed):
    """Predictions of n documents whole, and with the selected words kept alone or removed.

    `probabilities` is (n, L, C): L draws of a random selection, else one.

    Attributes
    ----------
    counts
        (n, L) int: number of selected words.
    n_words
        (n,) int: number of words.
    kept
        Whether the selected words are what was left, and not what was removed.
    """

    counts: np.ndarray
    n_words: np.ndarray
    kept: bool

    @property
    def partial(self) -> np.ndarray:
        """(n,) bool: whether some words are selected but not all, in every draw."""
        some = (self.counts > 0) & (self.counts < self.n_words[:, None])
        return np.asarray(some.all(axis=1))

    def agreement(self, where: np.ndarray | None = None, all_draws: bool = False) -> np.ndarray:
        """Tell whether the class is that of the whole document, table 1 of L2E.

        Parameters
        ----------
        where
            (n,) booleans: the documents that count; default `partial`. To compare methods give
            all of them the same.
        all_draws
            Of several draws all must agree, as the released code has it for random words, which
            makes them look worse; by default the share of the draws that agree.

        Returns
        -------
        numpy.ndarray
            (n,) float64; NaN for a document that does not count.
        """
        agrees = self.retained.all(axis=1) if all_draws else self.retained.mean(axis=1)
        return np.where(self.partial if where is None else where, agrees, np.nan)

    def delta_log_odds(
        self, where: np.ndarray | None = None, saturated_zero: bool = False
    ) -> np.ndarray:
        """Compute how far the log-odds of the predicted class fall, tables 2, 8 and 9 of L2E.

        Parameters
        ----------
        where
            See `agreement`.
        saturated_zero
            See `log_odds`.

        Returns
        -------
        numpy.ndarray
            (n,) float64, natural logarithm, before minus after, mean over the draws; NaN for a
            document that does not count.
        """
        before, after = (log_odds(p, saturated_zero) for p in self._of_predicted)
        falls = (before - after).mean(axis=1)
        return np.where(self.partial if where is None else where, falls, np.nan)


def agreement_between(
    first: Selected, second: Selected, where: np.ndarray | None = None
) -> np.ndarray:
    """Tell whether two selections lead to the same class, the rows "Both" of table 1 of L2E.

    Parameters
    ----------
    first, second
        Of the same documents, with one draw each.
    where
        (n,) booleans: the documents that count; default those where both are partial.

    Returns
    -------
    numpy.ndarray
        (n,) float64; NaN for a document that does not count.

    Raises
    ------
    ValueError
        If they are not of as many documents, or have several draws.
    """
    classes = [np.argmax(one.probabilities, axis=-1) for one in (first, second)]
    if classes[0].shape != classes[1].shape or classes[0].shape[1:] != (1,):
        raise ValueError(
            "agreement needs two selections of the same documents with one draw each: shapes "
            f"{classes[0].shape} and {classes[1].shape}"
        )
    counted = first.partial & second.partial if where is None else where
    return np.where(counted, (classes[0] == classes[1])[:, 0], np.nan)


def log_odds(probability: np.ndarray, saturated_zero: bool = False) -> np.ndarray:
    """Compute the natural logarithm of the odds.

    Parameters
    ----------
    probability
        From 0 to 1, any shape.
    saturated_zero
        Do what the released code of L2E does: no clipping, and 0 where the probability rounds to
        1 (in float32, as its black boxes answer). A black box that is sure has then lower odds
        than one that is not. A probability of 0, where that code fails, is clipped.

    Returns
    -------
    numpy.ndarray
        ``log(p / (1 - p))`` with p clipped to 1e-6 and 1 - 1e-6, so between -13.8 and 13.8.
    """
    p = np.asarray(probability, dtype=np.float64)
    if not saturated_zero:
        p = np.clip(p, CLIP, 1 - CLIP)
        return np.log(p) - np.log1p(-p)
    p = p.astype(np.float32).astype(np.float64)
    least = float(np.finfo(np.float32).tiny)
    inside = np.where(p < 1, np.maximum(p, least), 0.5)
    return np.log(inside) - np.log1p(-inside)


def predict_selected(
    instances: Sequence[Instance],
    selections: Mapping[str, Sequence[np.ndarray]],
    classifier: MaskedPredictor,
    keep: bool,
    removal: str = "mask",
) -> dict[str, Selected]:
    """Ask the black box of the words that several methods select, in one call.

    Parameters
    ----------
    instances
        n documents of one classifier.
    selections
        For each method, for each document (F,) booleans, or (L, F) for L draws; see
        `xai_lib.metrics.selection`.
    classifier
        The black box.
    keep
        Keep the selected words and remove all others, for `Selected.agreement`; or remove them,
        for `Selected.delta_log_odds`.
    removal
        How a word is removed; as the paper has it, by the mask token.

    Returns
    -------
    dict of str to Selected
        In the order given. A set of words that two methods share costs one prediction.

    Raises
    ------
    ValueError
        If there are no documents or methods, or a selection does not fit its document.
    """
    if not len(instances) or not len(selections):
        raise ValueError("instances and selections must not be empty")
    sizes = np.array([one.n_features for one in instances])
    given = {name: [np.atleast_2d(one) for one in some] for name, some in selections.items()}
    for name, some in given.items():
        shapes = {(len(one), one.shape[1] == size) for one, size in zip(some, sizes, strict=False)}
        if len(some) != len(sizes) or len(shapes) > 1 or not all(fits for _, fits in shapes):
            raise ValueError(
                f"selections[{name!r}] must have, for each of {len(sizes)} documents, as many "
                "draws and a boolean for each of its words"
            )
        if any(one.dtype != bool for one in some):
            raise ValueError(f"selections[{name!r}] must hold booleans")
    masks = []
    for i, size in enumerate(sizes):
        rows = [some[i] if keep else ~some[i] for some in given.values()]
        masks.append(np.concatenate([np.ones((1, size), dtype=bool), *rows]))
    answers = np.stack(classifier.predict_masked(list(instances), masks, removal))
    ends = np.cumsum([1, *(len(some[0]) for some in given.values())])
    return {
        name: Selected(
            original=answers[:, 0],
            probabilities=answers[:, start:stop],
            counts=np.array([one.sum(axis=1) for one in some]),
            n_words=sizes,
            kept=keep,
        )
        for (name, some), start, stop in zip(given.items(), ends[:-1], ends[1:], strict=True)
    }
