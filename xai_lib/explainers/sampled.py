"""What LIME and LIPEx share: perturb, ask the black box, fit a surrogate."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from xai_lib.explainers.base import Attribution, Explainer
from xai_lib.masks import Neighbourhood, check_budget, check_sampler, neighbourhoods
from xai_lib.models.base import Classifier


@dataclass(frozen=True)
class SampledExplainer(Explainer):
    """A method that fits a surrogate on perturbations of one text.

    Attributes
    ----------
    n_samples
        Budget in model calls. Equal perturbations are sent once, and where all 2^F masks fit
        the budget they are enumerated with their expected counts.
    group, removal, sampler
        See `xai_lib.text.TextInstance`, `Classifier.predict_masked`, `xai_lib.masks`.
    """

    modalities: ClassVar[tuple[str, ...]] = ("text", "image")
    n_samples: int = 1000
    group: str = "position"
    removal: str = "drop"
    sampler: str = "lime"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        check_budget(self.n_samples)
        check_sampler(self.sampler)

    @abstractmethod
    def fit(self, one: Any, near: Neighbourhood, seed: int = 0) -> Attribution:
        """Fit the surrogate on perturbations of an instance that were already answered."""

    def attribute(
        self, instances: list[Any], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances; see `Explainer.attribute`."""
        near = neighbourhoods(
            instances, classifier, self.n_samples, seed, self.sampler, self.removal
        )
        return [self.fit(one, found, seed) for one, found in zip(instances, near, strict=True)]

    def explain_neighbourhoods(
        self,
        instances: Sequence[Any],
        near: Sequence[Neighbourhood],
        classifier: Classifier,
        seed: int = 0,
    ) -> list[Any]:
        """Explain instances from perturbations that were already answered.

        Parameters
        ----------
        instances
            n instances with at least one feature each.
        near
            Their perturbations, at least `n_samples` draws each; the first are used.
        classifier
            The black box that answered.
        seed
            Recorded, and used where the fit itself is random.

        Returns
        -------
        list of Explanation
            As `explain` would give with the same seed. `seconds` is the time of the fit alone.
        """
        pairs = list(zip(instances, near, strict=True))

        def fit(i: int) -> Attribution:
            one, found = pairs[i]
            return self.fit(one, found.head(self.n_samples), seed)

        return self.explain_each(instances, fit, classifier, seed)
