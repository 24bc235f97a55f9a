"""LDAV: scores by hand, texts without spread, pairs, phrases, planted words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from xai_lib import as_classifier, explain
from xai_lib.data.planted import planted_texts
from xai_lib.explainers import make_explainer
from xai_lib.explainers.ldav import Ldav, phrase_scores, standardised, vector_distances
from xai_lib.models.ldav_training import LdavLosses
from xai_lib.models.networks import new_network
from xai_lib.models.pair_classifier import as_scratch
from xai_lib.models.scratch import ScratchClassifier
from xai_lib.models.scratch_training import ScratchRecipe, train_scratch
from xai_lib.models.vocabulary import WordVocabulary

WORDS = {"a": (3.0, 4.0), "b": (6.0, 0.0), "c": (0.0, 8.0)}
VECTORS = ((0.0, 0.0), (6.0, 8.0))
# Distances to (0, 0) are 5, 6, 8, to (6, 8) they are 5, 8, 6: mean 19/3, variance 14/9.
NEAR, MIDDLE, FAR = (np.array([4.0, 1.0, -5.0]) / math.sqrt(14)).tolist()


def make_box(
    network: str = "bilstm", shift: tuple[float, float] = (0.0, 0.0), scale: float = 1.0
) -> ScratchClassifier:
    """A network in the plane whose three words and two classes are where they are put."""
    made = new_network(5, 2, 2, seed=3, network=network)
    made.add_class_vectors()
    assert made.class_vectors is not None
    with torch.no_grad():
        for row, place in enumerate(WORDS.values(), 2):
            made.embedding.weight[row] = torch.tensor(np.add(place, shift) * scale)
        made.class_vectors.copy_(torch.tensor(np.add(VECTORS, shift) * scale))
    return as_scratch(made, WordVocabulary(list(WORDS)), "plane", ["no", "yes"], "cpu", "float32")


def weights(
    box: ScratchClassifier, text: str, distance: str = "euclidean", **settings: Any
) -> np.ndarray:
    (found,) = Ldav(distance=distance, **settings).explain([text], box)
    return found.weights


# Scores ---------------------------------------------------------------------------------------


def test_three_words_by_hand() -> None:
    box = make_box()
    (found,) = Ldav(distance="euclidean").explain(["a b, C!"], box)
    np.testing.assert_allclose(
        found.weights, [[NEAR, MIDDLE, FAR], [NEAR, FAR, MIDDLE]], atol=1e-6, rtol=0
    )
    assert (found.words, found.model_calls, box.calls) == (("a", "b", "C"), 1, 1)
    np.testing.assert_allclose(found.probabilities, box.predict_proba(["a b c"])[0], atol=1e-6)


def test_cosine_by_hand() -> None:
    # To (6, 8): 0, 0.4 and 0.2. (0, 0) has no direction, so all words are equally far.
    root = math.sqrt(1.5)
    found = weights(make_box(), "a b c", distance="cosine")
    np.testing.assert_allclose(found, [[0, 0, 0], [root, -root, 0]], atol=1e-6, rtol=0)
    (default,) = Ldav().explain(["a b c"], make_box())
    np.testing.assert_array_equal(default.weights, found)


def test_word_types_have_the_mean_of_their_places() -> None:
    found = weights(make_box(), "a b a c")
    # Distances 5, 6, 5, 8: mean 6, variance 3/2.
    root = math.sqrt(1.5)
    np.testing.assert_allclose(found[0] * root, [1, 0, 1, -2], atol=1e-6)
    grouped = weights(make_box(), "a b a c", group="type")
    np.testing.assert_allclose(grouped[0] * root, [1, 0, -2], atol=1e-6)


@pytest.mark.parametrize("text", ["a", "b b b", "c c c c c c c"])
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("group", ["position", "type"])
def test_equal_distances_are_zero(text: str, distance: str, group: str) -> None:
    found = weights(make_box(), text, distance=distance, group=group)
    assert (found == 0).all()
    assert found.shape[1] == (1 if group == "type" else len(text.split()))


def test_a_third_of_three_is_not_one() -> None:
    assert standardised(np.full((2, 3), 0.1)).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert standardised(np.empty((2, 0))).shape == (2, 0)
    assert standardised(np.array([[3.0, 1.0]])).tolist() == [[-1, 1]]


def test_shifting_and_scaling_all_together_changes_nothing() -> None:
    one = weights(make_box(), "a b c")
    other = weights(make_box(shift=(-2.0, 5.0), scale=0.25), "a b c")
    np.testing.assert_allclose(other, one, atol=1e-6, rtol=0)
    # Only words moved: another answer.
    box = make_box()
    with torch.no_grad():
        box.model.embedding.weight += 1.0
    assert np.abs(weights(box, "a b c") - one).max() > 0.1


def test_words_that_are_not_read_take_no_part() -> None:
    box = make_box()
    box.max_length = 2
    (found,) = Ldav(distance="euclidean").explain(["a b c c c"], box)
    assert (found.words, found.truncated_words) == (("a", "b"), 3)
    np.testing.assert_allclose(found.weights, [[1, -1], [1, -1]], atol=1e-6)


def test_texts_in_a_batch_are_as_alone() -> None:
    box, texts = make_box(), ["a b c", "c", "", "b a", "a b c a b"]
    for text, found in zip(texts, Ldav(distance="euclidean").explain(texts, box), strict=True):
        np.testing.assert_array_equal(found.weights, weights(box, text))


def test_distances_are_those_of_the_slow_way() -> None:
    rng = np.random.default_rng(0)
    vectors, words = rng.standard_normal((3, 4)), rng.standard_normal((5, 4))
    for c, i in np.ndindex(3, 5):
        gap = math.sqrt(sum((vectors[c] - words[i]) ** 2))
        cosine = sum(vectors[c] * words[i]) / math.hypot(*vectors[c]) / math.hypot(*words[i])
        assert vector_distances(vectors, words, "euclidean")[c, i] == pytest.approx(gap)
        assert vector_distances(vectors, words, "cosine")[c, i] == pytest.approx(1 - cosine)


def test_a_long_class_vector_projects() -> None:
    """|z - x| tends to |z| - x . z / |z|: a word far along z is near only if z is longer yet."""
    words = np.array([[4.0, 0.0], [0.0, 0.5], [-1.0, 1.0], [2.0, -3.0]])
    far = standardised(vector_distances(np.array([[1e6, 0.0]]), words, "euclidean"))[0]
    along = words[:, 0]
    np.testing.assert_allclose(far, (along - along.mean()) / along.std(), atol=1e-4, rtol=0)
    assert int(np.argmax(far)) == 0
    short = standardised(vector_distances(np.array([[1.8, 0.0]]), words, "euclidean"))[0]
    # Distances: 2.2 for the word along z, and sqrt(3.49) = 1.87 for the short one across.
    assert int(np.argmax(short)) == 1


# Pairs ----------------------------------------------------------------------------------------


def test_words_of_pairs_meet_the_other_text() -> None:
    box = make_box("decomposable")
    # The mean of a and b is (4.5, 2), that of a and c (1.5, 6).
    vectors = [(9.0, 0.0), (0.0, 17.0)]
    with torch.no_grad():
        box.model.class_vectors.copy_(torch.tensor(vectors))
    met = [(4.5, 24.0), (9.0, 0.0), (13.5, 8.0), (0.0, 16.0)]
    expected = []
    for z in vectors:
        far = [math.dist(z, word) for word in met]
        mean = sum(far) / 4
        spread = math.sqrt(sum((d - mean) ** 2 for d in far) / 4)
        expected.append([-(d - mean) / spread for d in far])
    np.testing.assert_allclose(weights(box, "a b\na c"), expected, atol=1e-6, rtol=0)
    # The vector of b is (9, 0) itself, and (4.5, 24) is the farthest from it.
    assert (int(np.argmax(expected[0])), int(np.argmin(expected[0]))) == (1, 0)


@pytest.mark.parametrize("text", ["a b", "\na b", "a\n", "a\n\n"])
def test_a_pair_with_an_empty_text_says_nothing(text: str) -> None:
    assert (weights(make_box("decomposable"), text) == 0).all()


# Phrases --------------------------------------------------------------------------------------


def test_phrases_by_hand() -> None:
    box = make_box()
    # (4.5, 2) is sqrt(24.25) from (0, 0) and sqrt(38.25) from (6, 8); (3, 4) is 5 from both.
    found = phrase_scores(["A, b!", "a", "c b a a"], box, "euclidean")
    assert found.phrases == ("A, b!", "a", "c b a a")
    assert found.classes == ("no", "yes")
    np.testing.assert_allclose(
        found.distances, [[math.sqrt(24.25), math.sqrt(38.25)], [5, 5], [5, 5]], atol=1e-6
    )
    np.testing.assert_allclose(found.scores, [[1, -1], [0, 0], [0, 0]], atol=1e-6)
    assert box.calls == 0
    np.testing.assert_allclose(phrase_scores(["b"], box, "cosine").distances, [[1, 0.4]], atol=1e-6)
    np.testing.assert_allclose(phrase_scores(["b"], box).distances, [[1, 0.4]], atol=1e-6)


def test_a_phrase_is_longer_than_a_text_may_be() -> None:
    box = make_box()
    box.max_length = 2
    found = phrase_scores(["a a a a b b b b"], box).distances
    np.testing.assert_allclose(found, phrase_scores(["a b"], box).distances, atol=1e-9)
    assert phrase_scores([], box).scores.shape == (0, 2)


def test_phrases_that_are_none() -> None:
    box = make_box()
    with pytest.raises(ValueError, match=r"needs a word, got '\?!'"):
        phrase_scores(["a", "?!"], box)
    with pytest.raises(ValueError, match="put the one phrase in a list"):
        phrase_scores("a b", box)
    with pytest.raises(ValueError, match=r"Unknown distance 'l1'. Valid: cosine, euclidean"):
        phrase_scores(["a"], box, "l1")
    with pytest.raises(ValueError, match="'plane' reads pairs"):
        phrase_scores(["a"], make_box("decomposable"))


# Errors ---------------------------------------------------------------------------------------


def test_classifiers_without_class_vectors() -> None:
    plain = make_box()
    plain.model.class_vectors = None
    function = as_classifier(lambda texts: np.full((len(texts), 2), 0.5), ["x", "y"], "function")
    for box in (plain, function):
        for text in ("a b", ""):
            with pytest.raises(ValueError, match=rf"'ldav' needs class vectors .*{box.name}.*lime"):
                explain(text, box, method="ldav")
        with pytest.raises(ValueError, match="'ldav' needs class vectors"):
            phrase_scores(["a"], box)


def test_unknown_distance() -> None:
    with pytest.raises(ValueError, match=r"Unknown distance 'manhattan'. Valid: cosine, euclidean"):
        make_explainer("ldav", distance="manhattan")


# Planted words --------------------------------------------------------------------------------


def first_words(box: ScratchClassifier, distance: str) -> tuple[float, float]:
    """Accuracy on planted texts, and how often the planted word has the highest score."""
    test = planted_texts(150, 3, n_cues=(1, 1), split="test")
    found = Ldav(distance=distance).explain(test.texts, box)
    right = [one.predicted == label for one, label in zip(found, test.labels, strict=True)]
    first = [
        int(np.argmax(one.weights[one.predicted])) == planted[0]
        for one, planted in zip(found, test.extra["planted"], strict=True)
    ]
    return float(np.mean(right)), float(np.mean(first))


@pytest.mark.parametrize("network", ["bilstm", "transformer"])
@pytest.mark.parametrize(
    ("losses", "distance"),
    [
        pytest.param(LdavLosses(), "cosine", id="normalised"),
        pytest.param(LdavLosses(rho1=0.3, rho2=0.01, l3="literal"), "euclidean", id="literal"),
    ],
)
def test_planted_words_come_first(network: str, losses: LdavLosses, distance: str) -> None:
    """The rule of these texts is known: words of the class decide, filler says nothing."""
    train = planted_texts(360, 3, n_cues=(1, 1))
    recipe = ScratchRecipe(
        epochs=20, learning_rate=1e-2, patience=20, max_length=16, width=16, network=network,
        ldav=losses,
    )  # fmt: skip
    box, _ = train_scratch(train.texts, train.labels, train.classes, recipe)
    right, first = first_words(box, distance)
    assert right > 0.9
    assert first >= 0.9
    untrained = new_network(len(box.vocabulary), 3, 16, network=network, n_positions=16)
    untrained.add_class_vectors()
    blind = as_scratch(untrained, box.vocabulary, "blind", train.classes, "cpu", "float32", 16)
    assert first_words(blind, distance)[1] < 0.5
