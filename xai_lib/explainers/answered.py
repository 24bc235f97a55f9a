"""What MASE and KernelSHAP share: first ask, then fit, so that answers can be kept in between."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.models.base import Classifier


@dataclass(frozen=True)
class AnsweredExplainer(Explainer):
    """A method that asks the black box once for each text and then fits to the answers.

    What it asks can be made anew from seed, text and settings, so that only the answers have to
    be kept: see `xai_lib.store.stored_answers`.
    """

    @abstractmethod
    def asked(self) -> list[str | float | bool]:
        """Return the settings on which the questions depend, besides text, group and seed."""

    @abstractmethod
    def ask(self, instances: Sequence[Any], classifier: Classifier, seed: int) -> list[np.ndarray]:
        """Perturb instances of at least one feature each; for each (n, C) answers, all in one call.

        Row 0 is the answer to the whole text.
        """

    @abstractmethod
    def fit_answers(
        self,
        instances: Sequence[Any],
        answers: Sequence[np.ndarray],
        classifier: Classifier,
        seed: int,
    ) -> list[Attribution]:
        """Explain instances from what `ask` returned with the same seed, without asking again."""

    def attribute(
        self, instances: list[Any], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances; see `Explainer.attribute`."""
        answers = self.ask(instances, classifier, seed)
        return self.fit_answers(instances, answers, classifier, seed)

    def explain_answers(
        self,
        instances: Sequence[Any],
        answers: Sequence[np.ndarray],
        classifier: Classifier,
        seed: int = 0,
    ) -> list[Any]:
        """Explain instances from answers that are already there.

        Parameters
        ----------
        instances
            n instances with at least one feature each.
        answers
            What `ask` returned for them with the same seed, by this method or by one whose
            `asked` is the same.
        classifier
            The black box that answered.
        seed
            The seed with which it was asked.

        Returns
        -------
        list of Explanation
            As `explain` would give with the same seed. `seconds` is the time of the fit alone.
        """
        pairs = list(zip(instances, answers, strict=True))

        def fit(i: int) -> Attribution:
            one, answer = pairs[i]
            return self.fit_answers([one], [answer], classifier, seed)[0]

        return self.explain_each(instances, fit, classifier, seed)
