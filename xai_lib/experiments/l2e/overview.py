"""Data, black boxes, teachers, examples, and cells that could not be filled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress

import numpy as np

from xai_lib.data.neutral import originals
from xai_lib.experiments.l2e.asked import ranked
from xai_lib.experiments.l2e.explained import Explained, labels, predicted_weights
from xai_lib.experiments.l2e.teachers import SAMPLING
from xai_lib.experiments.rows import Row
from xai_lib.experiments.study import Setting
from xai_lib.metrics import wilson_interval
from xai_lib.text import find_words

TEACHER = "lime"


def data_rows(settings: Mapping[str, Setting]) -> list[Row]:
    """Count the documents of each split and their words: Table 6.

    A data set without a validation split has no row for it.
    """
    rows: list[Row] = []
    for key, setting in settings.items():
        splits = {"train": len(setting.train), "test": len(setting.test)}
        with suppress(ValueError):
            splits["validation"] = len(setting.split("validation"))
        rows += [
            {"data": key, "split": split, "quantity": "texts", "value": n}
            for split, n in splits.items()
        ]
        words = float(np.mean([len(find_words(text)) for text in setting.test.texts]))
        rows.append({"data": key, "split": None, "quantity": "words", "value": words})
    return rows


def accuracy_rows(settings: Mapping[str, Setting]) -> list[Row]:
    """Measure the black boxes on the test split; on reviews also without the neutral copies."""
    rows: list[Row] = []
    for key, setting in settings.items():
        card = setting.classifier.card
        place: Row = {"setting": key, "data": setting.profile["dataset"], "model": card["name"]}
        n = int(card["n_test"])
        right = round(card["accuracy"] * n)
        rows.append({**place, "split": "test", **_share(right, n)})
        plain = originals(setting.test)
        if len(plain) < len(setting.test):
            predicted = setting.classifier.predict_proba(plain.texts).argmax(axis=1)
            right = int((predicted == plain.labels).sum())
            rows.append({**place, "split": "test, originals", **_share(right, len(plain))})
    return rows


def _share(right: int, n: int) -> Row:
    low, high = wilson_interval(right, n)
    return {"mean": right / n, "low": low, "high": high, "n": n}


def teacher_cost_rows(explained: Iterable[Explained]) -> list[Row]:
    """Say how many training documents each teacher explained, and how long it took."""
    rows: list[Row] = []
    for one in explained:
        setting = one.sample.setting
        for name, run in one.taught.items():
            samples = int(setting.profile["n_samples"]) if name in SAMPLING else None
            place: Row = {"setting": setting.key, "teacher": name, "texts": len(run)}
            seconds = sum(some.seconds for some in run)
            rows.append({**place, "samples": samples, "seconds": round(seconds, 2)})
    return rows


def label_rows(explained: Explained) -> list[Row]:
    """Show the teacher's weights of one document and a student's labels: Figure 2.

    The first document of 6 to 12 words; else the first.
    """
    runs = explained.runs[TEACHER, "labelling"][0][: explained.sample.n]
    short = [i for i, one in enumerate(runs) if 6 <= one.n_features <= 12]
    i = short[0] if short else 0
    weights = predicted_weights(explained.teachers[TEACHER][i])
    return [
        {
            "setting": explained.sample.setting.key,
            "position": position,
            "feature": word,
            "weight": float(weight),
            "label": int(label),
        }
        for position, (word, weight, label) in enumerate(
            zip(runs[i].words, weights, labels(runs[i]), strict=True), 1
        )
    ]


def example_rows(explained: Explained) -> list[Row]:
    """Remove the top 30 % of the words of a document and of its most similar neighbour: Figure 1.

    The pair that shares most word types, without sharing more than half of them.
    """
    sample = explained.sample
    run = explained.runs[TEACHER, "ranking"][0]
    types = [{word.lower() for word in one.words} for one in run]
    near = sample.near["lexical"][:, 0]
    # A document may have no neighbour: then its row holds -1, which is no row of the pool.
    alike = np.array(
        [
            len(types[i] & types[j]) / max(1, len(types[i] | types[j])) if j >= 0 else -1.0
            for i, j in enumerate(near)
        ]
    )
    first = int(np.argmax(np.where(alike > 0.5, -1.0, alike)))
    pair = [i for i in (first, int(near[first])) if i >= 0]
    rows: list[Row] = []
    box = sample.setting.classifier
    for number, i in enumerate(pair, 1):
        one, other = run[i], explained.teachers[TEACHER][i]
        chosen = {
            "none": np.zeros(one.n_features, dtype=bool),
            "teacher": ranked([other], 1)[0],
            "l2e": ranked([one], 1)[0],
        }
        masks = np.stack([~some for some in chosen.values()])
        found = box.predict_masked(box.instance(one.text), masks, "mask")[:, one.predicted]
        for (key, some), probability in zip(chosen.items(), found, strict=True):
            words = [word for word, yes in zip(one.words, some, strict=True) if yes]
            rows.append(
                {
                    "setting": sample.setting.key,
                    "text": number,
                    "explanation": key,
                    "probability": float(probability),
                    "class": one.classes[one.predicted],
                    "words": " ".join(words),
                    "document": one.text,
                }
            )
    return rows


def missing_rows(explained: Iterable[Explained]) -> list[Row]:
    """List the cells that could not be filled, and why; nothing where nothing was explained."""
    rows: list[Row] = []
    every = list(explained)
    for one in every:
        for (name, formulation), reason in one.missing.items():
            rows.append(
                {
                    "table": "all",
                    "setting": one.sample.setting.key,
                    "formulation": formulation,
                    "teacher": name,
                    "explanation": "l2e",
                    "reason": reason,
                }
            )
    if rows or not every:
        return rows
    nothing = dict.fromkeys(("table", "setting", "formulation", "teacher", "explanation"), "none")
    return [{**nothing, "reason": "no cell is missing"}]
