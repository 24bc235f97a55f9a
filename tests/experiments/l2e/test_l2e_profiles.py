"""What each profile runs, and p-values by kinds of comparisons."""

from __future__ import annotations

import pytest

from xai_lib import papers
from xai_lib.data import dataset_names
from xai_lib.experiments.l2e import ADDED, ALL_MOVIES, MOVIES, NAMES, PLANTED, TIMED
from xai_lib.experiments.l2e.teachers import SAMPLING
from xai_lib.experiments.rows import with_holm_by_kind
from xai_lib.models.zoo_entries import ZOO

PROFILES = ("ci", "quick", "paper")
NUMBERS = {
    "n_samples", "n_references", "seeds", "test_texts", "candidates", "max_test_words",
    "timed_texts", "timed_slow", "random_draws", "optimiser_epochs", "sizes", "widths",
    "frontier_texts", "student", "train_texts", "dataset", "black_box",
}  # fmt: skip


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_has_all_settings_and_numbers(profile):
    numbers = papers.load_profile("l2e", profile)
    settings = numbers["settings"]
    assert list(settings) == ["news", "sst2", "cola", MOVIES, *ADDED, PLANTED]
    assert set(TIMED.values()) == set(settings) - {PLANTED, *ADDED}
    for key in ADDED:
        # More documents of the same black box, and the others compared with as many as there.
        beside = settings[key.split("_")[0]]
        assert settings[key]["black_box"] == beside["black_box"]
        assert settings[key]["dataset"] == beside["dataset"]
        assert settings[key]["all_epochs"] > 0
        assert set(settings[key]["teachers"]) <= set(NAMES)
    for key in ("news_all", ALL_MOVIES):
        whole, part = settings[key], settings[key.removesuffix("_all")]
        assert not set(whole["teachers"]) & set(SAMPLING)
        assert 0 < whole["some_texts"] < whole["train_texts"]
        assert profile != "paper" or whole["some_texts"] == part["train_texts"]
    # Every teacher of the paper has students of equal numbers on AG News.
    some, part = settings["news_some"], settings["news"]
    assert set(some["teachers"]) == set(SAMPLING)
    if profile != "ci":
        assert some["train_texts"] == part["train_texts"]
        assert {*some["teachers"], *settings["news_all"]["teachers"]} == set(NAMES)
    if profile != "ci":
        assert settings["sst2_all"]["teachers"] == list(NAMES)
    shared = {key: value for key, value in numbers.items() if key != "settings"}
    for key, own in settings.items():
        found = {**shared, **own}
        assert set(found) >= NUMBERS, key
        assert found["dataset"] in dataset_names()
        assert found["black_box"] in ZOO
        assert found["timed_slow"] <= found["timed_texts"] <= found["test_texts"]
        assert found["test_texts"] <= found["candidates"]
    # The words that decide are known, or people marked them.
    assert settings[PLANTED]["dataset"] == "planted"
    of_movies = settings[MOVIES]
    assert of_movies["dataset"].startswith("planted") or of_movies["neutral"] == "drop"


def pair(first, second, p):
    return {"first": first, "second": second, "p": p}


def test_each_kind_of_comparison_is_corrected_alone():
    pairs = [
        pair("l2e", "teacher", 0.01),
        pair("l2e", "random", 0.02),
        pair("lime", "lrp", 0.01),
        pair("l2e", "teacher", 0.04),
        pair("teacher", "random", 0.3),
        pair("lime", "gradient", 0.02),
        pair("l2e", "teacher", 0.03),
        pair("lime", "occlusion", 0.9),
    ]
    found = with_holm_by_kind(pairs, ("teacher", "random"))
    assert [(one["first"], one["second"], one["p"]) for one in found] == [
        tuple(one.values()) for one in pairs
    ]
    # l2e - teacher: 3 x 0.01, then 2 x 0.03, and 0.04 no smaller. lime: 3 x 0.01, 2 x 0.02, 0.9.
    assert [one["p_holm"] for one in found] == pytest.approx(
        [0.03, 0.02, 0.03, 0.06, 0.3, 0.04, 0.06, 0.9]
    )
    # Kinds that are not named are one family for each first method.
    found = with_holm_by_kind(pairs[:2], ())
    assert [one["p_holm"] for one in found] == pytest.approx([0.02, 0.02])
    assert with_holm_by_kind([], ()) == []
