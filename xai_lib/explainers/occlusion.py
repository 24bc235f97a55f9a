"""Occlusion: what the black box loses when one word is removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from xai_lib.explainers.answers import as_answers
from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.models.base import Classifier


@dataclass(frozen=True)
class Occlusion(Explainer):
    """The answer to the text minus the answer without the word, for all classes.

    Costs F + 1 model calls.

    Attributes
    ----------
    group, removal
        See `xai_lib.text.TextInstance` and `Classifier.predict_masked`. The default
        ``removal="drop"`` deletes the word, which every black box understands.
    answers
        ``"probability"``, or ``"log_probability"`` for the change of its logarithm, which is
        minus the change of the loss; see `xai_lib.explainers.answers`.

    References
    ----------
    Zeiler & Fergus (2014), "Visualizing and understanding convolutional networks", section 4.2.

    Notes
    -----
    xai-benchmark, from which LIPEx takes its baselines, sets one token at a time to id 0, the
    padding token of BERT, without a change to the attention mask, and attributes logits.
    ``removal="pad"`` comes closest; it puts one padding token in the place of a whole word, and
    the weights stay differences of probabilities.

    L2E (Situ et al. 2021) puts one mask token in the place of the word and takes the change of the
    loss: ``removal="mask", answers="log_probability"``. Its code does so for the gold label.
    """

    name: ClassVar[str] = "occlusion"
    modalities: ClassVar[tuple[str, ...]] = ("text", "image")
    group: str = "position"
    removal: str = "drop"
    answers: str = "probability"

    def attribute(
        self, instances: list[Any], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances; see `Explainer.attribute`."""
        masks = [
            np.concatenate([np.ones((1, n), dtype=bool), ~np.eye(n, dtype=bool)])
            for n in (one.n_features for one in instances)
        ]
        answers = classifier.predict_masked(instances, masks, self.removal)
        explained = [as_answers(answer, self.answers) for answer in answers]
        return [
            Attribution((value[0] - value[1:]).T, answer[0], len(answer))
            for answer, value in zip(answers, explained, strict=True)
        ]
