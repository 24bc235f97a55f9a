"""Generators depend on seed and key only."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from xai_lib.rng import generator


def bits(*key) -> list[int]:
    return generator(*key).integers(0, 2**63, 4).tolist()


def test_stream_is_pcg64_seeded_with_the_hash_of_seed_and_key():
    digest = hashlib.sha256(b'[3, "lime", 0.5, true, null]').digest()
    seed = sum(byte << (8 * i) for i, byte in enumerate(digest[:16]))
    expected = np.random.Generator(np.random.PCG64(seed)).integers(0, 2**63, 4).tolist()
    assert bits(3, "lime", 0.5, True, None) == expected


def test_text_outside_ascii_is_escaped_before_hashing():
    digest = hashlib.sha256(b'[0, "\\u00e9\\ud83d\\ude00"]').digest()
    seed = int.from_bytes(digest[:16], "little")
    assert bits(0, "é😀") == np.random.default_rng(seed).integers(0, 2**63, 4).tolist()


def test_a_lone_surrogate_is_a_key_like_any_other():
    assert bits(0, "\ud800") == bits(0, "\ud800")
    assert bits(0, "\ud800") != bits(0, "\ud801")


@pytest.mark.parametrize(
    "first, second",
    [
        ((0, "a"), (1, "a")),
        ((0, "a"), (0, "b")),
        ((0, "a", "b"), (0, "ab")),
        ((0, "a", "b"), (0, "b", "a")),
        ((0, "1"), (0, 1)),
        ((0, 1), (0, True)),
        ((0, 1), (0, 1.0)),
        ((0, None), (0,)),
        ((0, 'a", "b'), (0, "a", "b")),
    ],
)
def test_another_key_gives_another_stream(first, second):
    assert bits(*first) != bits(*second)


def test_seed_may_be_a_numpy_integer():
    assert bits(np.int64(7), "a") == bits(7, "a")


def test_nothing_global_is_read_or_advanced():
    expected = bits(0, "text")
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    assert bits(0, "text") == expected
    assert bits(0, "text") == expected
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_another_process_gives_the_same_stream():
    code = (
        "from xai_lib.rng import generator;"
        "print(generator(5, 'text', 'lime').integers(0, 2**63, 4).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == str(bits(5, "text", "lime"))
