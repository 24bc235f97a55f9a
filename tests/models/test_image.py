"""Tests of `xai_lib.models.image`, with a classifier that knows the mean red and green."""

from __future__ import annotations

import numpy as np
import pytest

import xai_lib
from xai_lib import as_image_classifier, make_explainer
from xai_lib.explainers import explainer_class, methods
from xai_lib.image import ImageInstance
from xai_lib.models.image import ImageClassifier
from xai_lib.segmentation import Segmenter

TILES = Segmenter("grid", 9)
# Those that need only answers.
METHODS = tuple(m for m in methods("image") if not explainer_class(m).white_box)


def colours(images: np.ndarray) -> np.ndarray:
    """Red against green, as shares of what there is of both."""
    sums = images[..., :2].astype(float).mean(axis=(1, 2)) + 1.0
    return sums / sums.sum(axis=1, keepdims=True)


@pytest.fixture
def box() -> ImageClassifier:
    return as_image_classifier(colours, ["red", "green"], (12, 12), TILES)


def picture(size: int = 12) -> np.ndarray:
    """A grey square with one red and one green tile."""
    pixels = np.full((size, size, 3), 60, dtype=np.uint8)
    third = size // 3
    pixels[:third, :third] = (255, 0, 0)
    pixels[2 * third :, 2 * third :] = (0, 200, 0)
    return pixels


def test_a_masked_picture_is_the_rendered_picture(box: ImageClassifier) -> None:
    one = box.instance(picture())
    masks = np.random.default_rng(0).random((100, 9)) < 0.5
    for removal in ("mean", "black", "blur", "drop"):
        answers = box.predict_masked(one, masks, removal)
        rendered = box.predict_proba([one.render(mask, removal) for mask in masks])
        assert np.allclose(answers, rendered, atol=1e-12)


def test_a_picture_of_another_size_is_scaled_first(box: ImageClassifier) -> None:
    one = box.instance(picture(24))
    assert one.pixels.shape == (12, 12, 3)
    assert one.original_size == (24, 24)
    assert np.array_equal(
        box.predict_proba([picture(24)])[0], box.predict_masked(one, np.ones((1, 9)))[0]
    )


def test_an_instance_stays_what_it_is(box: ImageClassifier) -> None:
    one = box.instance(picture())
    assert box.instance(one) is one


@pytest.mark.parametrize("method", METHODS)
def test_methods_explain_pictures(box: ImageClassifier, method: str) -> None:
    explainer = make_explainer(method)
    both = explainer.explain([picture(), picture(30)], box, seed=3)
    again = explainer.explain([picture(30)], box, seed=3)
    assert both[1] == again[0]
    for one in both:
        assert one.weights.shape == (2, 9)
        assert one.image.shape == (12, 12, 3)
        assert one.method == method


@pytest.mark.parametrize("method", ["lime", "lipex", "kernel_shap", "occlusion"])
def test_faithful_methods_find_the_two_tiles(box: ImageClassifier, method: str) -> None:
    # A tile painted in its mean colour does not change here, so black takes its place.
    one = xai_lib.explain(picture(), box, method=method, removal="black")
    assert np.argmax(one.weights[0]) == 0
    assert np.argmax(one.weights[1]) == 8


def test_occlusion_by_hand(box: ImageClassifier) -> None:
    one = xai_lib.explain(picture(), box, method="occlusion", removal="black")
    # 9 equal tiles: red 255 + 7 * 60, green 200 + 7 * 60, both with 1 added to their means.
    red, green = 675 / 9 + 1, 620 / 9 + 1
    without = (420 / 9 + 1) / (420 / 9 + 1 + green)
    assert one.weights[0, 0] == pytest.approx(red / (red + green) - without)


def test_lime_draws_each_segment_with_probability_one_half() -> None:
    fine = as_image_classifier(colours, ["red", "green"], (40, 40), Segmenter("grid", 400))
    one = fine.instance(np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8))
    assert one.n_features == 400
    near = xai_lib.masks.neighbourhoods([one], fine, 50)[0]
    shares = near.masks[1:].mean(axis=1)
    assert 0.35 < shares.min() < shares.max() < 0.65  # Six standard deviations on each side.


@pytest.mark.parametrize(
    "source",
    [
        np.full((12, 12), 9, dtype=np.uint8),
        np.full((1, 1, 3), 200, dtype=np.uint8),
        np.full((5, 90, 4), 128, dtype=np.uint8),
        np.zeros((700, 3, 3)),
    ],
)
@pytest.mark.parametrize("segmenter", ["slic", "quickshift", "grid"])
def test_odd_pictures_have_explanations(source: np.ndarray, segmenter: str) -> None:
    box = as_image_classifier(colours, ["red", "green"], (12, 12), segmenter)
    for method in METHODS:
        one = xai_lib.explain(source, box, method=method)
        assert one.n_features == len(np.unique(one.segments)) >= 1
        assert np.isfinite(one.weights).all()


def test_what_does_not_fit_is_refused(box: ImageClassifier) -> None:
    with pytest.raises(ValueError, match=r"'mask'. Valid removals are: drop, mean, black, blur"):
        xai_lib.explain(picture(), box, method="occlusion", removal="mask")
    with pytest.raises(ValueError, match="no group 'type'"):
        xai_lib.explain(picture(), box, method="lime", group="type")
    with pytest.raises(ValueError, match=r"'mase' explains texts, and .* reads images"):
        xai_lib.explain(picture(), box, method="mase")
    with pytest.raises(ValueError, match="got int"):
        xai_lib.explain(7, box)
    with pytest.raises(ValueError, match="put the one image in a list"):
        box.predict_proba(picture())
    with pytest.raises(ValueError, match=r"\(height, width\)"):
        as_image_classifier(colours, ["red", "green"], (0, 4))
    texts = xai_lib.as_classifier(lambda some: np.full((len(some), 2), 0.5), ["a", "b"])
    with pytest.raises(ValueError, match=r"'segment_size' explains images, and .* reads texts"):
        xai_lib.explain("a text", texts, method="segment_size")


def test_answers_that_are_no_probabilities_are_refused() -> None:
    bad = as_image_classifier(lambda images: np.ones((len(images), 2)), ["a", "b"], (4, 4), "grid")
    with pytest.raises(ValueError, match="a row that is no distribution for image 0"):
        bad.predict_proba([picture()])


def test_equal_masks_are_sent_once(box: ImageClassifier) -> None:
    one = box.instance(picture())
    box.calls = 0
    masks = np.ones((20, 9), dtype=bool)
    masks[10:, 4] = False
    answers = box.predict_masked(one, masks)
    assert box.calls == 2
    assert np.ptp(answers[:10], axis=0).max() == 0


def test_an_instance_of_another_cut_keeps_its_own_segments(box: ImageClassifier) -> None:
    halves = np.repeat([[0, 1]], 12, axis=0).repeat(6, axis=1).astype(np.int32)
    one = ImageInstance(picture(), halves, "halves", (12, 12))
    assert xai_lib.explain(one, box, method="occlusion").n_features == 2


def test_methods_by_modality() -> None:
    assert set(METHODS) == {
        "lime", "lipex", "kernel_shap", "shapley_sampling", "occlusion", "segment_size", "random",
    }  # fmt: skip
    assert "xrai" in methods("image")
    assert "xrai" not in methods("text")
    assert set(methods("image")) | set(methods("text")) == set(methods())
    with pytest.raises(ValueError, match=r"Unknown modality 'sound'. Valid: text, image"):
        methods("sound")
