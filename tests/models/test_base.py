"""What every black box shares: checks, counting, equal masks sent once."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from xai_lib.models.base import Classifier
from xai_lib.text import TextInstance


class Recorder(Classifier):
    """Answers with the share of letters kept; remembers what it was asked."""

    def __init__(self, classes=("no", "yes"), spoil: Callable | None = None) -> None:
        super().__init__("recorder", classes)
        self.asked: list[np.ndarray] = []
        self.spoil = spoil or (lambda array: array)

    def _answer(self, texts: list[str]) -> np.ndarray:
        self.calls += len(texts)
        p = np.array([len(text) / 100 for text in texts])
        return self.spoil(np.stack([1 - p, p], axis=1))

    def _probabilities_of_texts(self, texts):
        return self._answer(texts)

    def _probabilities_of_masks(self, instances, masks, removal):
        self.asked += masks
        return [
            self._answer([one.render(row, removal, "*") for row in rows])
            for one, rows in zip(instances, masks, strict=True)
        ]


def test_classes_must_be_there_and_differ():
    with pytest.raises(ValueError, match=r"at least one class, got none"):
        Recorder([])
    with pytest.raises(ValueError, match=re.escape("must differ, got ['a', 'b'] more than once")):
        Recorder(["a", "b", "c", "b", "a"])
    assert Recorder([0, 1]).classes == ("0", "1")


def test_predict_proba_returns_float64_rows():
    box = Recorder()
    answer = box.predict_proba(["a" * 25, ""])
    assert answer.dtype == np.float64
    assert answer.tolist() == [[0.75, 0.25], [1.0, 0.0]]
    assert box.calls == 2
    assert box.predict_proba([]).shape == (0, 2)
    assert box.predict_proba(text for text in ["a"]).shape == (1, 2)
    assert box.calls == 3


def test_texts_must_be_strings_in_a_list():
    with pytest.raises(ValueError, match=r"put the one text in a list"):
        Recorder().predict_proba("text")
    with pytest.raises(ValueError, match=r"A text must be a string, got NoneType"):
        Recorder().predict_proba(["a", None])  # type: ignore[list-item]
    with pytest.raises(ValueError, match=r"A text must be a string, got int"):
        Recorder().instance(3)  # type: ignore[arg-type]


def test_equal_masks_are_asked_once_and_answered_each():
    box = Recorder()
    one = box.instance("ab cde f")
    masks = np.array([[1, 1, 1], [0, 1, 0], [1, 1, 1], [0, 0, 0], [0, 1, 0]], dtype=bool)
    answer = box.predict_masked(one, masks)
    np.testing.assert_allclose(answer[:, 1], [0.08, 0.05, 0.08, 0.02, 0.05])
    assert box.calls == 3
    np.testing.assert_array_equal(box.asked[0], masks[[0, 1, 3]])


def test_masks_may_be_numbers():
    box = Recorder()
    one = box.instance("ab cde f")
    by_numbers = box.predict_masked(one, np.array([[1, 0, 1]]))
    assert by_numbers[0, 1] == pytest.approx(0.05)


def test_the_way_of_removal_reaches_the_black_box():
    box = Recorder()
    one = box.instance("ab cde f")
    none = np.zeros((1, 3), dtype=bool)
    assert box.predict_masked(one, none)[0, 1] == pytest.approx(0.02)
    assert box.predict_masked(one, none, "mask")[0, 1] == pytest.approx(0.05)
    with pytest.raises(ValueError, match=r"Unknown removal 'cut'"):
        box.predict_masked(one, none, "cut")


def test_many_instances_in_one_call_equal_each_alone():
    box = Recorder()
    instances = [box.instance(text) for text in ("ab cd", "", "a a a a", "x")]
    instances.append(box.instance("a a a a", "type"))
    rng = np.random.default_rng(0)
    masks = [rng.random((n, one.n_features)) < 0.5 for n, one in zip((4, 2, 0, 1, 3), instances,
                                                                   strict=True)]  # fmt: skip
    together = box.predict_masked(instances, masks)
    assert [answer.shape for answer in together] == [(4, 2), (2, 2), (0, 2), (1, 2), (3, 2)]
    for one, mask, answer in zip(instances, masks, together, strict=True):
        np.testing.assert_array_equal(box.predict_masked(one, mask), answer)
    assert box.predict_masked([], []) == []


def test_a_text_without_words_is_asked_once_whatever_the_number_of_masks():
    box = Recorder()
    answer = box.predict_masked(box.instance("?!"), np.ones((5, 0), dtype=bool))
    np.testing.assert_allclose(answer, [[0.98, 0.02]] * 5)
    assert box.calls == 1


def test_shapes_must_fit():
    box = Recorder()
    one = box.instance("ab cd")
    with pytest.raises(ValueError, match=r"shape \(n, 2\) for the text 'ab cd', got \(1, 3\)"):
        box.predict_masked(one, np.ones((1, 3), dtype=bool))
    with pytest.raises(ValueError, match=r"got \(2,\)"):
        box.predict_masked(one, np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match=r"Got 1 instances but 2 arrays of masks"):
        box.predict_masked([one], [np.ones((1, 2), dtype=bool)] * 2)


def broken(value) -> Callable[[np.ndarray], np.ndarray]:
    """Spoil the second row."""

    def spoil(array):
        array = array.copy()
        array[1] = value
        return array

    return spoil


@pytest.mark.parametrize(
    "spoil, message",
    [
        (broken([np.nan, 1]), "a value that is not finite for the text 'second'"),
        (broken([np.inf, 0]), "a value that is not finite for the text 'second'"),
        (broken([0.5, 0.6]), "a row that is no distribution for the text 'second'"),
        (broken([-0.5, 1.5]), "a row that is no distribution for the text 'second'"),
        (broken([2.0, 3.0]), "a row that is no distribution for the text 'second'"),
        (lambda array: array[:1], r"returned shape \(1, 2\), expected \(2, 2\)"),
        (lambda array: array[:, :1], r"returned shape \(2, 1\), expected \(2, 2\).*'no', 'yes'"),
        (lambda array: array[0], r"returned shape \(2,\), expected \(2, 2\)"),
        (lambda array: None, r"returned shape \(\), expected \(2, 2\)"),
        (lambda array: [[0.5, 0.5], [1.0]], "'recorder' returned what is no array of numbers"),
        (lambda array: [["a", "b"]] * 2, "'recorder' returned what is no array of numbers"),
    ],
)
def test_wrong_answers_name_the_black_box_and_the_text(spoil, message):
    with pytest.raises(ValueError, match=message) as error:
        Recorder(spoil=spoil).predict_proba(["first", "second"])
    assert "recorder" in str(error.value)


def test_wrong_answers_to_masks_name_the_text_with_its_words_removed():
    box = Recorder(spoil=broken([np.nan, 1]))
    masks = np.array([[1, 1], [0, 1]], dtype=bool)
    with pytest.raises(ValueError, match=r"not finite for the text ' cd'"):
        box.predict_masked(box.instance("ab cd"), masks)


def test_rounding_is_not_an_error():
    nearly = broken([0.50004, 0.49999])
    answer = Recorder(spoil=nearly).predict_proba(["a", "b"])
    assert answer[1].tolist() == [0.50004, 0.49999]


def test_one_class_is_enough():
    class Certain(Recorder):
        def _answer(self, texts):
            return np.ones((len(texts), 1))

    assert Certain(["only"]).predict_proba(["a", "b"]).tolist() == [[1.0], [1.0]]


def test_instances_are_cut_by_words_and_types():
    one = Recorder().instance("a b a", "type")
    assert isinstance(one, TextInstance)
    assert one.features == ("a", "b")
    assert Recorder().instance("a b a").features == ("a", "b", "a")


@pytest.mark.parametrize("given", ["tiny-planted", None, len])
def test_what_is_no_classifier_is_named(given: object) -> None:
    import xai_lib

    for call in (
        lambda: xai_lib.explain("a b", given, n_samples=4),  # type: ignore[arg-type]
        lambda: xai_lib.explain_corpus(["a b"], given, out="unused"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValueError, match=rf"load_classifier.*got {type(given).__name__}"):
            call()


def test_one_string_is_no_list_of_classes() -> None:
    from xai_lib import as_classifier

    with pytest.raises(ValueError, match="list of names, got the string 'spam'"):
        as_classifier(lambda texts: np.ones((len(texts), 4)) / 4, classes="spam")


def test_a_slip_of_the_pen_in_a_name_is_answered_at_once() -> None:
    from xai_lib import load_classifier

    with pytest.raises(ValueError, match="did you mean 'minilm-emotion'"):
        load_classifier("minilm-emotions")


@pytest.mark.parametrize("n", ["100", 10.5, True])
def test_a_budget_is_a_whole_number(n: object) -> None:
    from xai_lib.explainers import make_explainer

    with pytest.raises(ValueError, match="n_samples must be a whole number"):
        make_explainer("lime", n_samples=n)
