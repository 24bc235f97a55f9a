"""Similar texts: against sets of n-grams written out, and against one text at a time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from xai_lib.metrics import lexical_similarity, nearest, semantic_similarity, text_vectors
from xai_lib.models.tiny import tiny_bert
from xai_lib.rng import generator

TEXTS = ("The red bus stops here.", "the red bus goes", "red, bus!", "", "nothing alike at all",
         "a", "a")  # fmt: skip


def slow(first: str, second: str) -> float:
    """Write every n-gram out and compare sets, for n as long as the shorter text."""
    a, b = (
        "".join(c if c.isalnum() or c == " " else " " for c in text.lower()).split()
        for text in (first, second)
    )
    found = []
    for n in range(1, min(4, len(a), len(b)) + 1):
        one = {" ".join(a[i : i + n]) for i in range(len(a) - n + 1)}
        two = {" ".join(b[i : i + n]) for i in range(len(b) - n + 1)}
        found.append(len(one & two) / len(one | two))
    return sum(found) / len(found) if found else 0.0


def test_lexical_similarity_by_hand():
    found = lexical_similarity(TEXTS)
    # 1: the red bus of the red bus stops here goes, 3/6; 2: 2/5; 3: 1/4; 4: 0/3.
    assert found[0, 1] == pytest.approx((3 / 6 + 2 / 5 + 1 / 4 + 0) / 4)
    # The third text has two words: 2/5 and 1/4 are all there is.
    assert found[0, 2] == pytest.approx((2 / 5 + 1 / 4) / 2)
    assert found[0, 4] == 0
    assert (found[3] == 0).all()
    assert found[5, 6] == 1.0
    assert np.array_equal(found, found.T)
    assert np.diag(found)[[0, 1, 2, 4, 5]] == pytest.approx(1.0)


def test_lexical_similarity_is_what_sets_give():
    rng = generator(0, "neighbours")
    texts = [" ".join(rng.choice(list("abcde"), size=rng.integers(0, 12))) for _ in range(300)]
    found = lexical_similarity(texts)
    for i, j in itertools.product(range(0, 300, 7), range(0, 300, 11)):
        assert found[i, j] == pytest.approx(slow(texts[i], texts[j]), abs=1e-12)
    some = [290, 3, 3]
    assert np.array_equal(lexical_similarity(texts, some), found[some])
    assert lexical_similarity(texts[:9], longest=1)[2, 5] == pytest.approx(
        len(set(texts[2].split()) & set(texts[5].split()))
        / max(1, len(set(texts[2].split()) | set(texts[5].split())))
    )


def test_semantic_similarity_is_the_cosine():
    vectors = np.array([[3.0, 4.0], [6.0, 8.0], [-4.0, 3.0], [0.0, 0.0], [1.0, 0.0]])
    found = semantic_similarity(vectors)
    assert found[0] == pytest.approx([1, 1, 0, 0, 0.6])
    assert found[3] == pytest.approx([0] * 5)
    assert semantic_similarity(vectors, [4]) == pytest.approx(found[[4]])
    with pytest.raises(ValueError, match=r"finite and of shape \(N, d\)"):
        semantic_similarity(np.array([[np.nan, 1.0]]))


def test_vectors_sum_the_states_of_all_tokens(tmp_path):
    texts = ("the red bus stops", "a bus", "", "the red bus \ufffd", "bus " * 900)
    model, tokenizer = tiny_bert(texts, ("x", "y"), seed=0)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    found = text_vectors(texts, tmp_path, "cpu", "float32")
    encoder = AutoModel.from_pretrained(tmp_path).eval()
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for text, vector in zip(texts[:4], found, strict=False):
        with torch.no_grad():
            states = encoder(**loaded(text, return_tensors="pt")).last_hidden_state[0]
        assert vector == pytest.approx(sum(state.numpy() for state in states), abs=1e-4)
    assert np.isfinite(found[4]).all()
    rounded = text_vectors(texts, tmp_path, "cpu", "bfloat16")
    assert not np.array_equal(rounded, found)
    assert (np.diag(semantic_similarity(np.concatenate([rounded, found]))[:5, 5:]) > 0.999).all()
    # A lone surrogate, which no tokenizer takes.
    strange = text_vectors(("the red bus \udcff",), tmp_path, "cpu", "float32")
    assert strange[0] == pytest.approx(found[3])
    assert text_vectors((), tmp_path).shape == (0, found.shape[1])


def test_neighbours_have_the_label_and_are_not_the_document():
    similar = np.array(
        [
            [1.0, 0.9, 0.8, 0.8, 0.1],
            [0.9, 1.0, 0.0, 0.0, 0.0],
            [0.8, 0.0, 1.0, 0.3, 0.3],
            [0.8, 0.0, 0.3, 1.0, 0.5],
            [0.1, 0.0, 0.3, 0.5, 1.0],
        ]
    )
    labels = [0, 1, 0, 0, 0]
    found = nearest(similar, labels, 2)
    # Of equal ones the first; the second document is alone with its label.
    assert found.tolist() == [[2, 3], [-1, -1], [0, 3], [0, 4], [3, 2]]
    assert nearest(similar, labels, 4)[0].tolist() == [2, 3, 4, -1]
    assert nearest(similar[[3, 0]], labels, 1, rows=[3, 0]).tolist() == [[0], [2]]
    some = [True, True, False, True, True]
    assert nearest(similar, labels, 2, candidates=some)[0].tolist() == [3, 4]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"similarity must have shape \(1, 2\)"):
        nearest(np.eye(2), [0, 0], rows=[1])
    with pytest.raises(ValueError, match="k must be at least 1"):
        nearest(np.eye(2), [0, 0], 0)
    with pytest.raises(ValueError, match="rows must be numbers from 0 to 1"):
        lexical_similarity(("a", "b"), [2])
    with pytest.raises(ValueError, match="longest must be at least 1"):
        lexical_similarity(("a", "b"), longest=0)
    with pytest.raises(ValueError, match="candidates must be 2 booleans"):
        nearest(np.eye(2), [0, 0], candidates=[1, 0])
