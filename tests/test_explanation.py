"""Tests of `xai_lib.explanation`."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xai_lib.explanation import Explanation


def example(**changes):
    """Three classes, four words; the method did not explain the last class."""
    values = {
        "text": "not bad, not good",
        "words": ("not", "bad", "not", "good"),
        "spans": ((0, 3), (4, 7), (9, 12), (13, 17)),
        "classes": ("negative", "positive", "neutral"),
        "probabilities": [0.25, 0.7, 0.05],
        "predicted": 1,
        "weights": [[-0.5, 0.25, -0.5, 0.0], [0.5, -2.0, 0.5, 1.0], [math.nan] * 4],
        "method": "lime",
        "seed": 3,
        "model_calls": 16,
        "seconds": 0.5,
    }
    return Explanation(**{**values, **changes})


# -- validation ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": b"not"}, "text must hold strings, got bytes"),
        ({"words": "not"}, "words must be a tuple of strings"),
        ({"words": ("not", "bad", "not", 4)}, "words must hold strings, got int"),
        ({"words": ("not", "bad")}, r"weights must have the shape \(3, 2\), got \(3, 4\)"),
        ({"classes": ()}, "classes is empty"),
        ({"classes": ("a", "b", "a")}, r"must differ, got \['a'\]"),
        ({"probabilities": [0.5, 0.5]}, r"probabilities must have the shape \(3,\), got \(2,\)"),
        ({"probabilities": [0.5, 1.5, 0.0]}, "between 0 and 1"),
        ({"probabilities": [0.5, math.nan, 0.0]}, "between 0 and 1"),
        ({"predicted": 3}, "predicted is 3, but there are 3 classes"),
        ({"predicted": -1}, "predicted must not be negative"),
        ({"predicted": 1.0}, "predicted must be a whole number"),
        ({"weights": np.zeros((4, 3))}, r"weights must have the shape \(3, 4\), got \(4, 3\)"),
        ({"weights": [[0, 1, math.nan, 0]] * 3}, "class 'negative' are NaN in part"),
        ({"spans": ((0, 3), (4, 7))}, "spans has 2 entries, but there are 4 words"),
        ({"spans": ((0, 3), (4, 7), (9, 12), (13, 18))}, r"Span 3 is \(13, 18\).*17 characters"),
        ({"spans": ((0, 3), (4, 4), (9, 12), (13, 17))}, r"Span 1 is \(4, 4\)"),
        ({"spans": ((0, 5), (4, 7), (9, 12), (13, 17))}, r"\(0, 5\) and \(4, 7\) overlap"),
        ({"spans": ((0, 3), (4, 7), (9, 12), (13,))}, r"Span 3 must be \(start, end\)"),
        ({"intercept": [1.0]}, r"intercept must have the shape \(3,\)"),
        ({"link": "logit"}, "Unknown link 'logit'. Valid links are: .*identity.*softmax"),
        ({"seconds": -1.0}, "seconds must not be negative"),
        ({"model_calls": -1}, "model_calls must not be negative"),
        ({"truncated_words": True}, "truncated_words must be a whole number"),
        ({"settings": {"f": object()}}, r"settings\['f'\] is a object, which JSON cannot hold"),
        ({"settings": {1: 2}}, "settings has the key 1"),
        ({"diagnostics": {"$join": 1.0}}, r"diagnostics has the key '\$join'"),
        ({"settings": {"a": {"$float": 1}}}, r"settings\['a'\] has the key '\$float'"),
    ],
)
def test_invalid_values_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        example(**changes)


def test_it_cannot_be_changed():
    weights = np.zeros((3, 4))
    settings = {"kernel": [25.0]}
    explanation = example(weights=weights, settings=settings, intercept=np.zeros(3))
    weights[0, 0] = 7
    settings["kernel"].append(1)
    assert explanation.weights[0, 0] == 0
    assert explanation.settings == {"kernel": [25.0]}
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.seed = 1
    for other in (explanation, pickle.loads(pickle.dumps(explanation)), copy.deepcopy(explanation)):
        for array in (other.weights, other.probabilities, other.intercept):
            assert array.dtype == np.float64
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1


def test_equality_counts_nan_as_equal_and_ignores_the_time():
    assert example() == example(seconds=99.0)
    assert hash(example()) == hash(example(seconds=99.0))
    for changes in (
        {"seed": 4},
        {"model_calls": 17},
        {"settings": {"n_samples": 1}},
        {"intercept": np.zeros(3)},
        {"diagnostics": {"r2": 1.0}},
        {"weights": [[-0.5, 0.25, -0.5, 0.0], [0.5, -2.0, 0.5, 1.0], [0.0] * 4]},
    ):
        assert example() != example(**changes)
    assert example() != "not bad, not good"


# -- reading ------------------------------------------------------------------------------------


def test_class_index():
    explanation = example()
    assert explanation.class_index() == 1
    assert explanation.class_index("neutral") == 2
    assert explanation.class_index(np.int64(0)) == 0
    for wrong in ("joy", 3, -1, True, 1.0):
        with pytest.raises(ValueError, match="Valid classes are: negative, positive, neutral"):
            explanation.class_index(wrong)


def test_top_and_ranking_by_hand():
    explanation = example()
    assert explanation.ranking().tolist() == [1, 3, 0, 2]
    assert explanation.ranking(by="signed").tolist() == [3, 0, 2, 1]
    assert explanation.ranking("negative").tolist() == [0, 2, 1, 3]
    assert explanation.ranking("negative", by="signed").tolist() == [1, 3, 0, 2]
    assert explanation.top(3) == [("bad", -2.0), ("good", 1.0), ("not", 0.5)]
    assert explanation.top(2, of=0) == [("not", -0.5), ("not", -0.5)]
    assert len(explanation.top(99)) == 4
    assert explanation.top(0) == []
    assert all(type(weight) is float for _, weight in explanation.top(4))


def test_reading_errors():
    explanation = example()
    assert explanation.explained.tolist() == [True, True, False]
    with pytest.raises(ValueError, match=r"explain class 'neutral'.*: negative, positive"):
        explanation.top(1, of="neutral")
    with pytest.raises(ValueError, match=r"Unknown order 'best'\. .* abs, signed"):
        explanation.ranking(by="best")
    with pytest.raises(ValueError, match="k must not be negative"):
        explanation.top(-1)


def test_surrogate_by_hand():
    weights = [[1.0, -2.0, 0.0, 0.5], [0.0] * 4, [3.0, 0.0, 0.0, 0.0]]
    masks = np.array([[1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 1]], dtype=bool)
    linear = example(weights=weights, intercept=[0.25, 1.0, 0.0], link="identity")
    wanted = np.array([[-0.25, 1.0, 3.0], [0.25, 1.0, 0.0], [1.75, 1.0, 3.0]])
    np.testing.assert_array_equal(linear.surrogate(masks), wanted)

    softmax = example(weights=weights, intercept=[0.25, 1.0, 0.0], link="softmax")
    for got, scores in zip(softmax.surrogate(masks), wanted, strict=True):
        total = sum(math.exp(score) for score in scores)
        np.testing.assert_allclose(got, [math.exp(s) / total for s in scores], rtol=1e-14)

    without = example(weights=weights, link="identity")
    np.testing.assert_array_equal(without.surrogate(masks[1:2]), [[0.0, 0.0, 0.0]])
    huge = example(weights=np.multiply(weights, 1e4), link="softmax")
    np.testing.assert_array_equal(huge.surrogate(masks[:1]), [[0.0, 0.0, 1.0]])


def test_surrogate_errors():
    with pytest.raises(ValueError, match="'lime' do not add up to a model"):
        example().surrogate(np.ones((1, 4)))
    for shape in ((4,), (2, 3)):
        with pytest.raises(ValueError, match=r"masks must be \(n, 4\)"):
            example(link="identity").surrogate(np.ones(shape))


def test_frame():
    frame = example().to_frame()
    assert list(frame.columns) == ["word", "start", "end", "negative", "positive", "neutral"]
    assert frame["word"].tolist() == ["not", "bad", "not", "good"]
    assert frame["start"].tolist() == [0, 4, 9, 13]
    assert frame["end"].tolist() == [3, 7, 12, 17]
    assert frame["positive"].tolist() == [0.5, -2.0, 0.5, 1.0]
    assert frame["neutral"].isna().all()


def test_frame_of_word_types_and_of_awkward_class_names():
    explanation = example(
        words=("not", "bad", "good"),
        spans=(((9, 12), (0, 3)), ((4, 7),), ((13, 17),)),
        classes=("word", "end", "b"),
        weights=np.arange(9.0).reshape(3, 3),
    )
    assert explanation.span_groups()[0] == ((9, 12), (0, 3))
    frame = explanation.to_frame()
    assert list(frame.columns) == ["word", "start", "end", "word (class)", "end (class)", "b"]
    assert frame["start"].tolist() == [9, 4, 13]


def empty(**changes):
    return example(words=(), spans=(), weights=np.empty((3, 0)), text=" ", **changes)


def test_no_features():
    explanation = empty(link="softmax")
    assert explanation.top(5) == []
    assert explanation.ranking().tolist() == []
    assert explanation.to_frame().shape == (0, 6)
    assert explanation.to_frame().dtypes.astype(str).tolist()[1:3] == ["int64", "int64"]
    np.testing.assert_allclose(explanation.surrogate(np.empty((2, 0))), np.full((2, 3), 1 / 3))
    assert Explanation.from_json(explanation.to_json()) == explanation


def test_repr_is_short():
    assert repr(example()) == (
        "<Explanation by lime: positive 0.70, 4 features, bad:-2 good:+1 not:+0.5>"
    )
    assert repr(example(predicted=2)) == "<Explanation by lime: neutral 0.05, 4 features>"
    assert repr(empty()) == "<Explanation by lime: positive 0.70, 0 features>"


# -- JSON ---------------------------------------------------------------------------------------

CHARACTERS = st.characters()  # every code point, lone surrogates included
STRINGS = st.text(st.one_of(CHARACTERS, st.sampled_from("\ud83d\ude00\u2028\x00<&\"'\\")))
KEYS = STRINGS.filter(lambda key: not key.startswith("$"))
SETTINGS = st.dictionaries(
    KEYS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | STRINGS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner),
        max_leaves=4,
    ),
    max_size=3,
)


@st.composite
def explanations(draw):
    pieces = draw(st.lists(STRINGS.filter(bool), max_size=6))
    ends = np.cumsum([len(piece) for piece in pieces], dtype=int).tolist()
    spans = list(zip([0, *ends[:-1]], ends, strict=True)) if pieces else []
    if pieces and draw(st.booleans()):  # the last two positions form one feature
        spans = [(span,) for span in spans[:-2]] + [tuple(spans[-2:])]
        words = [*pieces[:-2], pieces[-1]]
    else:
        words = pieces
    classes = draw(st.lists(STRINGS, min_size=1, max_size=4, unique=True))
    shape = (len(classes), len(words))
    weights = draw(hnp.arrays(np.float64, shape, elements=st.floats(allow_nan=False)))
    weights[draw(hnp.arrays(bool, len(classes)))] = math.nan
    floats = hnp.arrays(np.float64, len(classes), elements=st.floats())
    return Explanation(
        text="".join(pieces) + draw(STRINGS),
        words=tuple(words),
        spans=tuple(spans),
        classes=tuple(classes),
        probabilities=draw(hnp.arrays(np.float64, len(classes), elements=st.floats(0, 1))),
        predicted=draw(st.integers(0, len(classes) - 1)),
        weights=weights,
        method=draw(STRINGS),
        seed=draw(st.integers()),
        model_calls=draw(st.integers(0)),
        seconds=draw(st.floats(0)),
        truncated_words=draw(st.integers(0)),
        intercept=draw(st.none() | floats),
        link=draw(st.sampled_from([None, "identity", "softmax"])),
        settings=draw(SETTINGS),
        diagnostics=draw(st.dictionaries(KEYS, st.floats(), max_size=3)),
    )


def bits(array):
    """Tell -0.0 from 0.0; NaN has one form only."""
    return [value.hex() for value in np.ravel(array).tolist()]


@settings(deadline=None)  # the machine may be busy
@given(explanations())
def test_json_round_trip_loses_nothing(explanation):
    line = explanation.to_json()
    assert "\n" not in line
    assert line.isascii()
    # standard JSON: no bare NaN or Infinity
    json.loads(line, parse_constant=lambda name: pytest.fail(f"bare {name}"))
    back = Explanation.from_json(line)
    assert back == explanation
    assert back.to_json() == line
    assert Explanation.from_json(line.encode()) == explanation
    for name in ("text", "words", "spans", "classes", "predicted", "method", "seed", "model_calls"):
        assert getattr(back, name) == getattr(explanation, name)
    for name in ("seconds", "truncated_words", "link"):
        assert getattr(back, name) == getattr(explanation, name)
    for name in ("probabilities", "weights"):
        assert getattr(back, name).shape == getattr(explanation, name).shape
        assert bits(getattr(back, name)) == bits(getattr(explanation, name))
    if explanation.intercept is None:
        assert back.intercept is None
    else:
        assert bits(back.intercept) == bits(explanation.intercept)
    assert repr(back.settings) == repr(explanation.settings)
    assert repr(back.diagnostics) == repr(explanation.diagnostics)


def test_lone_surrogates_side_by_side_stay_two_characters():
    odd = "\ud83d\ude00"
    explanation = example(
        text=odd + example().text,
        spans=tuple((start + 2, end + 2) for start, end in example().spans),
        classes=(odd, "b", "c"),
        settings={"token": [odd]},
    )
    back = Explanation.from_json(explanation.to_json())
    assert back == explanation
    assert len(back.text) == len(example().text) + 2
    assert (back.classes[0], back.settings) == (odd, {"token": [odd]})


def test_tuples_and_numpy_values_in_settings_become_plain():
    explanation = example(
        settings={"a": (1, np.float32(0.5)), "b": np.arange(2), "c": np.bool_(True)},
        probabilities=np.array([0, 1, 0], dtype=np.float32),
        predicted=np.int32(1),
        seed=np.uint8(7),
        words=tuple(np.array(["not", "bad", "not", "good"])),
        diagnostics={"r2": np.float64(0.5)},
    )
    assert explanation.settings == {"a": [1, 0.5], "b": [0, 1], "c": True}
    assert type(explanation.settings["c"]) is bool
    assert type(explanation.seed) is int
    assert type(explanation.words[0]) is str
    assert Explanation.from_json(explanation.to_json()) == explanation


def test_foreign_json_is_refused():
    line = json.loads(example().to_json())
    for document, message in (
        ("{", "Expecting property name"),
        ("[]", "it has no format_version"),
        ('{"text": "a"}', "it has no format_version"),
        (json.dumps({**line, "format_version": 2}), "Unknown format_version 2"),
        (json.dumps({**line, "colour": 1}), r"fields \['colour'\] are unknown"),
        (json.dumps({k: v for k, v in line.items() if k != "seed"}), r"\['seed'\] are missing"),
        (json.dumps({**line, "predicted": 9}), "predicted is 9"),
    ):
        with pytest.raises(ValueError, match=message):
            Explanation.from_json(document)
