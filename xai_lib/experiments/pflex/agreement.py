"""Figure 7: how far two explanations of the same texts agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from xai_lib.experiments.pflex.runs import Run, Runs, against, over_runs, shortest
from xai_lib.experiments.rows import Row, compare_rows, compared_rows, defined_row
from xai_lib.metrics import cosine_agreement, rank_correlation, top_k_overlap

if TYPE_CHECKING:
    from xai_lib.experiments.pflex.sample import Sample

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
OVERLAPS = (1, 3, 5)
BY = {"teacher": "first", "own": "second", "both": "both"}


def weight_pairs(found: Run, reference: Run) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the weights of the predicted class of the same texts, reference first.

    Parameters
    ----------
    found
        Explanations; there may be fewer than in `reference`.
    reference
        Explanations of the same texts in the same order.

    Returns
    -------
    list of pairs of (F,) arrays

    Raises
    ------
    ValueError
        If there are more than in `reference`, or two are not of the same text and features.
    """
    if len(found) > len(reference):
        raise ValueError(f"{len(found)} explanations, but {len(reference)} to compare with.")
    pairs = []
    for i, (one, other) in enumerate(zip(found, reference, strict=False)):
        if (one.text, one.spans) != (other.text, other.spans):
            raise ValueError(
                f"Explanation {i} by {one.method!r} and by {other.method!r} are not of the same "
                f"text and words: {one.text[:60]!r}, {other.text[:60]!r}."
            )
        # The reference's class, unless rounding has moved a text that sits on a border.
        of = other.predicted if one.explained[other.predicted] else one.predicted
        pairs.append((other.weights[other.predicted], one.weights[of]))
    return pairs


def cosines(
    found: Run,
    reference: Run,
    shares: Sequence[float] = SHARES,
    by: str = "teacher",
) -> tuple[np.ndarray, np.ndarray]:
    """Compute each text's cosine with a reference, on its most important features.

    Parameters
    ----------
    found, reference
        Explanations of the same n texts.
    shares
        Shares of the features, most important first; see `xai_lib.metrics.cosine_agreement`.
    by
        Who says what is important: the ``"teacher"`` (reference), the method's ``"own"``
        weights, or ``"both"``.

    Returns
    -------
    values : (n, len(shares)) array
        NaN where it is not defined.
    used : (n, len(shares)) int array
        Number of features compared.

    Raises
    ------
    ValueError
        If `by` is unknown.
    """
    if by not in BY:
        raise ValueError(f"unknown importance {by!r}; valid: {', '.join(BY)}")
    both = [
        [cosine_agreement(first, second, share, BY[by]) for share in shares]
        for first, second in weight_pairs(found, reference)
    ]
    table = np.array(both, dtype=np.float64).reshape(-1, len(shares), 2)
    return table[..., 0], table[..., 1].astype(np.int64)


def agreement_values(found: Run, reference: Run) -> dict[str, np.ndarray]:
    """Compare two explanations of each of n texts over all features.

    Parameters
    ----------
    found, reference
        Explanations of the same texts.

    Returns
    -------
    dict of str to (n,) array
        ``cosine``; ``spearman``; ``top-1``, ``top-3``, ``top-5``: share of the top features in
        common by absolute weight. NaN where one is not defined.
    """
    pairs = weight_pairs(found, reference)
    measures = {
        "cosine": [cosine_agreement(*pair)[0] for pair in pairs],
        "spearman": [rank_correlation(*pair) for pair in pairs],
    }
    for k in OVERLAPS:
        measures[f"top-{k}"] = [top_k_overlap(*pair, k) for pair in pairs]
    return {name: np.array(values) for name, values in measures.items()}


def mean_over_runs(runs: Sequence[Run], reference: Run) -> dict[str, np.ndarray]:
    """Average each text's `agreement_values` over several runs."""
    tables = [agreement_values(run, reference) for run in runs]
    return {name: over_runs([table[name] for table in tables]) for name in tables[0]}


def agreement_rows(
    sample: Sample,
    runs: Runs,
    shares: Sequence[float] = SHARES,
    by: str = "teacher",
    reference: str = "pflex",
) -> tuple[list[Row], list[Row], dict[str, np.ndarray]]:
    """Measure how methods agree with LIME on the test texts, at each filter of Figure 7.

    Parameters
    ----------
    sample
        The test texts and LIME's explanations of them.
    runs
        For each method its runs, see `xai_lib.experiments.pflex.stress.stress_values`. Random
        and constant weights are the floor, LIME from another draw is the ceiling.
    shares, by
        See `cosines`.
    reference
        The method compared with the others.

    Returns
    -------
    rows, comparisons : list of dict
        For each method and share the mean over texts of the cosine (averaged over runs),
        ``words``, the mean number of features compared, and ``single``, the share of texts with
        one feature compared; paired differences at each share.
    values : dict of str to (n, len(shares)) array
        The cosines themselves, for histograms; of several runs the first.
    """
    key, seed, n = sample.setting.key, sample.seed, shortest(runs)
    lime = sample.test.lime[:n]
    found: dict[str, np.ndarray] = {}
    first: dict[str, np.ndarray] = {}
    used: dict[str, np.ndarray] = {}
    for method, some in runs.items():
        tables = [cosines(run[:n], lime, shares, by) for run in some]
        found[method] = over_runs([values for values, _ in tables])
        first[method] = tables[0][0]
        used[method] = np.concatenate([counts for _, counts in tables])
    rows: list[Row] = []
    pairs: list[Row] = []
    for j, share in enumerate(shares):
        place: Row = {"setting": key, "share": share}
        columns = {method: table[:, j] for method, table in found.items()}
        for method, column in columns.items():
            words = used[method][:, j]
            counted = {"words": float(words.mean()), "single": float((words == 1).mean())}
            rows.append(defined_row({**place, "method": method}, column, seed) | counted)
        pairs += compare_rows(place, columns, against(reference, list(columns)), seed)
    return rows, pairs, first


def overlap_rows(
    sample: Sample, runs: Runs, reference: str = "pflex"
) -> tuple[list[Row], list[Row]]:
    """Measure agreement with LIME by rank correlation and by common top words.

    Parameters
    ----------
    sample, runs, reference
        See `agreement_rows`.

    Returns
    -------
    rows, comparisons : list of dict
        For each measure of `agreement_values` and method.
    """
    n = shortest(runs)
    lime = sample.test.lime[:n]
    tables = {name: mean_over_runs([run[:n] for run in some], lime) for name, some in runs.items()}
    return compared_rows({"setting": sample.setting.key}, "method", tables, reference, sample.seed)
