"""What every explanation is: a matrix of classes x features, whatever the features are."""

from __future__ import annotations

import json
import math
import operator
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from xai_lib.checks import check_strings, floats, whole
from xai_lib.lossless import (
    array_from_json,
    decode,
    encode,
    number_from_json,
    numbers_to_json,
    plain,
)

FORMAT_VERSION = 1
LINKS = ("identity", "softmax", "log")
ORDERS = ("abs", "signed")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MatrixExplanation(ABC):
    """Why a classifier said what it said about one instance, for all classes at once.

    Equality compares everything but `seconds`, counts NaN as equal to NaN, and therefore tells
    whether two calls did the same thing.

    Parameters
    ----------
    classes
        Names of the C classes of the classifier.
    probabilities
        (C,) float64: what the classifier says about the whole instance.
    predicted
        Index of the predicted class.
    weights
        (C, F) float64: a positive weight supports the class. The row of a class that the method
        does not explain is NaN throughout.
    method
        Name of the method.
    seed
        The seed it was called with.
    model_calls
        Inputs sent through the classifier.
    seconds
        Wall time.
    intercept
        (C,) float64: the value of the surrogate with all features removed, or None for zeros.
    link
        How weights add up to a surrogate model, see `surrogate`; None if they do not.
    settings
        What the method was told: numbers, strings, lists and dictionaries only.
    diagnostics
        What the method measured about itself, such as the fit of its surrogate.

    Raises
    ------
    ValueError
        If shapes disagree, class names repeat, `predicted` is no class, a row of weights is NaN
        in part, or a value has a wrong type.
    """

    classes: tuple[str, ...]
    probabilities: np.ndarray
    predicted: int
    weights: np.ndarray
    method: str
    seed: int
    model_calls: int
    seconds: float
    intercept: np.ndarray | None = None
    link: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    diagnostics: dict[str, float] = field(default_factory=dict)

    @property
    @abstractmethod
    def features(self) -> tuple[str, ...]:
        """Names of the F features."""

    def __post_init__(self) -> None:
        check_strings("method", [self.method])
        classes = check_strings("classes", self.classes)
        if not classes:
            raise ValueError("classes is empty; an explanation needs at least one class.")
        repeated = sorted({name for name in classes if classes.count(name) > 1})
        if repeated:
            raise ValueError(f"Class names must differ, got {repeated} more than once.")
        n_classes, n_features = len(classes), len(self.features)

        probabilities = floats("probabilities", self.probabilities, (n_classes,))
        if not ((probabilities >= -1e-6) & (probabilities <= 1 + 1e-6)).all():
            raise ValueError(f"probabilities must lie between 0 and 1, got {probabilities}.")
        predicted = whole("predicted", self.predicted)
        if predicted >= n_classes:
            raise ValueError(f"predicted is {predicted}, but there are {n_classes} classes.")
        weights = floats("weights", self.weights, (n_classes, n_features))
        missing = np.isnan(weights)
        for name, row in zip(classes, missing, strict=True):
            if row.any() and not row.all():
                raise ValueError(
                    f"The weights of class {name!r} are NaN in part; give every feature a number, "
                    "or make the whole row NaN if the method does not explain the class."
                )
        intercept = self.intercept
        if intercept is not None:
            intercept = floats("intercept", intercept, (n_classes,))
        if self.link is not None and self.link not in LINKS:
            raise ValueError(f"Unknown link {self.link!r}. Valid links are: {LINKS} and None.")
        seconds = float(self.seconds)
        if not seconds >= 0:
            raise ValueError(f"seconds must not be negative or NaN, got {seconds}.")

        coerced: dict[str, Any] = {
            "classes": classes,
            "probabilities": probabilities,
            "predicted": predicted,
            "weights": weights,
            "method": str(self.method),
            "seed": operator.index(self.seed),
            "model_calls": whole("model_calls", self.model_calls),
            "seconds": seconds,
            "intercept": intercept,
            "settings": plain(dict(self.settings), "settings"),
            "diagnostics": {
                key: float(value) for key, value in plain(self.diagnostics, "diagnostics").items()
            },
        }
        self._settle(**coerced)

    def _settle(self, **values: Any) -> None:
        """Put checked values in place of those that were given."""
        for name, value in values.items():
            object.__setattr__(self, name, value)

    # -- reading --------------------------------------------------------------------------------

    @property
    def n_features(self) -> int:
        """Number F of features."""
        return len(self.features)

    @property
    def explained(self) -> np.ndarray:
        """(C,) bool: whether the method explains the class."""
        return ~np.isnan(self.weights).any(axis=1)

    def class_index(self, of: int | str | None = None) -> int:
        """Find a class.

        Parameters
        ----------
        of
            Index or name of a class. Default: the predicted class.

        Returns
        -------
        int
            Index between 0 and C - 1.

        Raises
        ------
        ValueError
            If there is no such class.
        """
        if of is None:
            return self.predicted
        if isinstance(of, str):
            if of in self.classes:
                return self.classes.index(of)
        elif not isinstance(of, bool) and hasattr(of, "__index__"):
            index = operator.index(of)
            if 0 <= index < len(self.classes):
                return index
        raise ValueError(
            f"Unknown class {of!r}. Valid classes are: {', '.join(self.classes)}, "
            f"or an index from 0 to {len(self.classes) - 1}."
        )

    def ranking(self, of: int | str | None = None, by: str = "abs") -> np.ndarray:
        """Order the features by their weight for one class.

        Parameters
        ----------
        of
            Index or name of a class. Default: the predicted class.
        by
            ``"abs"``: largest absolute weight first. ``"signed"``: strongest support first,
            strongest opposition last.

        Returns
        -------
        (F,) int array
            Feature indices, best first; equal weights by position.

        Raises
        ------
        ValueError
            If there is no such class or order, or the method did not explain the class.
        """
        if by not in ORDERS:
            raise ValueError(f"Unknown order {by!r}. Valid orders are: {', '.join(ORDERS)}.")
        row = self.weights[self._explained_index(of)]
        return np.argsort(-(np.abs(row) if by == "abs" else row), kind="stable")

    def top(self, k: int, of: int | str | None = None) -> list[tuple[str, float]]:
        """Return the features that matter most for one class.

        Parameters
        ----------
        k
            How many; all if there are fewer.
        of
            Index or name of a class. Default: the predicted class.

        Returns
        -------
        list of (str, float)
            Name and signed weight, largest absolute weight first, equal ones by position. A word
            that stands in a text twice can be in the list twice.

        Raises
        ------
        ValueError
            If `k` is negative, there is no such class, or the method did not explain it.
        """
        chosen = self.ranking(of)[: whole("k", k)]
        row = self.weights[self.class_index(of)]
        return [(self.features[i], float(row[i])) for i in chosen]

    def surrogate(self, masks: np.ndarray) -> np.ndarray:
        """Evaluate the explanation as a model of the classifier.

        Parameters
        ----------
        masks
            (n, F) booleans or numbers; 1 keeps the feature.

        Returns
        -------
        (n, C) float64 array
            ``intercept + masks @ weights.T`` with the link ``"identity"``, its softmax over the
            classes with the link ``"softmax"``, its exponential with the link ``"log"``.

        Raises
        ------
        ValueError
            If the explanation has no link, or the masks do not have F columns.
        """
        if self.link is None:
            raise ValueError(f"The weights of method {self.method!r} do not add up to a model.")
        masks = np.asarray(masks, dtype=np.float64)
        if masks.ndim != 2 or masks.shape[1] != self.n_features:
            raise ValueError(f"masks must be (n, {self.n_features}), got {masks.shape}.")
        scores: np.ndarray = masks @ self.weights.T
        if self.intercept is not None:
            scores = scores + self.intercept
        if self.link == "identity":
            return scores
        if self.link == "log":
            likely: np.ndarray = np.exp(scores)
            return likely
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def __repr__(self) -> str:
        best = ""
        if self.n_features and self.explained[self.predicted]:
            best = ", " + " ".join(f"{word}:{weight:+.3g}" for word, weight in self.top(3))
        return (
            f"<{type(self).__name__} by {self.method}: {self.classes[self.predicted]} "
            f"{self.probabilities[self.predicted]:.2f}, {self.n_features} features{best}>"
        )

    # -- storing --------------------------------------------------------------------------------

    def to_json(self) -> str:
        """Write everything as one line of standard JSON in plain ASCII.

        Returns
        -------
        str
            Floats keep all their bits (NaN is null, infinities are the strings "inf" and
            "-inf"), strings all their characters. `from_json` gives an equal explanation back.
        """
        payload = {"format_version": FORMAT_VERSION, **self._payload()}
        return json.dumps(payload, ensure_ascii=True, allow_nan=False)

    @classmethod
    def from_json(cls, document: str | bytes) -> Self:
        """Read what `to_json` wrote.

        Parameters
        ----------
        document
            The JSON text.

        Returns
        -------
        Explanation

        Raises
        ------
        ValueError
            If it is not JSON, not an explanation, or of an unknown format version.
        """
        payload = json.loads(document)
        if not isinstance(payload, dict) or "format_version" not in payload:
            raise ValueError("This JSON is not an explanation: it has no format_version.")
        version = payload.pop("format_version")
        if version != FORMAT_VERSION:
            raise ValueError(
                f"Unknown format_version {version!r}; this library reads {FORMAT_VERSION}."
            )
        wanted = {one.name for one in fields(cls)}
        if set(payload) != wanted:
            raise ValueError(
                f"This JSON is not an explanation: fields {sorted(wanted - set(payload))} are "
                f"missing, fields {sorted(set(payload) - wanted)} are unknown."
            )
        values = {key: cls._field_from_json(key, value) for key, value in payload.items()}
        if values["weights"].size == 0:
            values["weights"] = values["weights"].reshape(len(values["classes"]), 0)
        return cls(**values)

    def _field_to_json(self, name: str) -> Any:
        """Turn the value of a field into what JSON holds; a subclass adds what it must."""
        value = getattr(self, name)
        if name in _ARRAYS:
            return None if value is None else numbers_to_json(value.tolist())
        if name == "diagnostics":
            value = {key: numbers_to_json(number) for key, number in value.items()}
        if name == "seconds" and math.isinf(value):
            return "inf"
        return encode(value)

    @classmethod
    def _field_from_json(cls, name: str, value: Any) -> Any:
        """Undo `_field_to_json`."""
        value = decode(value)
        if name in _ARRAYS:
            return None if value is None else array_from_json(value)
        if name == "diagnostics":
            return {key: number_from_json(number) for key, number in value.items()}
        return float(value) if name == "seconds" else value

    def _payload(self) -> dict[str, Any]:
        return {one.name: self._field_to_json(one.name) for one in fields(self)}

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = self._payload(), other._payload()
        del mine["seconds"], theirs["seconds"]
        return mine == theirs

    def __hash__(self) -> int:
        return hash((self.features, self.classes, self.method, self.seed))

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor, because pickling alone forgets that arrays are read-only.
        return _rebuilt, (type(self), {one.name: getattr(self, one.name) for one in fields(self)})

    def _explained_index(self, of: int | str | None) -> int:
        index = self.class_index(of)
        if not self.explained[index]:
            names = [name for name, yes in zip(self.classes, self.explained, strict=True) if yes]
            raise ValueError(
                f"Method {self.method!r} did not explain class {self.classes[index]!r}. "
                f"Explained classes are: {', '.join(names) or 'none'}."
            )
        return index


_ARRAYS = ("probabilities", "weights", "intercept")


def _rebuilt(kind: type[MatrixExplanation], values: dict[str, Any]) -> MatrixExplanation:
    return kind(**values)
