"""Tests of `xai_lib.image_explanation`."""

from __future__ import annotations

import base64
import copy
import json
import math
import pickle
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from xai_lib.explanation import Explanation
from xai_lib.image_explanation import ImageExplanation

# Three segments: the first two columns, the upper right pixel, the rest of the right column.
SEGMENTS = np.array([[0, 0, 1], [0, 0, 2], [0, 0, 2], [0, 0, 2]], dtype=np.int32)
IMAGE = np.arange(36, dtype=np.uint8).reshape(4, 3, 3)


def example(**changes):
    values = {
        "image": IMAGE,
        "segments": SEGMENTS,
        "segmenter": "by hand",
        "classes": ("cat", "dog"),
        "probabilities": [0.25, 0.75],
        "predicted": 1,
        "weights": [[1.0, -2.0, 0.5], [-0.5, 3.0, math.inf]],
        "method": "lipex",
        "seed": 3,
        "model_calls": 16,
        "seconds": 0.5,
    }
    return ImageExplanation(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": IMAGE.astype(float)}, "image must hold uint8, 0 to 255, got float64"),
        ({"image": IMAGE[..., 0]}, r"image must be \(height, width, 3\), got the shape \(4, 3\)"),
        ({"image": np.zeros((4, 3, 4), np.uint8)}, r"got the shape \(4, 3, 4\)"),
        ({"image": np.zeros((0, 3, 3), np.uint8)}, r"got the shape \(0, 3, 3\)"),
        ({"segments": SEGMENTS.astype(float)}, "segments must hold whole numbers, got float64"),
        ({"segments": SEGMENTS > 0}, "segments must hold whole numbers, got bool"),
        ({"segments": SEGMENTS.T}, r"the shape \(4, 3\) of the image, got \(3, 4\)"),
        ({"segments": SEGMENTS + 1}, "every label from 0 on, got 3 labels from 1 to 3"),
        ({"segments": SEGMENTS * 2}, "every label from 0 on, got 3 labels from 0 to 4"),
        ({"segments": SEGMENTS - 1}, "every label from 0 on, got 3 labels from -1 to 1"),
        ({"segmenter": None}, "segmenter must hold strings, got NoneType"),
        ({"weights": np.zeros((2, 4))}, r"weights must have the shape \(2, 3\), got \(2, 4\)"),
        ({"predicted": 2}, "predicted is 2, but there are 2 classes"),
    ],
)
def test_invalid_values_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        example(**changes)


def test_features_sizes_and_centres_by_hand():
    explanation = example()
    assert explanation.features == ("segment 1", "segment 2", "segment 3")
    assert explanation.n_features == 3
    assert explanation.sizes.tolist() == [8, 1, 3]
    # rows 0 to 3, columns 0 and 1; the pixel itself; rows 1 to 3 of column 2
    assert explanation.centres.tolist() == [[1.5, 0.5], [0.0, 2.0], [2.0, 2.0]]
    assert explanation.top(2, of="cat") == [("segment 2", -2.0), ("segment 1", 1.0)]
    assert repr(explanation) == (
        "<ImageExplanation by lipex: dog 0.75, 3 features, "
        "segment 3:+inf segment 2:+3 segment 1:-0.5>"
    )


def test_one_pixel_is_one_segment():
    single = example(image=np.full((1, 1, 3), 7, np.uint8), segments=[[0]], weights=[[1.0], [2.0]])
    assert (single.features, single.sizes.tolist()) == (("segment 1",), [1])
    assert single.centres.tolist() == [[0.0, 0.0]]
    assert ImageExplanation.from_json(single.to_json()) == single


def test_frame_by_hand():
    frame = example(classes=("row", "dog")).to_frame()
    assert list(frame.columns) == ["segment", "pixels", "row", "column", "row (class)", "dog"]
    assert frame["segment"].tolist() == ["segment 1", "segment 2", "segment 3"]
    assert frame["pixels"].tolist() == [8, 1, 3]
    assert frame["row"].tolist() == [1.5, 0.0, 2.0]
    assert frame["column"].tolist() == [0.5, 2.0, 2.0]
    assert frame["row (class)"].tolist() == [1.0, -2.0, 0.5]
    assert frame["dog"].tolist() == [-0.5, 3.0, math.inf]


def test_it_cannot_be_changed():
    image, segments = IMAGE.copy(), SEGMENTS.astype(np.int64)
    explanation = example(image=image, segments=segments)
    image[0, 0, 0], segments[0, 0] = 99, 2
    assert explanation.image[0, 0, 0] == 0
    assert explanation.segments[0, 0] == 0
    assert explanation.segments.dtype == np.int32
    for other in (explanation, pickle.loads(pickle.dumps(explanation)), copy.deepcopy(explanation)):
        assert other == explanation
        for name in ("image", "segments", "weights", "sizes", "centres"):
            with pytest.raises(ValueError, match="read-only"):
                getattr(other, name)[0] = 1


def test_equality_and_hash_see_the_picture():
    image, segments = IMAGE.copy(), SEGMENTS.copy()
    image[3, 2, 1] += 1
    segments[0, 2], segments[1, 2] = 2, 1
    assert example() == example(seconds=9.0)
    assert hash(example()) == hash(example(seconds=9.0))
    assert hash(example()) != hash(example(image=image))
    for changes in (
        {"image": image}, {"segments": segments}, {"segmenter": "slic"}, {"seed": 4},
        {"weights": np.zeros((2, 3))},
    ):  # fmt: skip
        assert example() != example(**changes)
    text = Explanation(
        text="a b c", words=("a", "b", "c"), spans=((0, 1), (2, 3), (4, 5)),
        **{key: getattr(example(), key) for key in (
            "classes", "probabilities", "predicted", "weights", "method", "seed", "model_calls",
            "seconds",
        )},
    )  # fmt: skip
    assert example() != text


# -- JSON ---------------------------------------------------------------------------------------


def test_json_holds_the_bytes_row_by_row():
    line = example().to_json()
    assert line.isascii()
    assert "\n" not in line
    payload = json.loads(line)
    stored = payload["image"]
    assert (stored["shape"], stored["dtype"]) == ([4, 3, 3], "|u1")
    assert zlib.decompress(base64.b64decode(stored["zlib"])) == bytes(range(36))
    stored = payload["segments"]
    assert (stored["shape"], stored["dtype"]) == ([4, 3], "<i4")
    little = b"".join(int(label).to_bytes(4, "little") for label in SEGMENTS.ravel())
    assert zlib.decompress(base64.b64decode(stored["zlib"])) == little


@st.composite
def explanations(draw):
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    labels = draw(hnp.arrays(np.int64, (height, width), elements=st.integers(0, 4)))
    segments = np.unique(labels, return_inverse=True)[1].reshape(height, width)
    n_classes = draw(st.integers(1, 3))
    shape = (n_classes, int(segments.max()) + 1)
    weights = draw(hnp.arrays(np.float64, shape, elements=st.floats(allow_nan=False)))
    weights[draw(hnp.arrays(bool, n_classes))] = math.nan
    return example(
        image=draw(hnp.arrays(np.uint8, (height, width, 3))),
        segments=segments,
        segmenter=draw(st.text()),
        classes=tuple(f"c{i}" for i in range(n_classes)),
        probabilities=np.full(n_classes, 1 / n_classes),
        predicted=draw(st.integers(0, n_classes - 1)),
        weights=weights,
    )


@settings(deadline=None)  # the machine may be busy
@given(explanations())
def test_json_round_trip_loses_nothing(explanation):
    line = explanation.to_json()
    json.loads(line, parse_constant=lambda name: pytest.fail(f"bare {name}"))
    back = ImageExplanation.from_json(line)
    assert back == explanation
    assert back.to_json() == line
    for name in ("image", "segments"):
        one, other = getattr(back, name), getattr(explanation, name)
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    assert back.weights.tobytes() == explanation.weights.tobytes()
    assert back.segmenter == explanation.segmenter


def stored(array, **changes):
    data = base64.b64encode(zlib.compress(array.tobytes())).decode()
    return {"shape": list(array.shape), "dtype": array.dtype.str, "zlib": data, **changes}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("image", [1, 2], "image must be an array with shape, dtype and zlib"),
        ("image", {"shape": [1]}, "image must be an array with shape, dtype and zlib"),
        ("image", stored(IMAGE, dtype="<f4"), r"image must have the dtype \|u1, got '<f4'"),
        ("image", stored(IMAGE, zlib="AAAA"), "image is damaged"),
        ("image", stored(IMAGE, zlib="!"), "image is damaged"),
        ("image", stored(IMAGE[:2], shape=[4, 3, 3]), r"do not fill the shape \(4, 3, 3\)"),
        ("image", stored(IMAGE, shape=[2, 3, 3]), r"do not fill the shape \(2, 3, 3\)"),
        ("segments", stored(SEGMENTS, dtype=">i4"), "segments must have the dtype <i4"),
        ("segments", stored(SEGMENTS + 1), "every label from 0 on"),
    ],
)
def test_damaged_json_is_refused(name, value, message):
    payload = json.loads(example().to_json())
    with pytest.raises(ValueError, match=message):
        ImageExplanation.from_json(json.dumps({**payload, name: value}))


def test_json_of_a_text_is_refused():
    payload = json.loads(example().to_json())
    del payload["image"]
    with pytest.raises(ValueError, match=r"fields \['image'\] are missing, .* \['text'\]"):
        ImageExplanation.from_json(json.dumps({**payload, "text": "a"}))
