"""The texts that are explained, and where the chapter's items are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from xai_lib import papers
from xai_lib.experiments.ldav import gather, layout
from xai_lib.experiments.study import Setting
from xai_lib.models.zoo_entries import ZOO


def test_gathered_texts_are_fresh_and_long_enough(make_setting: Callable[..., Setting]) -> None:
    setting = make_setting(texts=6)
    test = setting.test.take(range(9))
    # One is known, one has a word only.
    setting.__dict__["train"] = setting.train.joined(test.take([4]))
    setting.__dict__["test"] = test.take(range(8)).joined(test.take([8]).first_words(1))
    wanted = [text for i, text in enumerate(test.texts[:8]) if i != 4]
    label = dict(zip(test.texts, test.labels.tolist(), strict=True))
    draws = set()
    for seed in range(4):
        sample = gather(setting, seed)
        assert len(set(sample.data.texts)) == 6
        assert set(sample.data.texts) <= set(wanted)
        assert sample.data.labels.tolist() == [label[text] for text in sample.data.texts]
        assert gather(setting, seed).data.texts == sample.data.texts
        assert (sample.seed, sample.setting) == (seed, setting)
        draws.add(sample.data.texts)
    assert len(draws) == 4
    with pytest.raises(ValueError, match="Cannot draw 8 rows with 2 words or more"):
        gather(_like(setting, 8), 0)


def _like(setting: Setting, texts: int) -> Setting:
    other = Setting(setting.key, {**setting.profile, "texts": texts}, "cpu")
    other.__dict__.update(train=setting.train, test=setting.test)
    return other


def test_the_first_of_a_sample(setting: Setting) -> None:
    sample = gather(setting, 2)
    assert sample.head(3).data.texts == sample.data.texts[:3]
    assert sample.head(3).data.labels.tolist() == sample.data.labels[:3].tolist()
    assert sample.head(99).data.texts == sample.data.texts
    assert (sample.head(3).seed, sample.head(3).setting) == (2, setting)
    words = [one.text for one in sample.instances(setting.classifier)]
    assert words == list(sample.data.texts)


# Layout ---------------------------------------------------------------------------------------

SETTINGS = papers.paper("ldav").settings


def test_settings_are_those_of_the_paper() -> None:
    named = {
        *layout.BILSTMS, *layout.TRANSFORMERS, *layout.ENCODERS, *layout.OTHER_BOXES, *layout.FOUR,
        *layout.ABLATED, *layout.IMDB, *layout.CLOUDS, *layout.DATA, *layout.PLANTED,
        *layout.EXPLAINED, layout.PAIRS, *layout.VARIED,
    }  # fmt: skip
    assert named == set(SETTINGS)
    # What is measured on texts is measured where texts are drawn.
    assert {*layout.VARIED, *layout.ABLATED, *layout.IMDB, *layout.CLOUDS} <= set(layout.EXPLAINED)
    for keys, model in (
        (layout.BILSTMS, "BiLSTM with attention"), (layout.TRANSFORMERS, "Transformer"),
        (layout.ENCODERS, "RoBERTa"), ((layout.PAIRS,), "decomposable attention"),
    ):  # fmt: skip
        assert {key for key in SETTINGS if SETTINGS[key].model == model} - set(
            layout.PLANTED
        ) == set(keys)
    assert {SETTINGS[key].dataset for key in layout.IMDB} == {"imdb"}


def test_settings_of_an_item_are_those_of_its_printed_cells() -> None:
    for item, keys in (
        ("table-2", layout.BILSTMS), ("table-3", layout.TRANSFORMERS), ("table-4", layout.FOUR),
        ("table-5", layout.FOUR), ("table-6", layout.ENCODERS), ("table-7", (layout.PAIRS,)),
    ):  # fmt: skip
        printed = papers.published("ldav", item) or []
        assert {cell["setting"] for cell in printed} == set(keys), item
    printed = papers.published("ldav", "black-boxes") or []
    assert {cell["setting"] for cell in printed} == set(layout.OTHER_BOXES) == {layout.PAIRS}
    cells = papers.published("ldav", "table-1") or []
    assert {cell["data"] for cell in cells} == set(layout.DATA.values())
    names = {SETTINGS[key].dataset: name for key, name in layout.DATA.items()}
    assert names == {
        "imdb": "IMDB", "consumer_complaints": "Kaggle-CF", "dbpedia": "DBpedia",
        "ag_news": "AG News",
    }  # fmt: skip


def test_every_item_is_recorded() -> None:
    items = [item.id for item in papers.items("ldav")]
    assert sorted(layout.RECORDED) == sorted(items)
    clouds = [item for pair in layout.CLOUDS.values() for item in pair]
    assert sorted(clouds) == ["figure-10", "figure-11", "figure-12", "figure-9"]
    titles = {item.id: item.title for item in papers.items("ldav")}
    for without, having in layout.CLOUDS.values():
        assert "without LDAV" in titles[without]
        assert "with LDAV" in titles[having]


def test_texts_are_cut_as_the_networks_were_trained() -> None:
    for profile in ("ci", "quick", "paper"):
        for key, one in papers.load_profile("ldav", profile)["settings"].items():
            entry = ZOO[one["black_box"]]
            read = (one["dataset"], one.get("max_words"), one.get("from_end", False))
            assert read == (entry.dataset, entry.max_words, entry.from_end), (profile, key)
            assert key in SETTINGS


def test_sentiment_has_two_classes(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not layout.is_sentiment(setting)
    monkeypatch.setattr(setting.classifier, "classes", ("positive", "negative"))
    assert layout.is_sentiment(setting)
