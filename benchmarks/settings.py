"""What a benchmark run measures, and on which texts."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xai_lib.data import Dataset, DatasetNotFound, load_dataset
from xai_lib.text import find_words

# Black boxes in the order of preference, with the data they were trained on.
DEFAULTS = (("minilm-emotion", "emotion"), ("minilm-r8", "r8"))
# The longest text has more tokens than the black box was trained with; its limit is raised for
# both sides, so that both read all of it.
MAX_LENGTH = 256


@dataclass(frozen=True)
class Settings:
    """Size of a benchmark run.

    Attributes
    ----------
    model
        Name of the zoo, folder or hub id of the black box.
    data
        Data set whose test split the texts come from.
    device, seed
        As everywhere.
    words
        Lengths of the texts in words.
    n_samples
        Perturbations of LIME, on both sides.
    repeats
        Rounds of the interleaved measurements.
    row_seconds
        After this time, and at least two rounds, no further round is begun.
    lipex_words, lipex_samples
        Text length and budget of the LIPEx row.
    selection
        Rows, features and picks of the forward selection.
    budgets
        Numbers of samples of the accuracy curve.
    reference_samples
        Samples of the LIME whose ranking the curve is measured against.
    short, long
        Words a text, texts and seeds of the curve. Short texts are answered for all their masks
        once, so that seeds cost nothing; they must have at most 16 words.
    precision_texts, precision_samples
        Texts and samples of the comparison of bfloat16 with float32.
    amortised_calls, amortised_texts
        Texts explained one by one, and in one call, by the explainer that was fitted before.
    amortised_size
        Layers, width and heads of an untrained BERT that is explained too; BERT-base is what the
        paper explains.
    ldav_models, ldav_encoders
        Networks with class vectors, from scratch and on a pretrained encoder; of each the first
        whose data can be loaded is taken.
    l2e_models, l2e_texts, l2e_sampled
        Black boxes, the first whose data can be loaded is taken; texts explained by L2E and by the
        methods that it learns from, and by those of them that sample.
    images, image_samples
        Pictures explained by LIME on both sides, and masks of each.
    """

    model: str
    data: str
    device: str = "auto"
    seed: int = 0
    words: tuple[int, ...] = (20, 46, 150)
    n_samples: int = 5000
    repeats: int = 3
    row_seconds: float = 200.0
    lipex_words: int = 46
    lipex_samples: int = 1000
    selection: tuple[int, int, int] = (5000, 441, 5)
    budgets: tuple[int, ...] = (100, 200, 500, 1000, 2000, 5000)
    reference_samples: int = 50_000
    short: tuple[int, int, int] = (14, 10, 20)
    long: tuple[int, int, int] = (46, 2, 3)
    precision_texts: int = 100
    precision_samples: int = 1000
    amortised_calls: int = 200
    amortised_texts: int = 2000
    amortised_size: tuple[int, int, int] = (12, 768, 12)
    ldav_models: tuple[str, ...] = ("ldav-bilstm-dbpedia", "ldav-bilstm-r8")
    ldav_encoders: tuple[str, ...] = ("ldav-minilm-ag-news", "ldav-tiny-planted")
    l2e_models: tuple[str, ...] = ("minilm-ag-news", "minilm-r8")
    l2e_texts: int = 100
    l2e_sampled: int = 10
    images: int = 5
    image_samples: int = 1000

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain data, without the folder the model lies in."""
        plain = asdict(self) | {"model": Path(self.model).name}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in plain.items()}


# Seconds in place of minutes: shows that everything runs, measures nothing.
QUICK: dict[str, Any] = {
    "words": (8, 20),
    "n_samples": 100,
    "repeats": 2,
    "row_seconds": 0.0,
    "lipex_words": 20,
    "lipex_samples": 50,
    "selection": (200, 12, 3),
    "budgets": (20, 50, 100),
    "reference_samples": 500,
    "short": (6, 2, 3),
    "long": (20, 1, 2),
    "precision_texts": 3,
    "precision_samples": 50,
    "amortised_calls": 12,
    "amortised_texts": 20,
    "amortised_size": (2, 32, 2),
    "ldav_models": ("ldav-bilstm-planted",),
    "ldav_encoders": ("ldav-tiny-planted",),
    "l2e_models": ("tiny-planted",),
    "l2e_texts": 3,
    "l2e_sampled": 1,
    "images": 1,
    "image_samples": 20,
}


def default_model(data_dir: str | Path | None = None) -> tuple[str, str]:
    """Choose the black box whose data can be had: its name and that of the data set."""
    problems = []
    for model, data in DEFAULTS:
        try:
            load_dataset(data, "test", data_dir=data_dir)
        except DatasetNotFound as error:
            problems.append(str(error))
        else:
            return model, data
    raise ValueError("No data for any of the default black boxes.\n" + "\n".join(problems))


def texts_of(dataset: Dataset, words: int, n: int = 1) -> tuple[list[str], int]:
    """Find texts with exactly so many words.

    Parameters
    ----------
    dataset
        Where to look, in its order.
    words
        Words of each text.
    n
        Number of texts.

    Returns
    -------
    texts : list of str
        The first n with that length. Where there are fewer, the rest is made of texts that
        follow one another (after the last the first), joined by blanks and cut behind the last
        word wanted.
    joined : int
        How many were made in that way.
    """
    found = [text for text in dataset.texts if len(find_words(text)) == words][:n]
    whole, joined = itertools.cycle(dataset.texts), 0
    while len(found) < n:
        start = ""
        while len(spans := find_words(start)) < words:
            start = f"{start} {next(whole)}".strip()
        found.append(start[: spans[words - 1][1]])
        joined += 1
    return found, joined
