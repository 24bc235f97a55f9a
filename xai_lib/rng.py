"""Random generators that depend on what is asked, never on what was asked before."""

from __future__ import annotations

import hashlib
import json

import numpy as np


def generator(seed: int, *key: str | float | bool | None) -> np.random.Generator:
    """Make the generator that belongs to a seed and a key.

    The same arguments give the same stream in every process, on every machine and in any order
    of calls; any other argument gives an unrelated stream. Nothing global is read or advanced.

    Parameters
    ----------
    seed
        The user's seed.
    *key
        What the randomness is for: a text, the name of a sampler, its settings.

    Returns
    -------
    numpy.random.Generator
        A fresh PCG64 generator.
    """
    payload = json.dumps([int(seed), *key], ensure_ascii=True).encode()
    return np.random.default_rng(int.from_bytes(hashlib.sha256(payload).digest()[:16], "little"))
