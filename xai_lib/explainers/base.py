"""What every explainer shares: settings, timing, and the way to an Explanation."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xai_lib.checks import check_setting_types, whole
from xai_lib.explainers.answers import ANSWERS, check_answers
from xai_lib.explanation import Explanation
from xai_lib.image import IMAGE_REMOVALS, ImageInstance
from xai_lib.models.base import Classifier, check_classifier
from xai_lib.text import GROUPS, REMOVALS, TextInstance

if TYPE_CHECKING:
    from xai_lib.image_explanation import ImageExplanation

_ALL_REMOVALS = {*REMOVALS, *IMAGE_REMOVALS}


@dataclass(frozen=True, eq=False)
class Attribution:
    """What a method found out about one instance, before it becomes an `Explanation`.

    Attributes
    ----------
    weights
        (C, F) float64.
    probabilities
        (C,) answer of the black box on the whole text.
    model_calls
        Inputs sent through the black box for this text.
    intercept, link
        The surrogate model, where the method fits one.
    diagnostics
        Numbers about the fit.
    """

    weights: np.ndarray
    probabilities: np.ndarray
    model_calls: int
    intercept: np.ndarray | None = None
    link: str | None = None
    diagnostics: dict[str, float] | None = None


@dataclass(frozen=True)
class Explainer(ABC):
    """A method with its settings; a subclass is a frozen dataclass of them."""

    name: ClassVar[str]
    # What it can explain.
    modalities: ClassVar[tuple[str, ...]] = ("text",)
    # Whether the method needs the inside of the black box, see `xai_lib.models.whitebox`.
    white_box: ClassVar[bool] = False
    # Whether the method has to be fitted on another's explanations first.
    amortised: ClassVar[bool] = False
    # Texts whose perturbations are in memory at the same time: enough to fill batches.
    texts_at_once: ClassVar[int] = 16
    # Settings that came later and are left out of `settings` at their default, so that what was
    # stored before they existed is still found. They are the last fields of their class.
    later_settings: ClassVar[tuple[str, ...]] = ("answers",)

    def __post_init__(self) -> None:
        """Check the settings that several methods share."""
        check_setting_types(self)
        removal, group = getattr(self, "removal", None), getattr(self, "group", None)
        check_answers(getattr(self, "answers", ANSWERS[0]))
        if removal is not None and removal not in _ALL_REMOVALS:
            raise ValueError(
                f"Unknown removal {removal!r}. Valid removals are: {', '.join(REMOVALS)} for "
                f"texts, {', '.join(IMAGE_REMOVALS)} for images."
            )
        if group is not None and group not in GROUPS:
            raise ValueError(f"Unknown group {group!r}. Valid groups are: {', '.join(GROUPS)}.")

    @abstractmethod
    def attribute(
        self, instances: list[Any], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances that have at least one feature each, all in one call."""

    def check(self, classifier: Classifier) -> None:  # noqa: B027 - most methods need nothing
        """Raise a ValueError if the method needs more of the classifier than it offers.

        It is asked before anything else, also where no text has a word.
        """

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain data, without later ones that are as they always were."""
        default = {field.name: field.default for field in fields(self)}
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in self.later_settings or value != default[name]
        }

    def explain(self, texts: Sequence[Any], classifier: Classifier, seed: int = 0) -> list[Any]:
        """Explain texts, or images; what comes out for one does not depend on the others.

        Parameters
        ----------
        texts
            n strings, or for an image classifier n pictures as `xai_lib.image.read_image` takes
            them.
        classifier
            The black box.
        seed
            Fixes all randomness, together with the text and the settings.

        Returns
        -------
        list of Explanation, or of ImageExplanation
            In the order of the texts. A text without words has an explanation with no features.
            `seconds` is the time of the whole call divided by n.

        Raises
        ------
        ValueError
            If `texts` is one string, the seed is no whole number from 0 on, or the method explains
            no such inputs, or needs more of the black box than it offers.
        """
        if isinstance(texts, str):
            raise ValueError("explain takes a list of texts; xai_lib.explain takes one text.")
        seed = whole("seed", seed)
        check_classifier(classifier)
        if classifier.modality not in self.modalities:
            from xai_lib.explainers import methods

            raise ValueError(
                f"The method {self.name!r} explains {self.modalities[0]}s, and the "
                f"classifier {classifier.name!r} reads {classifier.modality}s. Methods that "
                f"explain these are: {', '.join(methods(classifier.modality))}."
            )
        self.check(classifier)
        start = time.perf_counter()
        group = getattr(self, "group", "position")
        instances = classifier.instances(texts, group)
        attributions: list[Attribution] = []
        for i in range(0, len(instances), self.texts_at_once):
            chunk = instances[i : i + self.texts_at_once]
            some = [one for one in chunk if one.n_features]
            found = iter(self.attribute(some, classifier, seed) if some else [])
            empty = iter(
                _without_features([one for one in chunk if not one.n_features], classifier)
            )
            attributions += [next(found if one.n_features else empty) for one in chunk]
        seconds = (time.perf_counter() - start) / max(len(instances), 1)
        settings = self.settings()
        return [
            self.as_explanation(one, part, classifier, seed, seconds, settings)
            for one, part in zip(instances, attributions, strict=True)
        ]

    def explain_each(
        self,
        instances: Sequence[Any],
        fit: Callable[[int], Attribution],
        classifier: Classifier,
        seed: int,
    ) -> list[Any]:
        """Explain instances one by one from what was already answered.

        Parameters
        ----------
        instances
            n instances with at least one feature each.
        fit
            Called with the number of an instance; what it takes is the explanation's `seconds`.
        classifier, seed
            Recorded with the explanations.

        Returns
        -------
        list of Explanation
        """
        explained = []
        for i, one in enumerate(instances):
            start = time.perf_counter()
            part = fit(i)
            seconds = time.perf_counter() - start
            explained.append(self.as_explanation(one, part, classifier, seed, seconds))
        return explained

    def as_explanation(
        self,
        one: TextInstance | ImageInstance,
        part: Attribution,
        classifier: Classifier,
        seed: int = 0,
        seconds: float = 0.0,
        settings: Mapping[str, Any] | None = None,
    ) -> Explanation | ImageExplanation:
        """Turn what was found out about an instance into an `Explanation`.

        Parameters
        ----------
        one
            The instance.
        part
            What the method found out.
        classifier
            The black box.
        seed, seconds
            Recorded with the explanation.
        settings
            What `settings` returns, where many explanations share it.

        Returns
        -------
        Explanation
        """
        found: dict[str, Any] = {
            "classes": classifier.classes,
            "probabilities": part.probabilities,
            "predicted": int(np.argmax(part.probabilities)),
            "weights": part.weights,
            "method": self.name,
            "seed": seed,
            "model_calls": part.model_calls,
            "seconds": seconds,
            "intercept": part.intercept,
            "link": part.link,
            "settings": self.settings() if settings is None else settings,
            "diagnostics": part.diagnostics or {},
        }
        if isinstance(one, ImageInstance):
            from xai_lib.image_explanation import ImageExplanation

            return ImageExplanation(
                image=one.pixels, segments=one.segments, segmenter=one.segmenter, **found
            )
        return Explanation(
            text=one.text,
            words=one.features,
            spans=one.feature_spans,
            truncated_words=one.truncated_words,
            **found,
        )


def _without_features(instances: list[TextInstance], classifier: Classifier) -> list[Attribution]:
    """Ask only for the prediction of texts that have no words."""
    if not instances:
        return []
    answers = classifier.predict_masked(instances, [np.ones((1, 0), dtype=bool)] * len(instances))
    empty = np.empty((len(classifier.classes), 0))
    return [Attribution(empty, answer[0], 1) for answer in answers]
