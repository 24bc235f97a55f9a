"""Data sets of the model hub, without waiting for a hub that is not there."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from xai_lib.data.prepare import Rows, SourceUnavailable
from xai_lib.data.sources import join_pair, resplit

_PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class HubTable:
    """A data set of the model hub, read through the package ``datasets``.

    Attributes
    ----------
    repository
        Hub id.
    splits
        Our split name to the hub's; ``"all"`` if there is no official split.
    classes
        Class names as the hub spells them, in the hub's label order.
    text
        Column with the text, or two columns for sentence pairs.
    label
        Column with the number of the class, or with its name.
    config, revision
        Passed on; revision None is the newest.
    extra
        Further columns: our name to the hub's.
    evidences
        Column with quoted rationales, turned into character spans (``extra["rationale"]``).
    notes
        How the rows differ from those the papers used.
    """

    repository: str
    splits: Mapping[str, str]
    classes: tuple[str, ...]
    text: str | tuple[str, str] = "text"
    label: str = "label"
    config: str | None = None
    revision: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    evidences: str | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"hub {self.repository}"

    def read(self, split: str) -> Rows:
        """Read a split; rows without a label are dropped."""
        wanted = self.splits.get(split) or self.splits.get("all")
        if wanted is None:
            valid = ", ".join(self.splits)
            raise SourceUnavailable(f"no labelled split {split!r} there (it has: {valid})")
        table = load_from_hub(self.repository, self.config, wanted, self.revision)
        labels = self._labels(table)
        extra = {ours: list(table[name]) for ours, name in self.extra.items()}
        if isinstance(self.text, tuple):
            first, second = (list(table[name]) for name in self.text)
            extra |= {"premise": first, "hypothesis": second}
            texts = [join_pair(p, h) for p, h in zip(first, second, strict=True)]
        else:
            texts = [str(text).strip() for text in table[self.text]]
        if self.evidences is not None:
            quoted = list(table[self.evidences])
            extra["rationale"] = [find_quotes(t, q) for t, q in zip(texts, quoted, strict=True)]
        rows = Rows(texts, labels, self.classes, extra, list(self.notes))
        rows = rows.drop([label >= 0 for label in labels], "rows without a label")
        return resplit(rows, split) if "all" in self.splits else rows

    def _labels(self, table: Any) -> list[int]:
        """Check the hub's class names against ours where the hub gives them."""
        names = getattr(table.features.get(self.label), "names", None)
        if names is not None and tuple(names) != self.classes:
            raise SourceUnavailable(
                f"its classes are now {', '.join(names)}; expected {', '.join(self.classes)}"
            )
        values = list(table[self.label])
        if values and isinstance(values[0], str):
            index = {name: i for i, name in enumerate(self.classes)}
            unknown = sorted(set(values) - index.keys())
            if unknown:
                raise SourceUnavailable(f"it has an unexpected class {unknown[0]!r}")
            return [index[value] for value in values]
        return [int(value) for value in values]


def find_quotes(text: str, quotes: Sequence[str]) -> list[list[int]]:
    """Find the character spans of quotations, one after the other; unknown ones are skipped."""
    spans: list[list[int]] = []
    cursor = 0
    for quote in quotes:
        start = text.find(quote, cursor)
        if start < 0:
            start = text.find(quote)
        if start >= 0 and quote:
            spans.append([start, start + len(quote)])
            cursor = start + len(quote)
    return sorted(spans)


def load_from_hub(repository: str, config: str | None, split: str, revision: str | None) -> Any:
    """Load a split through ``datasets``; any failure becomes `SourceUnavailable`.

    The hub's client retries for half a minute when there is no network, so one short request
    goes first. With ``HF_HUB_OFFLINE=1`` no request is made and the client's own cache serves.
    """
    try:
        import datasets
    except ImportError as error:
        raise SourceUnavailable(f"the package 'datasets' is not installed ({error})") from error
    if not any(_is_on(name) for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")):
        endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
        problem = _probe(endpoint)
        if problem is not None:
            raise SourceUnavailable(f"{endpoint} cannot be reached ({problem})")
    try:
        return datasets.load_dataset(repository, config, split=split, revision=revision)
    except Exception as error:  # the client raises errors of a dozen unrelated classes
        first = (str(error).strip().splitlines() or [""])[0]
        raise SourceUnavailable(f"{type(error).__name__}: {first}") from error


def _is_on(variable: str) -> bool:
    return os.environ.get(variable, "").strip().upper() in {"1", "ON", "YES", "TRUE"}


@lru_cache(maxsize=8)
def _probe(endpoint: str) -> str | None:
    """Say why an address cannot be reached, or None. Asked once a process."""
    if not re.match(r"https?://", endpoint):
        return "not a web address"
    request = urllib.request.Request(endpoint, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return None  # it answered, that is all we ask
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", None) or error)
    return None
