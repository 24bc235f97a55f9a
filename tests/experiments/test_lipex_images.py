"""The experiments of LIPEx on pictures against the same numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import comb

from xai_lib import as_image_classifier
from xai_lib.experiments import lipex as run
from xai_lib.experiments.lipex import images
from xai_lib.experiments.lipex.images import by_mean
from xai_lib.experiments.lipex.sample import recut
from xai_lib.experiments.study import Setting
from xai_lib.explainers.base import Attribution
from xai_lib.explainers.lime import Lime
from xai_lib.explainers.lipex import Lipex
from xai_lib.image import ImageInstance
from xai_lib.masks import neighbourhoods

# Three segments of 1, 2 and 5 pixels in a picture of 2 x 4.
SEGMENTS = np.array([[0, 1, 1, 2], [2, 2, 2, 2]], dtype=np.int32)


def red_left(pictures: np.ndarray) -> np.ndarray:
    """The share of red in the first pixel against one half."""
    red = pictures[:, 0, 0, 0] / 255
    return np.stack([red, 1 - red], axis=1)


@pytest.fixture
def sample() -> run.Sample:
    box = as_image_classifier(red_left, ["red", "other"], (2, 4), "grid")
    pixels = np.zeros((2, 4, 3), dtype=np.uint8)
    pixels[0, 0, 0] = 204
    one = ImageInstance(pixels, SEGMENTS, "by hand", (2, 4))
    setting = SimpleNamespace(key="imagenette-vgg16", modality="image", classifier=box, profile={})
    return run.Sample(setting, [one], np.array([0]), [], np.array([0]), 0, removal="black")


def explained(sample: run.Sample, weights: list[float]):
    part = Attribution(np.array([weights, [0.0, 0.0, 0.0]]), np.array([0.8, 0.2]), 1)
    return Lime().as_explanation(sample.instances[0], part, sample.setting.classifier)


def test_the_mean_divides_by_the_pixels(sample: run.Sample) -> None:
    (one,) = by_mean([explained(sample, [1.0, -4.0, 5.0])])
    assert one.weights[0].tolist() == [1.0, -2.0, 1.0]
    assert one.sizes.tolist() == [1, 2, 5]


def test_picture_rows_remove_the_top_segments(sample: run.Sample) -> None:
    found = {
        "lipex": [explained(sample, [9.0, 1.0, 2.0])],
        "lime": [explained(sample, [0.0, 1.0, 2.0])],
    }
    rows = run.picture_rows(sample, found, k=1)
    # Without the first pixel's red of 0.8 nothing of the class is left.
    assert rows == [
        {"image": 1, "class": "red", "method": "lipex", "fall": pytest.approx(0.8), "area": 1 / 8},
        {"image": 1, "class": "red", "method": "lime", "fall": pytest.approx(0.0), "area": 5 / 8},
    ]


def test_segment_size_rows(sample: run.Sample) -> None:
    # As large as the segments: rank correlation 1; by the mean all are equal, so it has none.
    found = {"xrai": [explained(sample, [1.0, 2.0, 5.0])]}
    rows = {(row["method"], row["measure"]): row for row in run.segment_size_rows(sample, found)}
    assert {method for method, _ in rows} == {"xrai", "xrai (mean)"}
    assert rows["xrai", "rank correlation with size"]["mean"] == pytest.approx(1.0)
    assert rows["xrai (mean)", "rank correlation with size"]["n"] == 0
    # Three segments are fewer than five: all go.
    assert rows["xrai", "share of the picture in the top 5"]["mean"] == 1.0
    assert rows["xrai", "changed, K = 3 to 5"]["mean"] == 1.0


def test_measures_tell_the_ten_classes_from_all(
    sample: run.Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    def among_all(pictures: np.ndarray) -> np.ndarray:
        seen = pictures[:, 0, 0, 0] > 0
        return np.where(seen[:, None], [[0.5, 0.3, 0.2]], [[0.1, 0.6, 0.3]])

    wide = as_image_classifier(among_all, ["a", "b", "c"], (2, 4), "grid", name="wide")
    asked = []
    monkeypatch.setattr(images, "load_classifier", lambda *given: (asked.append(given), wide)[1])
    sample.setting.profile["all_classes"] = "wide"
    sample.setting.device = "cpu"
    pixels = ImageInstance(
        sample.instances[0].pixels, np.arange(8, dtype=np.int32).reshape(2, 4), "pixels", (2, 4)
    )
    eight = replace(sample, instances=[pixels])

    def ranked(place: int):
        """Put the pixel that decides at a place of the ranking."""
        weights = np.zeros((2, 8))
        weights[0, np.insert(np.arange(1, 8), place, 0)] = np.arange(8, 0, -1)
        part = Attribution(weights, np.array([0.8, 0.2]), 1)
        return Lime().as_explanation(pixels, part, sample.setting.classifier)

    # The fourth segment of LIPEx decides, so it is gone at K = 4 and 5 of 3, 4, 5; LIME's first.
    first, fourth = ranked(0), ranked(3)
    assert (first.ranking()[0], fourth.ranking()[3]) == (0, 0)
    calls = sample.setting.classifier.calls
    rows, pairs = run.measure_rows(eight, {"lipex": [fourth], "lime": [first]})
    assert asked == [("wide", "cpu")]
    assert sample.setting.classifier.calls >= calls + wide.calls > calls
    found = {(row["method"], row["measure"]): row["mean"] for row in rows}
    assert found == {
        ("lipex", "fall of the probability"): pytest.approx(0.8 * 2 / 3),
        ("lime", "fall of the probability"): pytest.approx(0.8),
        ("lipex", "changed among all classes"): pytest.approx(2 / 3),
        ("lime", "changed among all classes"): 1.0,
        ("lipex", "fall among all classes"): pytest.approx(0.4 * 2 / 3),
        ("lime", "fall among all classes"): pytest.approx(0.4),
    }
    differences = {pair["measure"]: pair["difference"] for pair in pairs}
    assert differences["fall of the probability"] == pytest.approx(-0.8 / 3)


def test_expected_counts_of_images_by_enumeration() -> None:
    n, angle = 7, 0.8
    kept = np.array([sum(mask) for mask in product((0, 1), repeat=n)])
    inside = np.mean(np.arccos(np.sqrt(kept / n)) <= angle)
    assert run.expected_within(n, 101, angle, "image") == pytest.approx(1 + 100 * inside)
    # arccos sqrt(s / 7) <= 0.8 from s = 4 on: 4 of 7 segments are at 0.714, 3 at 0.857.
    assert inside == pytest.approx(sum(comb(7, s) for s in (4, 5, 6, 7)) / 2**7)


def test_another_cut_keeps_the_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    one = ImageInstance(pixels, np.zeros((12, 12), dtype=np.int32), "whole", (12, 12))
    cut = recut(one, "grid")
    assert np.array_equal(cut.pixels, pixels)
    assert cut.n_features == 49
    assert cut.segmenter == "grid, 7 x 7 tiles"


def test_variants_share_their_segments_or_say_nothing_of_them(
    sample: run.Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = sample.setting.classifier

    class Boxed(Setting):
        @property
        def classifier(self):
            made.append(self.profile.get("precision"))
            return box

    made: list[str | None] = []
    asked: list[dict[str, str]] = []

    def gathered(setting, seed, rounds, per_round, texts, **how):
        asked.append(how)
        near = neighbourhoods(sample.instances, box, 60, seed, removal="black")
        return replace(sample, near=near, setting=setting)

    monkeypatch.setattr(images, "gather", gathered)
    names = ["SLIC, mean colour (default)", "SLIC, mean colour, in float32", "SLIC, black",
             "equal tiles, mean colour"]  # fmt: skip
    setting = Boxed("imagenette-vgg16", {"modality": "image", "variants": names})
    rows, pairs = run.image_variant_rows(setting, 1, Lipex(n_samples=60), 0)
    assert asked == [{}, {}, {"removal": "black"}, {"segmenter": "grid"}]
    assert "float32" in made
    assert setting.others == {"float32": box}
    common = "lipex, top five in common with the default"
    shared = {row["variant"]: row["mean"] for row in rows if row["measure"] == common}
    assert shared == dict.fromkeys(names[:3], 1.0)
    assert {row["variant"] for row in rows} == set(names) == {pair["variant"] for pair in pairs}
