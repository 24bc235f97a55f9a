"""Names of the 1000 classes of ImageNet-1k."""

from __future__ import annotations

import zipfile
from functools import lru_cache

from xai_lib.data.wheels import Wheel, fetch_wheel

# Only the names of ImageNet's classes are read out of it.
TIMM = Wheel(
    package="timm",
    version="1.0.31",
    filename="timm-1.0.31-py3-none-any.whl",
    sha256="5bd50f7d0fe6d09bf9285ac2523234a1b7e6bf075c0be3e7aed09139fcb617c7",
)
# First names that two classes share: the bird and the machine; two kinds of swimsuits.
_SAME_NAME = {
    "n02012849": "crane (bird)",
    "n03126707": "crane (machine)",
    "n03710721": "maillot (tank suit)",
}


@lru_cache(maxsize=1)
def imagenet_classes() -> tuple[str, ...]:
    """Return a name for each of the 1000 classes of ImageNet-1k, all different.

    The first name that WordNet has for the class, read out of the wheel of ``timm``, which is not
    installed.

    Raises
    ------
    SourceUnavailable
        If pip cannot get the wheel.
    """
    with zipfile.ZipFile(fetch_wheel(TIMM)) as archive:
        synsets, lemmas = (
            archive.read(f"timm/data/_info/{file}.txt").decode().splitlines()
            for file in ("imagenet_synsets", "imagenet_synset_to_lemma")
        )
    names = dict(line.split("\t", 1) for line in lemmas if line)
    return tuple(
        _SAME_NAME.get(synset, names[synset].split(",")[0].strip()) for synset in synsets if synset
    )
