"""LIPEx and its relatives on drawn shapes, where one tile decides the class."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.data.images import load_images
from xai_lib.explainers import make_explainer
from xai_lib.models.image_zoo import load_named_image

N = 60


@pytest.fixture(scope="module")
def pictures():
    """Pictures with a glyph that the black box gets right, and their deciding tiles."""
    box = load_named_image("tiny-shapes", device="cpu")
    drawn = load_images("shapes", "test")
    deciding = np.array(drawn.extra["deciding"])
    right = box.predict_proba(drawn.images).argmax(axis=1) == drawn.labels
    rows = np.flatnonzero((deciding >= 0) & right)[:N]
    return box, [drawn.images[i] for i in rows], deciding[rows]


@pytest.mark.parametrize("method", ["lipex", "lime", "occlusion"])
def test_the_deciding_segment_is_first(pictures, method):
    box, images, deciding = pictures
    settings = {} if method == "occlusion" else {"n_samples": 300}
    found = make_explainer(method, **settings).explain(images, box)
    first = [one.ranking()[0] for one in found]
    assert np.mean(first == deciding) >= 0.95


def test_a_ranking_by_size_knows_nothing(pictures):
    box, images, deciding = pictures
    found = make_explainer("segment_size").explain(images, box)
    # All tiles are equally large, so the first in reading order is named.
    assert all(one.ranking()[0] == 0 for one in found)
    assert np.mean(deciding == 0) < 0.15
