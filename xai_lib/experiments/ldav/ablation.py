"""Table 8 and what the paper leaves open: other losses, other vectors, other distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from xai_lib.experiments.ldav.methods import LDAV, OTHERS, rank
from xai_lib.experiments.ldav.networks import (
    AS_PRINTED,
    PLAIN,
    changed_copy,
    losses_of,
    network,
    runs_of,
    score_settings,
)
from xai_lib.experiments.ldav.removal import (
    COMPREHENSIVENESS,
    SWITCHING,
    Values,
    against,
    aopc_shares,
    over_runs,
    removal_values,
    remove,
)
from xai_lib.experiments.ldav.sample import Sample
from xai_lib.experiments.rows import Row, compare_rows, defined_row, estimate_row, runs_row
from xai_lib.models.ldav_training import text_vectors

RUNS = "ablation_runs"
TERMS = ("without L2", "without L3")
LEARNED, MEANS = "learned", "class means"


def own_values(sample: Sample, training: str, called: str, **settings: Any) -> Values:
    """Explain the networks of a training by their own vectors, see `removal_values`."""
    given = {**score_settings(training), **settings}
    return removal_values(sample, training, [LDAV], {LDAV: called}, RUNS, given)


def ablation_rows(sample: Sample) -> tuple[list[Row], list[Row]]:
    """Write Table 8: the switching point with the whole loss, and without one of its terms.

    Returns
    -------
    rows, comparisons : list of dict
    """
    values = own_values(sample, LDAV, LDAV)[SWITCHING]
    for term in TERMS:
        values |= own_values(sample, term, f"{LDAV} ({term})")[SWITCHING]
    place: Row = {"setting": sample.setting.key}
    rows = [estimate_row({**place, "method": m}, one, sample.seed) for m, one in values.items()]
    return rows, against(place, values, [LDAV], sample.seed)


def distance_rows(sample: Sample) -> tuple[list[Row], list[Row]]:
    """Write appendix E: the switching point by Euclidean and by cosine distance in the score.

    Returns
    -------
    rows, comparisons : list of dict
        For networks trained with L3 of unit vectors (``ldav``) and with L3 as printed.
    """
    rows: list[Row] = []
    pairs: list[Row] = []
    for training in (LDAV, AS_PRINTED):
        place: Row = {"setting": sample.setting.key, "training": training}
        values: dict[str, np.ndarray] = {}
        for distance in ("euclidean", "cosine"):
            name = f"{LDAV} ({distance})"
            values |= own_values(sample, training, name, distance=distance)[SWITCHING]
        rows += [
            estimate_row({**place, "method": name}, one, sample.seed)
            for name, one in values.items()
        ]
        pairs += compare_rows(place, values, [tuple(values)], sample.seed)  # type: ignore[list-item]
    return rows, pairs


def with_class_means(sample: Sample, run: int) -> Any:
    """Return a plain network whose class vectors are the means of its training texts.

    Parameters
    ----------
    sample
        Gives the setting.
    run
        Which plain network.

    Returns
    -------
    TokenWhiteBox
        A copy; the vector of a class is the mean over its training texts of their mean word
        embeddings, minus the mean over the classes, since all texts share most of it.
    """
    setting = sample.setting

    def put_means(box: Any) -> None:
        centred = class_means(box, setting.train.texts, setting.train.labels)
        box.model.class_vectors = torch.nn.Parameter(
            centred.to(box.model.embedding.weight), requires_grad=False
        )

    return changed_copy(setting, network(setting, PLAIN, run), "class-means", put_means)


def class_means(box: Any, texts: Sequence[str], labels: np.ndarray) -> torch.Tensor:
    """Average the mean word embeddings of the texts of each class.

    Parameters
    ----------
    box
        A network with C classes and embeddings of length d.
    texts
        n texts.
    labels
        (n,) classes.

    Returns
    -------
    (C, d) float64 tensor
        Minus the mean over the classes. A class without texts counts as zero.
    """
    total = torch.zeros(len(box.classes), box.width, dtype=torch.float64)
    for start in range(0, len(texts), 512):
        part = list(map(box.instance, texts[start : start + 512]))
        embedded = box.embed(part)
        vectors = text_vectors(embedded.embeddings, embedded.attention, box.pairs)
        where = torch.tensor(labels[start : start + 512])
        total.index_add_(0, where, vectors.double().cpu())
    counts = torch.from_numpy(np.bincount(labels, minlength=len(box.classes)))
    means = total / counts.clamp(min=1)[:, None]
    return means - means.mean(dim=0)


def variant_rows(sample: Sample) -> tuple[list[Row], list[Row]]:
    """Write what becomes of LDAV under other readings.

    Returns
    -------
    rows, comparisons : list of dict
        For each variant accuracy and length of the vectors over the runs, switching point and
        comprehensiveness over the texts. ``class means`` are vectors that nothing was trained for,
        in a plain network.
    """
    setting, seed = sample.setting, sample.seed
    shares = aopc_shares(setting.key)
    tables: dict[str, Values] = {}
    rows: list[Row] = []
    own = losses_of(setting, LDAV)
    other = "gold label" if own is not None and own.target == "predicted" else "predicted label"
    trainings = {LEARNED: LDAV, AS_PRINTED: AS_PRINTED, other: other, MEANS: PLAIN}
    for name, training in trainings.items():
        boxes = [
            with_class_means(sample, run) if name == MEANS else network(setting, training, run)
            for run in runs_of(setting, RUNS)
        ]
        found = []
        for box in boxes:
            instances = sample.instances(box)
            ranked = rank([LDAV], instances, box, setting.profile, seed, score_settings(training))
            found.append(remove(instances, {name: ranked[LDAV]}, box, shares, name))
        tables[name] = over_runs(found)
        place: Row = {"setting": setting.key, "variant": name}
        norms = [float(box.class_vectors.norm(dim=1).mean()) for box in boxes]
        rows.append(
            runs_row(
                {**place, "measure": "accuracy"},
                np.array([box.card["accuracy"] for box in boxes]),
                0,
                1,
            )
        )
        rows.append(runs_row({**place, "measure": "length of the vectors"}, np.array(norms), 0))
    pairs: list[Row] = []
    for measure in (SWITCHING, COMPREHENSIVENESS):
        values = {name: table[measure][name] for name, table in tables.items()}
        where: Row = {"setting": setting.key, "measure": measure}
        rows += [estimate_row({**where, "variant": n}, v, seed) for n, v in values.items()]
        pairs += against(where, values, [LEARNED], seed)
    return rows, pairs


def plain_values(sample: Sample) -> Values:
    """Do what `removal_values` does for the other methods, on networks without class vectors."""
    return removal_values(sample, PLAIN, OTHERS)


def helped_rows(sample: Sample, with_ldav: Values, without: Values) -> tuple[list[Row], list[Row]]:
    """Compare the other methods on networks with class vectors and without, text by text.

    Parameters
    ----------
    sample
        Gives setting and seed.
    with_ldav, without
        From `main_values` and `plain_values`.

    Returns
    -------
    rows, comparisons : list of dict
    """
    rows: list[Row] = []
    pairs: list[Row] = []
    for measure in (SWITCHING, COMPREHENSIVENESS):
        for method in without[measure]:
            place: Row = {"setting": sample.setting.key, "measure": measure, "method": method}
            both: Mapping[str, np.ndarray] = {
                LDAV: with_ldav[measure][method],
                PLAIN: without[measure][method],
            }
            rows += [
                defined_row({**place, "training": name}, one, sample.seed)
                for name, one in both.items()
            ]
            pairs += compare_rows(place, both, [(LDAV, PLAIN)], sample.seed)
    return rows, pairs
