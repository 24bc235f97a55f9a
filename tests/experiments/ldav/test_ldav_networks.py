"""Which network is loaded, under which name, with which recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from xai_lib.data.planted import planted_texts
from xai_lib.experiments.ldav import TRAININGS, networks
from xai_lib.experiments.ldav.methods import FAST, OTHERS, SLOW, make_method
from xai_lib.experiments.study import Setting
from xai_lib.models.ldav_training import LdavLosses
from xai_lib.models.zoo_entries import ZOO

# What the black boxes of the chapter are trained with.
OWN = {"rho1": 0.1, "rho2": 0.01, "l3": "normalised", "target": "predicted", "distance": "cosine"}
TRAIN = planted_texts(12, 2)


def test_each_training_changes_one_thing(setting: Setting) -> None:
    found = {name: networks.losses_of(setting, name) for name in TRAININGS}
    assert found.pop("plain") is None
    told = {name: losses.to_dict() for name, losses in found.items() if losses is not None}
    assert told == {
        "ldav": OWN,
        "as printed": {**OWN, "l3": "literal", "rho1": 0.5, "rho2": 1.0},
        "without L2": {**OWN, "rho1": 0.0},
        "without L3": {**OWN, "rho2": 0.0},
        "euclidean": {**OWN, "distance": "euclidean"},
        "gold label": {**OWN, "target": "gold"},
        # The same as the black box's own, unless that one takes the gold label.
        "predicted label": OWN,
    }
    euclidean = [name for name in TRAININGS if networks.score_settings(name) != {
        "distance": "cosine"
    }]  # fmt: skip
    assert euclidean == ["as printed"]
    assert networks.score_settings("as printed") == {"distance": "euclidean"}


def test_the_label_in_l2_is_the_one_that_is_named(make_setting: Callable[..., Setting]) -> None:
    setting = make_setting(black_box="ldav-transformer-complaints")
    gold = {**OWN, "target": "gold"}
    for training, wanted in (
        ("ldav", gold), ("gold label", gold), ("predicted label", OWN),
        ("without L2", {**gold, "rho1": 0.0}),
    ):  # fmt: skip
        assert networks.losses_of(setting, training) == LdavLosses(**wanted), training


def test_what_cannot_be_trained(make_setting: Callable[..., Setting]) -> None:
    with pytest.raises(ValueError, match=r"Unknown training 'L2'. Valid: plain, ldav, as printed"):
        networks.network(make_setting(), "L2")
    with pytest.raises(ValueError, match=r"'bilstm-r8' learns no class vectors"):
        networks.network(make_setting(black_box="bilstm-r8"), "plain")
    with pytest.raises(ValueError, match=r"'minilm-r8' learns no class vectors"):
        networks.network(make_setting(black_box="minilm-r8"))


def test_run_0_with_class_vectors_is_the_black_box_itself(
    setting: Setting, boxes: dict[str, Any]
) -> None:
    assert networks.network(setting) is setting.classifier
    name = "ldav-bilstm-planted"
    assert networks.network(setting, run=1) is boxes[f"{name}-run1"]
    assert networks.network(setting, "plain") is boxes[f"{name}-plain-run0"]
    assert networks.network(setting, "without L3", 1) is boxes[f"{name}-without-l3-run1"]
    assert networks.network(setting, "gold label", 1) is boxes[f"{name}-gold-label-run1"]
    assert list(networks.runs_of(setting)) == [0, 1]
    assert len(networks.runs_of(Setting("x", {"few": "3"}), "few")) == 3


def test_a_network_is_loaded_once_and_is_the_black_box_but_for_its_recipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[Any, ...]] = []

    def load(name: str, entry: Any, device: str, *, splits: object) -> str:
        asked.append((name, entry, device, splits))
        return name

    monkeypatch.setattr(networks, "load_entry", load)
    setting = Setting("imdb", {"black_box": "ldav-bilstm-imdb"}, "cpu", "there")
    # Cut already, and not to be loaded and cut again for each network.
    train, test = planted_texts(4, 2), planted_texts(310, 2, split="test")
    setting.__dict__.update(train=train, test=test)
    found = networks.network(setting, "without L2", 2)
    assert found == "ldav-bilstm-imdb-without-l2-run2"
    assert networks.network(setting, "without L2", 2) is found
    own = ZOO["ldav-bilstm-imdb"]
    losses = LdavLosses(**{**OWN, "rho1": 0.0})
    wanted = replace(own, recipe=replace(own.recipe, ldav=losses, seed=2))  # type: ignore[arg-type]
    assert asked == [(found, wanted, "cpu", (train, test))]
    assert asked[0][3][0] is train
    assert asked[0][3][1] is test
    assert (wanted.max_words, wanted.from_end) == (50, True)
    networks.variant(setting, "small", 300, n_train=5, ldav=None)
    recipe: Any = replace(own.recipe, n_train=5, ldav=None)
    assert asked[1][:2] == (
        "ldav-bilstm-imdb-small", replace(own, recipe=recipe, n_test=300)
    )  # fmt: skip
    assert list(setting.others) == [found, "ldav-bilstm-imdb-small"]


def test_the_entry_s_number_of_test_texts_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int | None] = []
    monkeypatch.setattr(networks, "load_entry", lambda name, entry, *_, **__: seen.append(
        entry.n_test
    ))  # fmt: skip
    monkeypatch.setitem(ZOO, "few", replace(ZOO["ldav-bilstm-planted"], n_test=17))
    setting = Setting("x", {"black_box": "few"}, "cpu")
    setting.__dict__.update(train=TRAIN, test=TRAIN.take(range(9)))
    networks.variant(setting, "a")
    networks.variant(setting, "b", 5)
    # More than there are cannot be drawn.
    networks.variant(setting, "c", 10)
    assert seen == [17, 5, 9]


def test_a_changed_copy_is_counted_and_leaves_the_network_alone(
    setting: Setting, make: Callable[..., Any]
) -> None:
    box = make(5)
    box.predict_proba(["a boat", "the lake"])
    box.stored_calls["x"] = 9
    before = (box.identity, box.fingerprint)

    def bend(other: Any) -> None:
        other.model.output.bias[0] += 1

    other = networks.changed_copy(setting, box, "bent", bend)
    assert networks.changed_copy(setting, box, "bent", bend) is other
    assert (other.name, other.calls, other.stored_calls) == ("ldav-bilstm-planted-bent", 0, {})
    assert other in setting.boxes
    assert (box.identity, box.fingerprint, box.calls) == (*before, 2)
    # Explanations on disk are found by the fingerprint.
    assert other.identity != box.identity
    assert other.fingerprint != box.fingerprint
    assert float(other.model.output.bias[0] - box.model.output.bias[0]) == pytest.approx(1)


# Methods --------------------------------------------------------------------------------------


def test_methods_as_they_are_compared() -> None:
    numbers = {"n_samples": 70, "n_steps": 9}
    steps = make_method("integrated_gradients", numbers).settings()
    assert (steps["n_steps"], steps["target"]) == (9, "predicted")
    assert make_method("saliency", numbers).settings()["target"] == "predicted"
    assert make_method("input_x_gradient", numbers).settings()["target"] == "predicted"
    assert make_method("occlusion", numbers).settings()["removal"] == "pad"
    assert make_method("lime", numbers).settings()["n_samples"] == 70
    assert make_method("ldav", numbers).settings()["distance"] == "cosine"
    euclidean = make_method("ldav", numbers, {"distance": "euclidean"})
    assert euclidean.settings()["distance"] == "euclidean"
    assert (*FAST, *SLOW) == OTHERS
    with pytest.raises(ValueError, match=r"no compared method 'mase'; valid: ldav, integrated_gr"):
        make_method("mase", numbers)
