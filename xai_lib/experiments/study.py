"""A run of one paper's notebook: its profile, its data, its black boxes, its records."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pandas as pd

from xai_lib import papers
from xai_lib.data import Dataset, load_dataset
from xai_lib.data.images import load_images
from xai_lib.data.neutral import with_neutral
from xai_lib.experiments.rows import with_holm_by_kind
from xai_lib.models.image_zoo import load_named_image
from xai_lib.models.zoo import load_named
from xai_lib.models.zoo_entries import ZOO
from xai_lib.report.parts import columns_joined, joined
from xai_lib.report.provenance import provenance
from xai_lib.report.results import (
    Result,
    Rows,
    data_record,
    has_result,
    load_result,
    save_result,
)


@dataclass(frozen=True, eq=False)
class Setting:
    """One data set with its black box, in the place of one of the paper's.

    Attributes
    ----------
    key
        The paper's setting, such as ``"emotion"``; results are filed under it.
    profile
        The numbers of the profile for this setting.
    device
        Where the black box runs.
    data_dir
        Folder of data sets, or None.
    splits
        Texts that are loaded and cut already; the settings of a study share them.
    """

    key: str
    profile: Mapping[str, Any]
    device: str = "auto"
    data_dir: str | Path | None = None
    splits: dict[tuple[Any, ...], Any] = field(default_factory=dict, repr=False)

    @property
    def modality(self) -> str:
        """``"text"`` or ``"image"``."""
        return str(self.profile.get("modality", "text"))

    @cached_property
    def train(self) -> Dataset:
        """The texts that the black box was trained on, or some of."""
        return self.split("train")

    @cached_property
    def test(self) -> Any:
        """The held-out texts or pictures: the test split, or the splits that the profile lists."""
        first, *others = (self.split(name) for name in self.profile.get("held_out", ["test"]))
        for other in others:
            first = first.joined(other)
        return first

    def split(self, name: str) -> Any:
        """Load a split: texts are cut and have neutral copies as the profile says."""
        if self.modality == "image":
            return load_images(self.profile["dataset"], name, data_dir=self.data_dir)
        place = (*self._cut, name)
        if place not in self.splits:
            dataset, max_words, from_end, neutral = self._cut
            whole = load_dataset(dataset, name, data_dir=self.data_dir)
            cut = whole.last_words if from_end else whole.first_words
            if neutral:
                self.splits[place] = with_neutral(
                    whole, neutral, max_words=max_words, from_end=from_end
                )
            else:
                self.splits[place] = whole if max_words is None else cut(max_words)
        return self.splits[place]

    @property
    def _cut(self) -> tuple[str, int | None, bool, str]:
        """The data set, how its texts are cut, and whether it has neutral copies."""
        given = self.profile
        flags = (bool(given.get("from_end")), str(given.get("neutral", "")))
        return given["dataset"], given.get("max_words"), *flags

    @cached_property
    def classifier(self) -> Any:
        """The black box, trained on first use: a `TokenWhiteBox`, or for images a network."""
        if self.modality == "image":
            precision = self.profile.get("precision", "auto")
            return load_named_image(
                self.profile["black_box"], self.device, precision, data_dir=self.data_dir
            )
        name = self.profile["black_box"]
        entry = ZOO.get(name)
        # Cutting long texts takes a while, and it may be done already.
        same = entry is not None and self._cut == (
            entry.dataset, entry.max_words, entry.from_end, entry.neutral
        )  # fmt: skip
        splits = (self.train, self.split("test")) if same else None
        return load_named(name, self.device, data_dir=self.data_dir, splits=splits)

    @cached_property
    def others(self) -> dict[str, Any]:
        """Further black boxes of this setting by name, for what is loaded on the way.

        Their model calls are counted with those of `classifier`.
        """
        return {}

    @property
    def boxes(self) -> list[Any]:
        """The black box, if it was loaded so far, and the others."""
        own = [self.classifier] if "classifier" in vars(self) else []
        return [*own, *self.others.values()]

    def data_record(self) -> dict[str, Any]:
        """Describe the data for a result."""
        return data_record(self.test, self.profile.get("data_stands_for"))

    def black_box_record(self) -> dict[str, Any]:
        """Describe the black box for a result."""
        card = self.classifier.card
        record = {
            "name": card["name"],
            "notes": [card["base"]],
            "held_out_accuracy": card["accuracy"],
            "test_size": card["n_test"],
            "precision": self.classifier.precision,
        }
        stands_for = self.profile.get("black_box_stands_for")
        return record if stands_for is None else {**record, "stands_for": stands_for}


def _asked() -> tuple[str, ...]:
    return tuple(key for key in os.environ.get("XAI_PART", "").split(",") if key)


@dataclass(eq=False)
class Study:
    """A notebook's run.

    Attributes
    ----------
    paper, profile
        Which paper, how large.
    device, seed, data_dir
        The notebook's parameters.
    part
        Keys of the settings that are run; the rows of the others stay as they are on file.
        Default those in ``$XAI_PART``, with commas between, and without it all.
    """

    paper: str
    profile: str
    device: str = "auto"
    seed: int = 0
    data_dir: str | Path | None = None
    part: tuple[str, ...] = field(default_factory=_asked)
    _started: float = field(default_factory=time.perf_counter)
    _calls: int = 0
    _cached: int = 0

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """The profile as written in its YAML file."""
        return papers.load_profile(self.paper, self.profile)

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """The data sets with their black boxes, by the paper's name for them."""
        shared = {key: value for key, value in self.numbers.items() if key != "settings"}
        splits: dict[tuple[Any, ...], Any] = {}
        return {
            key: Setting(key, {**shared, **own}, self.device, self.data_dir, splits)
            for key, own in self.numbers["settings"].items()
            if not self.part or key in self.part
        }

    def of(self, modality: str) -> list[str]:
        """Return the keys of the settings of one modality."""
        return [key for key, one in self.settings.items() if one.modality == modality]

    def record(
        self,
        item: str,
        rows: Rows,
        comparisons: Rows = (),
        settings: Sequence[str] | None = None,
        kinds: Sequence[str] | None = None,
        of: Sequence[str] = (),
    ) -> Result:
        """File the numbers of one figure or table, with data, black boxes and provenance.

        Parameters
        ----------
        item
            The paper's item, such as ``"table-1"``.
        rows, comparisons
            See `xai_lib.report.results.Result`.
        settings
            Keys of the settings that were used; default all. In a part, rows of the others are put
            back from the result on file, where there is one.
        kinds
            Correct the p-values of each kind of comparison apart, see
            `xai_lib.experiments.rows.with_holm_by_kind`; default: they are corrected already, all
            of the table together, if at all.
        of
            Keys of the settings that the item has in a run of all. In a part, rows of one that is
            not on file are refused unless it is named here.

        Returns
        -------
        Result
            Its provenance counts seconds and model calls since the last record, so that the
            records of a notebook add up to its whole cost. `cached_model_calls` counts the calls
            that an earlier run had made for answers read from disk. In a part, an item without
            rows is of other settings, and what is on file of it is returned.
        """
        if self.part and not rows:
            return load_result(self.paper, item)
        correct = None if kinds is None else partial(with_holm_by_kind, kinds=kinds)
        if correct is not None:
            comparisons = correct(_dicts(comparisons))
        used = [self.settings[key] for key in (settings or self.settings)]
        boxes = [box for one in self.settings.values() for box in one.boxes]
        calls = sum(box.calls for box in boxes)
        cached = sum(sum(box.stored_calls.values()) for box in boxes)
        now = time.perf_counter()
        made = provenance(
            seed=self.seed,
            seconds=now - self._started,
            model_calls=calls - self._calls,
            cached_model_calls=cached - self._cached,
            device=used[0].classifier.device,
            precision=used[0].classifier.precision,
        )
        self._started, self._calls, self._cached = now, calls, cached
        fields: dict[str, Any] = {
            "rows": rows,
            "comparisons": comparisons,
            "data": [one.data_record() for one in used],
            "black_box": [one.black_box_record() for one in used],
            "provenance": made,
        }
        if self.part and has_result(self.paper, item):
            earlier = load_result(self.paper, item)
            order = list(self.numbers["settings"])
            fields = joined(earlier, fields, order, self.part, correct, of)
            fields["columns"] = columns_joined(earlier, fields["rows"])
        return save_result(self.paper, item, profile=self.profile, **fields)


def _dicts(rows: Rows) -> list[dict[str, Any]]:
    if isinstance(rows, pd.DataFrame):
        return [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
    return [dict(row) for row in rows]


def progress(title: str) -> Any:
    """Return a callback ``(done, all)`` that writes a line with the time left now and then."""
    start = time.perf_counter()
    last = [start]

    def report(done: int, every: int) -> None:
        now = time.perf_counter()
        if now - last[0] > 15 or done == every:
            last[0] = now
            left = (now - start) / max(done, 1) * (every - done)
            print(f"{title}: {done}/{every}, {left:.0f} s left", file=sys.stderr, flush=True)

    return report
