"""Tests of `xai_lib.image`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from xai_lib.image import ImageInstance, read_image, resized

RED, GREEN = (255, 0, 0), (0, 255, 0)


def instance(pixels: np.ndarray, segments: list[list[int]]) -> ImageInstance:
    return ImageInstance(
        pixels.astype(np.uint8), np.array(segments, dtype=np.int32), "by hand", pixels.shape[:2]
    )


def test_a_file_an_image_and_an_array_are_the_same_picture(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    for source in (
        tmp_path / "picture.png",
        str(tmp_path / "picture.png"),
        Image.fromarray(pixels),
        pixels,
        pixels / 255,
    ):
        assert np.array_equal(read_image(source), pixels)


def test_grey_becomes_three_equal_channels() -> None:
    grey = np.array([[0, 128], [255, 7]], dtype=np.uint8)
    for source in (grey, grey[..., None], Image.fromarray(grey)):
        read = read_image(source)
        assert read.shape == (2, 2, 3)
        assert (read == grey[..., None]).all()


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    read = read_image(Image.fromarray(np.array([[0, 32896, 65535]], dtype=np.uint16)))
    assert read[..., 0].tolist() == [[0, 128, 255]]


def test_what_is_transparent_shows_white() -> None:
    half = np.array([[[*RED, 255], [*RED, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    # 51 / 255 is a fifth of black on white.
    assert read_image(half).tolist() == [[[255, 0, 0], [255, 255, 255], [204, 204, 204]]]
    assert np.array_equal(read_image(Image.fromarray(half, "RGBA")), read_image(half))


def test_a_palette_with_transparency_and_a_two_level_picture(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([*RED, *GREEN])
    palette.putdata([0, 1])
    palette.save(tmp_path / "p.gif", transparency=1)
    assert read_image(tmp_path / "p.gif").tolist() == [[[255, 0, 0], [255, 255, 255]]]
    assert read_image(np.array([[True, False]])).tolist() == [[[255] * 3, [0] * 3]]


def test_exif_orientation_is_obeyed(tmp_path: Path) -> None:
    pixels = np.zeros((2, 3, 3), dtype=np.uint8)
    pixels[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn by 90 degrees clockwise to stand upright.
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    read = read_image(tmp_path / "turned.png")
    assert read.shape == (3, 2, 3)
    assert read[0, 1].tolist() == [255] * 3


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((2, 2, 2)), r"\(H, W, 4\), got \(2, 2, 2\)"),
        (np.zeros(4), r"got \(4,\)"),
        (np.zeros((0, 3, 3)), "at least one pixel"),
        (np.full((2, 2), 2.0), "from 0 to 1"),
        (np.full((2, 2), np.nan), "finite"),
        (np.zeros((2, 2), dtype=np.int64), "int64"),
        (7, "got int"),
        ("no/such/picture.png", "There is no file 'no/such/picture.png'"),
    ],
)
def test_what_is_no_picture_is_refused(source: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_image(source)


def test_a_corrupt_file_is_named(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    whole = tmp_path / "whole.jpg"
    Image.fromarray(pixels).save(whole)
    (tmp_path / "cut.jpg").write_bytes(whole.read_bytes()[:300])
    (tmp_path / "text.png").write_text("not a picture")
    for name in ("cut.jpg", "text.png"):
        with pytest.raises(ValueError, match=f"{name}' is no picture that can be read"):
            read_image(tmp_path / name)


def test_resizing_keeps_a_picture_of_the_right_size_and_one_colour() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 3)).astype(np.uint8)
    assert resized(pixels, (6, 4)) is pixels
    one = np.full((1, 1, 3), 77, dtype=np.uint8)
    assert resized(one, (5, 9)).shape == (5, 9, 3)
    assert (resized(one, (5, 9)) == 77).all()


def test_mean_colours_by_hand() -> None:
    pixels = np.array([[[10, 0, 0], [20, 0, 0], [0, 0, 9]], [[31, 0, 0], [0, 0, 0], [0, 0, 4]]])
    one = instance(pixels, [[0, 0, 1], [0, 2, 1]])
    # (10 + 20 + 31) / 3 = 20.33, (9 + 4) / 2 = 6.5, which rounds to the even 6.
    expected = [[[20, 0, 0], [20, 0, 0], [0, 0, 6]], [[20, 0, 0], [0, 0, 0], [0, 0, 6]]]
    assert one.filled().tolist() == expected
    assert np.array_equal(one.filled("mean"), one.filled("drop"))
    assert one.sizes.tolist() == [3, 2, 1]
    assert one.features == ("segment 1", "segment 2", "segment 3")


def test_only_removed_segments_change() -> None:
    pixels = np.random.default_rng(1).integers(1, 256, (4, 4, 3)).astype(np.uint8)
    one = instance(pixels, np.repeat(np.repeat([[0, 1], [2, 3]], 2, 0), 2, 1).tolist())
    shown = one.render(np.array([True, False, True, True]), "black")
    assert (shown[:2, 2:] == 0).all()
    assert np.array_equal(shown[2:], pixels[2:])
    assert np.array_equal(shown[:2, :2], pixels[:2, :2])
    assert np.array_equal(one.render(np.ones(4, dtype=bool), "blur"), pixels)


def test_blur_leaves_one_colour_and_mixes_two() -> None:
    flat = instance(np.full((8, 8, 3), 90), np.zeros((8, 8), dtype=int).tolist())
    assert (flat.filled("blur") == 90).all()
    halves = np.zeros((8, 8, 3))
    halves[:, 4:] = 200
    blurred = instance(halves, np.zeros((8, 8), dtype=int).tolist()).filled("blur")
    assert 0 < blurred[0, 3, 0] < 100 < blurred[0, 4, 0] < 200


def test_unknown_removal_and_bad_segments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'mask'. Valid removals are: drop, mean, black, blur"):
        instance(np.zeros((1, 2, 3)), [[0, 1]]).filled("mask")
    with pytest.raises(ValueError, match="without a gap"):
        instance(np.zeros((1, 2, 3)), [[0, 2]])
    with pytest.raises(ValueError, match=r"\(1, 2\), got \(2, 1\)"):
        instance(np.zeros((1, 2, 3)), [[0], [0]])


def test_content_tells_pixels_and_segments_apart() -> None:
    pixels = np.zeros((2, 2, 3))
    one = instance(pixels, [[0, 0], [1, 1]])
    assert one.content == instance(pixels, [[0, 0], [1, 1]]).content
    assert one.content != instance(pixels, [[0, 1], [0, 1]]).content
    assert one.content != instance(pixels + 1, [[0, 0], [1, 1]]).content
    assert "2 of 2" in one.describe(np.ones(2))
