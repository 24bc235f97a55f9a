"""Any function from texts to probabilities as a black box."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.models import FunctionClassifier, as_classifier, load_classifier


def by_length(texts: list[str]) -> np.ndarray:
    p = np.array([len(text) / 100 for text in texts])
    return np.stack([1 - p, p], axis=1)


class Batches:
    """Remembers the batches it was called with."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []

    def __call__(self, texts: list[str]) -> np.ndarray:
        assert isinstance(texts, list)
        self.seen.append(list(texts))
        return by_length(texts)


def test_probabilities_come_from_the_function_in_batches():
    function = Batches()
    box = as_classifier(function, ["short", "long"], batch_size=3)
    texts = ["a" * n for n in range(8)]
    answer = box.predict_proba(texts)
    np.testing.assert_array_equal(answer, by_length(texts))
    assert function.seen == [texts[:3], texts[3:6], texts[6:]]
    assert box.calls == 8
    assert (box.name, box.classes) == ("function", ("short", "long"))
    assert (box.device, box.precision) == ("cpu", "float64")


def test_the_function_cannot_change_what_was_asked():
    def greedy(texts: list[str]) -> np.ndarray:
        answer = by_length(texts)
        texts.clear()
        return answer

    texts = ["aa", "b"]
    np.testing.assert_array_equal(
        as_classifier(greedy, ["a", "b"]).predict_proba(texts), by_length(["aa", "b"])
    )
    assert texts == ["aa", "b"]


@pytest.mark.parametrize(
    "removal, expected", [("drop", " bb , "), ("mask", "<?> bb <?>, <?>"), ("pad", "_ bb _, _")]
)
def test_masks_are_written_as_text(removal, expected):
    function = Batches()
    box = as_classifier(function, ["a", "b"], mask_token="<?>", pad_token="_")
    one = box.instance("a bb a, a", "type")
    answer = box.predict_masked(one, np.array([[False, True], [True, True]]), removal)
    assert function.seen == [[expected, "a bb a, a"]]
    np.testing.assert_array_equal(answer, by_length([expected, "a bb a, a"]))


def test_batches_fill_across_instances():
    function = Batches()
    box = as_classifier(function, ["a", "b"], batch_size=4)
    instances = [box.instance("a b"), box.instance("?"), box.instance("c")]
    masks = [np.array([[1, 1], [0, 1], [1, 1]]), np.ones((2, 0)), np.array([[0], [1]])]
    answers = box.predict_masked(instances, masks)
    assert function.seen == [["a b", " b", "?", ""], ["c"]]
    assert box.calls == 5
    np.testing.assert_array_equal(answers[0], by_length(["a b", " b", "a b"]))
    np.testing.assert_array_equal(answers[1], by_length(["?", "?"]))
    np.testing.assert_array_equal(answers[2], by_length(["", "c"]))


def test_no_masks_ask_nothing():
    function = Batches()
    box = as_classifier(function, ["a", "b"])
    assert box.predict_masked(box.instance("a b"), np.ones((0, 2), dtype=bool)).shape == (0, 2)
    assert function.seen == []


def test_answers_are_checked_batch_by_batch():
    def lies(texts: list[str]) -> np.ndarray:
        answer = by_length(texts)
        answer[[text == "bad" for text in texts]] = np.nan
        return answer

    box = as_classifier(lies, ["a", "b"], name="liar", batch_size=2)
    with pytest.raises(ValueError, match=r"'liar' returned a value that is not finite.*'bad'"):
        box.predict_proba(["a", "b", "c", "bad", "e"])
    with pytest.raises(ValueError, match=r"'liar'.*not finite for the text 'bad'"):
        box.predict_masked(box.instance("bad"), np.array([[False], [True]]))


def test_the_text_sent_with_a_token_is_named():
    box = as_classifier(
        lambda texts: np.full((len(texts), 2), np.nan), ["a", "b"], mask_token="<?>"
    )
    with pytest.raises(ValueError, match=r"'<[?]> bb'"):
        box.predict_masked(box.instance("a bb"), np.array([[False, True]]), "mask")


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"takes a function, got int"):
        as_classifier(3, ["a", "b"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"batch_size must be at least 1, got 0"):
        FunctionClassifier(by_length, ["a", "b"], batch_size=0)
    with pytest.raises(ValueError, match=r"at least one class"):
        as_classifier(by_length, [])


def test_a_name_that_is_neither_zoo_nor_folder_lists_the_zoo(tmp_path):
    missing = tmp_path / "no" / "such" / "folder"
    with pytest.raises(ValueError, match=r"Names of the zoo are: tiny-planted, ") as error:
        load_classifier(missing)
    assert str(missing) in str(error.value)
