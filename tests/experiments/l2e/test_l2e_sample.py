"""Documents that count, their neighbours, and words that people marked."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from xai_lib.data import DatasetNotFound
from xai_lib.experiments.l2e import MOVIES, gather
from xai_lib.experiments.l2e import sample as module
from xai_lib.experiments.l2e.sample import marked_words, stored_vectors

HEADS = ("good", "fine", "bad", "poor")
TAILS = ("sun", "rain", "film", "the film", "rain film")
# 20 texts of 2 or 3 words, one of 1 word, one of 6.
EVERY = [f"{a} {b}" for a, b in itertools.product(HEADS, TAILS)]
KNOWN = [f"{a} {b} again" for a, b in itertools.product(HEADS, TAILS[:2])]
TEST = [*EVERY, "good", "good film and sun and rain", *KNOWN[:3]]


def vectors_of(texts):
    """Made-up vectors: how often a few letters are there."""
    return np.array([[text.count(c) + 0.1 for c in "adgimnors"] for text in texts])


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    asked = []

    def vectors(texts):
        asked.append(tuple(texts))
        return vectors_of(texts)

    monkeypatch.setattr(module, "text_vectors", vectors)
    return asked


@pytest.fixture
def news(make_setting, make_data):
    def make(**changed):
        train = make_data(KNOWN, [0] * len(KNOWN), "train")
        return make_setting("news", train, make_data(TEST, [1] * len(TEST)), **changed)

    return make


def grams(text, n):
    words = text.lower().split()
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def lexical(a, b):
    found = []
    for n in (1, 2, 3, 4):
        x, y = grams(a, n), grams(b, n)
        if x and y:
            found.append(len(x & y) / len(x | y))
    return sum(found) / len(found)


def semantic(a, b):
    x, y = vectors_of([a, b]).tolist()
    return sum(p * q for p, q in zip(x, y, strict=True)) / math.hypot(*x) / math.hypot(*y)


def test_documents(news, worth):
    setting = news()
    sample = gather(setting, seed=2)
    assert sample.n == len(sample.documents) == 3
    assert sample.documents.texts == sample.pool.texts[:3]
    assert (sample.seed, sample.setting) == (2, setting)
    assert set(sample.train.texts) <= set(KNOWN)
    assert len(set(sample.train.texts)) == 6
    assert len(set(sample.references)) == 2
    assert set(sample.references) <= set(KNOWN)
    # Neither a text of the training split, nor one of one word, nor a long one.
    assert set(sample.pool.texts) <= set(EVERY)
    assert len(set(sample.pool.texts)) == len(sample.pool)
    assert gather(setting, seed=2).pool.texts == sample.pool.texts
    assert gather(setting, seed=3).documents.texts != sample.documents.texts
    longer = gather(news(max_test_words=6, candidates=99, test_texts=99), seed=2)
    assert set(longer.pool.texts) == {*EVERY, "good film and sun and rain"}


@pytest.mark.parametrize(("kind", "alike"), [("semantic", semantic), ("lexical", lexical)])
@pytest.mark.parametrize("seed", [0, 1])
def test_neighbours(news, worth, kind, alike, seed):
    sample = gather(news(), seed)
    texts = sample.pool.texts
    assert sample.near[kind].shape == (3, 3)
    for i, near in enumerate(sample.near[kind].tolist()):
        own = worth(texts[i]) > 0
        assert i not in near
        assert len(set(near)) == 3
        assert all((worth(texts[j]) > 0) == own for j in near)
        # The nearest of all 19 other candidates with that class.
        others = [text for text in EVERY if text != texts[i] and (worth(text) > 0) == own]
        best = sorted((alike(texts[i], text) for text in others), reverse=True)[:3]
        assert [alike(texts[i], texts[j]) for j in near] == pytest.approx(best, abs=1e-12)


def test_the_pool_is_the_documents_and_their_neighbours(news):
    sample = gather(news(), 0)
    named = {int(j) for some in sample.near.values() for j in some.ravel()}
    assert named | {0, 1, 2} == set(range(len(sample.pool)))
    # There are more candidates than that.
    assert len(sample.pool) < len(EVERY)


def test_few_candidates(news, worth):
    sample = gather(news(candidates=4), 0)
    assert len(sample.pool) <= 4
    for i, near in enumerate(sample.near["lexical"].tolist()):
        same = [
            j for j in range(4)
            if j != i and j < len(sample.pool)
            and (worth(sample.pool.texts[j]) > 0) == (worth(sample.pool.texts[i]) > 0)
        ]  # fmt: skip
        assert sorted(j for j in near if j >= 0) == same
        assert near == sorted(near, key=lambda j: j < 0), "what is missing comes last"


def test_vectors_are_computed_once(news, encoder, make_data):
    first = gather(news(), 0)
    second = gather(news(), 0)
    assert len(encoder) == 1
    np.testing.assert_array_equal(first.near["semantic"], second.near["semantic"])
    some = make_data(["good sun", "rain"], [0, 1])
    np.testing.assert_array_equal(stored_vectors(some), vectors_of(some.texts))
    np.testing.assert_array_equal(stored_vectors(some), vectors_of(some.texts))
    assert len(encoder) == 2


# Movies -----------------------------------------------------------------------------------------


def test_planted_words_take_the_place_of_rationales(make_setting, make_data):
    # The two words at the end decide which of a class are alike.
    marks = ("good sun", "good sun", "good fine", "sun fine", "good rain", "bad rain", "poor rain")
    labels = [1, 1, 1, 1, 1, 0, 0]
    texts = [f"{'abcdefg'[i]} film {mark}" for i, mark in enumerate(marks)]
    test = make_data(texts, labels, planted=[(2, 3)] * 7)
    train = make_data(KNOWN, [0] * len(KNOWN), "train")
    sample = gather(make_setting(MOVIES, train, test, test_texts=7), 0)
    assert sorted(sample.pool.texts) == sorted(texts)
    assert set(sample.near) == {"lexical"}
    mark = dict(zip(texts, marks, strict=True))
    of = dict(zip(texts, labels, strict=True))
    for text, near in zip(sample.documents.texts, sample.near["lexical"].tolist(), strict=True):
        others = [one for one in texts if one != text and of[one] == of[text]]
        best = sorted((lexical(mark[text], mark[one]) for one in others), reverse=True)[:3]
        found = [lexical(mark[text], mark[sample.pool.texts[j]]) for j in near if j >= 0]
        assert found == pytest.approx(best)
        assert near.count(-1) == 3 - len(best)
        assert text not in [sample.pool.texts[j] for j in near if j >= 0]
        assert all(of[sample.pool.texts[j]] == of[text] for j in near if j >= 0)
    assert [words.tolist() for words in marked_words(sample.pool)] == [
        [False, False, True, True]
    ] * 7  # fmt: skip


def authors(make_setting, make_data, monkeypatch, lists, n=2):
    """Reviews with names in three splits, and neutral copies that must not be drawn."""
    setting = make_setting(MOVIES, test_texts=n, train_texts=2)
    for split, names in (("test", "pqrs"), ("validation", "v"), ("train", "xyz")):
        rows = [(name, copy) for copy in (False, True) for name in names]
        setting.splits["made_up", None, False, "", split] = make_data(
            [f"{name} copied film" if copy else f"{name} good film" for name, copy in rows],
            [int(not copy) for _, copy in rows], split,
            doc_id=[name for name, _ in rows],
            copy_of=[names.index(name) if copy else None for name, copy in rows],
            rationale_words=[(False, not copy, False) for _, copy in rows],
        )  # fmt: skip
    monkeypatch.setattr(module, "load_neighbours", lists)
    return setting


def test_the_authors_lists_of_neighbours(make_setting, make_data, monkeypatch):
    lists = {
        "p": ("q", "x", "v", "z"), "q": ("s", "r", "p"), "r": ("p", "q", "s"),
        "x": ("y", "z", "p"),
    }  # fmt: skip
    folders = []

    def load(folder):
        folders.append(folder)
        return lists

    # "s" is in no list: it cannot count, but it can be a neighbour.
    sample = gather(authors(make_setting, make_data, monkeypatch, load, n=3), 4)
    assert folders == [None]
    names = [text.split()[0] for text in sample.pool.texts]
    assert sorted(names[:3]) == ["p", "q", "r"]
    # The fourth of a list is no neighbour.
    assert sorted(names) == sorted("pqrsxv")
    for name, near in zip(names, sample.near["lexical"].tolist(), strict=False):
        assert tuple(names[j] for j in near) == lists[name][:3]
    assert [words.tolist() for words in marked_words(sample.pool)] == [[False, True, False]] * 6
    # A smaller draw takes neighbours that count in the larger one from behind.
    few = gather(authors(make_setting, make_data, monkeypatch, load, n=1), 4)
    names = [text.split()[0] for text in few.pool.texts]
    assert tuple(names[j] for j in few.near["lexical"][0]) == lists[names[0]][:3]
    assert len(names) == 4


def test_without_lists_reviews_are_compared_by_their_rationales(
    make_setting, make_data, monkeypatch
):
    def none(folder):
        raise DatasetNotFound("no lists")

    sample = gather(authors(make_setting, make_data, monkeypatch, none, n=4), 0)
    assert sorted(text.split()[0] for text in sample.pool.texts) == list("pqrs")
    # All four have "good" as their rationale: each is the neighbour of the others.
    assert [sorted(near) for near in sample.near["lexical"].tolist()] == [
        [j for j in range(4) if j != i] for i in range(4)
    ]


def test_marked_words_need_a_column(make_data):
    data = make_data(["good sun film", "rain"], [1, 0], planted=[(0, 2), ()])
    assert [one.tolist() for one in marked_words(data)] == [[True, False, True], [False]]
    with pytest.raises(ValueError, match="'made_up' does not say which words are the reason"):
        marked_words(make_data(["good"], [1]))
