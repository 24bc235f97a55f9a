"""The grid of the weights: what is trained on, what is measured on, and that no test text is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from xai_lib.data.planted import planted_texts
from xai_lib.experiments.ldav import grid
from xai_lib.experiments.study import Setting
from xai_lib.models import zoo
from xai_lib.models.ldav_training import LdavLosses

NAME = "ldav-bilstm-planted"
GRID = {"grid_train": 20, "grid_texts": 6, "grid_rho1": [0.1, 0.5], "grid_rho2": [2]}
# Three texts are twice in the training data.
WHOLE = planted_texts(40, 3, min_words=5)
TRAIN = WHOLE.joined(WHOLE.take([0, 1, 2]))


class Stopped(Exception):  # noqa: N818 - not an error
    """Training was reached."""


@pytest.fixture
def setting(make_setting: Callable[..., Setting]) -> Setting:
    found = make_setting(**GRID)
    found.__dict__["train"] = TRAIN
    del found.__dict__["test"]
    return found


@pytest.fixture
def trained(boxes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Recipes by label; no split but the training texts can be loaded."""
    asked: dict[str, Any] = {}
    pool = [boxes[f"{NAME}-{label}-run{run}"] for run in (0, 1)
            for label in ("without-l2", "gold-label", "euclidean")]  # fmt: skip

    def variant(_: Setting, label: str, n_test: int, **recipe: Any) -> Any:
        asked[label] = {**recipe, "n_test": n_test, "box": pool[len(asked)]}
        return asked[label]["box"]

    def split(_: Setting, name: str) -> None:
        raise AssertionError(f"the split {name!r} was asked for")

    monkeypatch.setattr(grid, "variant", variant)
    monkeypatch.setattr(Setting, "split", split)
    return asked


def drawn(n_train: int, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the texts that the zoo trains on."""
    seen: list[str] = []

    def train_scratch(texts: Any, *_: object) -> None:
        seen.extend(texts)
        raise Stopped

    monkeypatch.setattr(zoo.ZooEntry, "data", lambda *_: TRAIN)
    monkeypatch.setattr(zoo, "train_scratch", train_scratch)
    recipe = zoo.ScratchRecipe(n_train=n_train)
    with pytest.raises(Stopped):
        zoo.train_entry("grid", zoo.ZooEntry("planted", "bilstm", recipe), "cpu")
    assert len(seen) == min(n_train, len(TRAIN))
    return set(seen)


def test_measured_on_texts_that_were_not_trained_on(
    setting: Setting, trained: dict[str, Any], slow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = drawn(20, monkeypatch)
    looked: set[str] = set()
    for box in {id(b): b for b in setting.others.values()}.values():
        ask = box.predict_proba
        monkeypatch.setattr(
            box, "predict_proba", lambda texts, ask=ask: looked.update(texts) or ask(texts)
        )
    rows = grid.grid_rows(setting, 1)
    # A text that is twice may be drawn once, and then the other one does not count either.
    assert used & set(WHOLE.texts[:3])
    assert not looked & used
    assert looked <= set(TRAIN.texts)
    texts = sorted(looked)
    assert len(texts) == 6
    gold = dict(zip(TRAIN.texts, TRAIN.labels.tolist(), strict=True))
    assert list(trained) == [
        "grid-plain", "grid-normalised-0.1-2", "grid-normalised-0.5-2", "grid-literal-0.1-2",
        "grid-literal-0.5-2",
    ]  # fmt: skip
    assert all((one["n_train"], one["n_test"]) == (20, 500) for one in trained.values())
    assert [one["ldav"] for one in trained.values()] == [
        None, LdavLosses(0.1, 2.0), LdavLosses(0.5, 2.0), LdavLosses(0.1, 2.0, "literal"),
        LdavLosses(0.5, 2.0, "literal"),
    ]  # fmt: skip
    expected = []
    for (training, rho1, rho2), one in zip(
        [("plain", None, None), ("ldav", 0.1, 2), ("ldav", 0.5, 2), ("as printed", 0.1, 2),
         ("as printed", 0.5, 2)], trained.values(), strict=True,
    ):  # fmt: skip
        box = one["box"]
        right = np.mean([slow.predicted(box, text) == gold[text] for text in texts])
        place = (training, rho1, rho2)
        expected.append((*place, "accuracy", pytest.approx(right), 6))
        if training != "plain":
            distance = "euclidean" if training == "as printed" else "cosine"
            points = [
                slow.removed(box, text, slow.nearest_first(box, text, distance), (0.2,))[
                    "switching point"
                ]
                for text in texts
            ]
            expected.append((*place, "switching point", pytest.approx(np.mean(points)), 6))
    columns = ("training", "rho1", "rho2", "measure", "mean", "n")
    assert [tuple(row[column] for column in columns) for row in rows] == expected
    assert {row["setting"] for row in rows} == {"ag_news_bilstm"}


def test_without_other_training_texts_there_are_no_rows(
    make_setting: Callable[..., Setting], trained: dict[str, Any]
) -> None:
    setting = make_setting(**{**GRID, "grid_train": 43})
    setting.__dict__["train"] = TRAIN
    assert grid.grid_rows(setting, 1) == []
    assert trained == {}


def test_fewer_texts_where_there_are_not_so_many(
    make_setting: Callable[..., Setting], trained: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = make_setting(**{**GRID, "grid_train": 38})
    setting.__dict__["train"] = TRAIN
    left = set(TRAIN.texts) - drawn(38, monkeypatch)
    assert 0 < len(left) < 6
    assert {row["n"] for row in grid.grid_rows(setting, 1)} == {len(left)}
