"""The result that every method returns for a text: how much each word supports each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_lib.checks import check_spans, check_strings, whole
from xai_lib.matrix_explanation import MatrixExplanation
from xai_lib.text import Span

if TYPE_CHECKING:
    import pandas as pd

# Names of the columns that `Explanation.to_frame` and the frame of a corpus add to the classes.
FRAME_COLUMNS = ("text", "predicted", "word", "start", "end")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Explanation(MatrixExplanation):
    """Why a classifier said what it said about one text, for all classes at once.

    A feature is a word at its position, or with ``group="type"`` all occurrences of a word; then
    it has several spans.

    Parameters
    ----------
    text
        The whole text.
    words
        Names of the F features.
    spans
        Start and end character of each feature, or for each feature a tuple of such pairs.
    truncated_words
        Words behind the last one that the classifier reads; they are no features.
    classes, probabilities, predicted, weights, method, seed, model_calls, seconds, intercept, link
        See `MatrixExplanation`, also for `settings` and `diagnostics`.

    Raises
    ------
    ValueError
        If a span lies outside the text or overlaps another, or for what `MatrixExplanation`
        raises.
    """

    text: str
    words: tuple[str, ...]
    spans: tuple[Span, ...] | tuple[tuple[Span, ...], ...]
    truncated_words: int = 0

    def __post_init__(self) -> None:
        check_strings("text", [self.text])
        self._settle(text=str(self.text), words=check_strings("words", self.words))
        super().__post_init__()
        self._settle(
            spans=check_spans(self.spans, self.text, self.n_features),
            truncated_words=whole("truncated_words", self.truncated_words),
        )

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the F features: the words."""
        return self.words

    def to_frame(self) -> pd.DataFrame:
        """Return the weights as a table.

        Returns
        -------
        pandas.DataFrame
            One row for each feature: ``word``, ``start``, ``end``, then one column of weights for
            each class. A feature with several spans shows its first one. A class called like one
            of the other columns gets the suffix " (class)".
        """
        import pandas as pd

        first = [pairs[0] for pairs in self.span_groups()]
        frame = pd.DataFrame(
            {
                "word": pd.Series(self.words, dtype=object),
                "start": np.array([start for start, _ in first], dtype=np.int64),
                "end": np.array([end for _, end in first], dtype=np.int64),
            }
        )
        weights = pd.DataFrame(self.weights.T, columns=class_columns(self.classes))
        return pd.concat([frame, weights], axis=1)

    def span_groups(self) -> tuple[tuple[Span, ...], ...]:
        """Return the spans of each feature, as a tuple of pairs also where there is only one."""
        groups: list[Any] = list(self.spans)
        return tuple(pairs if isinstance(pairs[0], tuple) else (pairs,) for pairs in groups)

    def to_html(self, of: int | str | None = None, max_classes: int = 10) -> str:
        """Draw the text as a heat map, see `xai_lib.heatmap.to_html`."""
        from xai_lib.heatmap import to_html

        return to_html(self, of=of, max_classes=max_classes)

    def _repr_html_(self) -> str:
        return self.to_html()


def class_columns(classes: Sequence[str]) -> list[str]:
    """Return the names of the columns of weights in a table."""
    return [name + " (class)" if name in FRAME_COLUMNS else name for name in classes]
