"""Tables 1, 2, 3 and 11, and calibration: what learning class vectors does to the network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from xai_lib.experiments.ldav.layout import DATA
from xai_lib.experiments.ldav.networks import LDAV, PLAIN, network, runs_of
from xai_lib.experiments.rows import Row, compare_rows, defined_row, runs_row
from xai_lib.experiments.study import Setting
from xai_lib.metrics import expected_calibration_error, macro_f1, macro_f1_with_empty
from xai_lib.models.zoo_entries import ZOO

# The paper's number of classes where it is not the number of classes.
COUNTED = {"dbpedia": 15}


@dataclass(frozen=True, eq=False)
class Answers:
    """What the runs of a training say of held-out texts.

    Attributes
    ----------
    probabilities
        (R, n, C).
    labels
        (n,) gold classes.
    """

    probabilities: np.ndarray
    labels: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """(R, n) bool: whether a run is right."""
        return np.asarray(self.probabilities.argmax(axis=2) == self.labels)

    def f1(self) -> np.ndarray:
        """Return the macro-F1 of each run, (R,)."""
        n = self.probabilities.shape[2]
        return np.array(
            [macro_f1(self.labels, one.argmax(axis=1), n) for one in self.probabilities]
        )

    def calibration(self) -> np.ndarray:
        """Return the expected calibration error of each run, (R,)."""
        return np.array(
            [expected_calibration_error(one, self.labels) for one in self.probabilities]
        )


def answers(setting: Setting, trainings: Sequence[str], what: str = "runs") -> dict[str, Answers]:
    """Ask all runs of some trainings about the held-out texts.

    Parameters
    ----------
    setting
        Gives texts and networks. Its profile says with ``accuracy_texts`` how many texts at most.
    trainings
        Names of `xai_lib.experiments.ldav.networks.TRAININGS`.
    what
        Key of the profile that says how many runs.
    """
    test = setting.test
    most = setting.profile.get("accuracy_texts", len(test))
    if len(test) > most:
        test = test.sample(most, seed=0)
    return {
        training: Answers(
            np.stack(
                [network(setting, training, run).predict_proba(test.texts)
                 for run in runs_of(setting, what)]
            ),
            np.asarray(test.labels),
        )
        for training in trainings
    }  # fmt: skip


def accuracy_rows(
    setting: Setting, found: dict[str, Answers], seed: int, column: str = "training"
) -> tuple[list[Row], list[Row]]:
    """Write accuracy and F1 of each training, and compare the accuracy of the first two.

    Parameters
    ----------
    setting
        Where the answers come from.
    found
        From `answers`; the first is the reference, the second is compared with it.
    seed
        Seed of the intervals.
    column
        What the name of a training stands under.

    Returns
    -------
    rows, comparisons : list of dict
        Accuracy with its interval over texts, each text's value being the share of the runs that
        are right, and with ``sd``, the standard deviation over the runs. F1 with an interval over
        the runs. ``accuracy gained``: second minus first, paired by text.
    """
    rows: list[Row] = []
    values = {}
    for name, one in found.items():
        place: Row = {"setting": setting.key, column: name}
        values[name] = one.right.mean(axis=0)
        spread = {"sd": _spread(one.right.mean(axis=1)), "runs": len(one.right)}
        where: Row = {**place, "measure": "accuracy"}
        rows.append({**defined_row(where, values[name], seed, share=True), **spread})
        scores = one.f1()
        n_classes = int(one.probabilities.shape[2])
        counted = COUNTED.get(str(setting.profile["dataset"]), n_classes)
        with_empty = np.array([macro_f1_with_empty(s, n_classes, counted) for s in scores])
        rows.append(runs_row({**place, "measure": "macro-F1"}, with_empty, 0, 1))
        if counted != n_classes:
            where = {**place, "measure": f"macro-F1 over {n_classes} classes"}
            rows.append(runs_row(where, scores, 0, 1))
    first, second = list(found)[:2]
    at: Row = {"setting": setting.key, "measure": "accuracy"}
    pairs = compare_rows(at, values, [(second, first)], seed, share=True)
    gained: Row = {"setting": setting.key, "measure": "accuracy gained", column: second}
    gained |= {end: pairs[0][end] for end in ("low", "high", "n")}
    rows.append({**gained, "mean": pairs[0]["difference"]})
    return rows, pairs


def euclidean_rows(setting: Setting, seed: int) -> tuple[list[Row], list[Row]]:
    """Write Table 11: cosine or Euclidean distance between texts and class vectors in the loss.

    Returns
    -------
    rows, comparisons : list of dict
        As `accuracy_rows`, cosine minus Euclidean, under ``distance``.
    """
    found = answers(setting, ("euclidean", LDAV), "euclidean_runs")
    named = {"euclidean": found["euclidean"], "cosine": found[LDAV]}
    rows, pairs = accuracy_rows(setting, named, seed, "distance")
    return [row for row in rows if row["measure"] != "accuracy gained"], pairs


def calibration_rows(setting: Setting, found: dict[str, Answers]) -> list[Row]:
    """Write the expected calibration error of each training, over its runs."""
    return [
        runs_row(
            {"setting": setting.key, "measure": "expected calibration error", "training": name},
            one.calibration(),
            0,
            1,
        )
        for name, one in found.items()
    ]


def data_rows(settings: Mapping[str, Setting], keys: Iterable[str]) -> list[Row]:
    """Write Table 1: sizes of the data sets as the networks read them.

    Parameters
    ----------
    settings
        By name.
    keys
        One setting for each data set, of `xai_lib.experiments.ldav.layout.DATA`.
    """
    rows: list[Row] = []
    for setting in (settings[key] for key in keys):
        box = setting.classifier
        entry = ZOO[setting.profile["black_box"]]
        values = {
            "train": min(entry.recipe.n_train or len(setting.train), len(setting.train)),
            "test": len(setting.test),
            "vocabulary": len(box.vocabulary),
            "length": box.max_length,
            "classes": len(box.classes),
        }
        rows += [
            {"data": DATA[setting.key], "quantity": quantity, "value": value}
            for quantity, value in values.items()
        ]
    return rows


def _spread(values: np.ndarray) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


TRAINED = (PLAIN, LDAV)
