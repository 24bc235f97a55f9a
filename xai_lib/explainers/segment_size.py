"""The size of a segment: the ranking that any explanation of an image must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.models.base import Classifier


@dataclass(frozen=True)
class SegmentSize(Explainer):
    """Each segment's share of the pixels, for every class: a baseline that never asks the model.

    A larger segment takes more of the picture away with it, whatever it shows, so sums over
    pixels favour it. Costs the one model call of the prediction.
    """

    name: ClassVar[str] = "segment_size"
    modalities: ClassVar[tuple[str, ...]] = ("image",)

    def attribute(
        self, instances: list[Any], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances; see `Explainer.attribute`."""
        whole = [np.ones((1, one.n_features), dtype=bool) for one in instances]
        answers = classifier.predict_masked(instances, whole)
        rows = [one.sizes / one.sizes.sum() for one in instances]
        return [
            Attribution(np.tile(row, (len(classifier.classes), 1)), answer[0], 1)
            for row, answer in zip(rows, answers, strict=True)
        ]
