"""A labelled set of pictures that knows where it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from xai_lib.rng import generator


def image_content_hash(images: Sequence[np.ndarray], labels: np.ndarray) -> str:
    """Hash pictures and labels, so that two sets with the same rows in the same order agree.

    Parameters
    ----------
    images
        The N pictures, uint8 arrays.
    labels
        (N,) int labels.

    Returns
    -------
    str
        SHA-256 as 64 hexadecimal digits. Each picture goes in as its number of axes, its shape
        and its bytes, row by row, so that no two lists of pictures share a byte string; all
        integers are little-endian int64.
    """
    digest = hashlib.sha256()
    for image in images:
        digest.update(np.array([image.ndim, *image.shape], dtype="<i8").tobytes())
        digest.update(np.ascontiguousarray(image).data)
    digest.update(np.ascontiguousarray(labels, dtype="<i8").tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """One split of a labelled set of pictures.

    Attributes
    ----------
    name
        What `xai_lib.data.images.load_images` is asked for, such as ``"imagenette"``.
    split
        ``"train"``, ``"validation"`` or ``"test"``.
    images
        The N pictures, each (H, W, 3) uint8, RGB, read-only; they may differ in size.
    labels
        (N,) int64, read-only: index into `classes`.
    classes
        Class names in label order.
    source
        Where the pictures were read: ``"local folder"``, ``"hub frgfm/imagenette"``,
        ``"package scikit-image"`` or ``"generated"``.
    extra
        Other columns, each a tuple of N values, such as ``"file"`` or ``"deciding"``.
    notes
        What a reader of results must know: how the pictures differ from the official data set,
        and what the loader changed.
    dropped
        Number of pictures the loader left out.
    """

    name: str
    split: str
    images: tuple[np.ndarray, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    source: str
    extra: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    dropped: int = 0

    def __post_init__(self) -> None:
        labels = np.array(self.labels, dtype=np.int64).reshape(-1)
        n = len(self.images)
        if len(labels) != n:
            raise ValueError(f"Data set {self.name!r}: {n} images but {len(labels)} labels.")
        bad = np.flatnonzero((labels < 0) | (labels >= len(self.classes)))
        if len(bad):
            raise ValueError(
                f"Data set {self.name!r}, split {self.split!r}: row {bad[0]} has label "
                f"{labels[bad[0]]}. Valid labels are 0 to {len(self.classes) - 1}: "
                f"{', '.join(self.classes)}."
            )
        for column, values in self.extra.items():
            if len(values) != n:
                raise ValueError(
                    f"Data set {self.name!r}: {n} images but {len(values)} values of {column!r}."
                )
        images = tuple(self._checked(row, image) for row, image in enumerate(self.images))
        labels.flags.writeable = False
        object.__setattr__(self, "images", images)
        object.__setattr__(self, "labels", labels)

    def _checked(self, row: int, image: np.ndarray) -> np.ndarray:
        """Return a read-only view of a picture, or say what is wrong with it."""
        given = np.asarray(image)
        if given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3 or not given.size:
            raise ValueError(
                f"Data set {self.name!r}, split {self.split!r}: image {row} is {given.dtype} of "
                f"shape {given.shape}; valid is uint8 of shape (height, width, 3)."
            )
        view = given.view()
        view.flags.writeable = False
        return view

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return (
            f"ImageDataset({self.name!r}, {self.split!r}, {len(self)} images, "
            f"{len(self.classes)} classes, {self.source})"
        )

    @cached_property
    def sha256(self) -> str:
        """Hash of pictures and labels, see `image_content_hash`."""
        return image_content_hash(self.images, self.labels)

    def take(self, indices: Sequence[int] | np.ndarray) -> ImageDataset:
        """Select rows.

        Parameters
        ----------
        indices
            Row numbers in the wanted order, or a bool mask over all rows.

        Returns
        -------
        ImageDataset
            The rows with all their columns; name, source and notes stay.
        """
        wanted = np.asarray(indices)
        if wanted.dtype == bool:
            if wanted.shape != (len(self),):
                raise ValueError(f"A mask over {len(self)} rows has shape {wanted.shape}.")
            wanted = np.flatnonzero(wanted)
        rows = [int(i) for i in wanted]
        return replace(
            self,
            images=tuple(self.images[i] for i in rows),
            labels=self.labels[rows] if rows else np.zeros(0, dtype=np.int64),
            extra={key: tuple(values[i] for i in rows) for key, values in self.extra.items()},
        )

    def sample(
        self, n: int, seed: int, per_class: bool = False, at_most: bool = False
    ) -> ImageDataset:
        """Draw rows without replacement.

        The draw depends on the rows, `seed` and nothing else; a smaller `n` gives the first rows
        of a larger one.

        Parameters
        ----------
        n
            Number of rows; with `per_class`, number of rows of every class.
        seed
            Seed of the draw.
        per_class
            Draw `n` of each class, in turns (class 0, 1, ..., 0, 1, ...).
        at_most
            Take fewer where there are not so many.

        Returns
        -------
        ImageDataset
            The rows in the order drawn.

        Raises
        ------
        ValueError
            If there are fewer than `n` such rows, unless `at_most`.
        """
        if n < 0:
            raise ValueError(f"Cannot draw {n} rows; n must be 0 or more.")
        if not per_class:
            return self.take(self._draw(np.arange(len(self)), n, seed, None, at_most))
        drawn = [
            self._draw(np.flatnonzero(self.labels == label), n, seed, label, at_most)
            for label in range(len(self.classes))
        ]
        return self.take([rows[turn] for turn in range(n) for rows in drawn if turn < len(rows)])

    def _draw(
        self, rows: np.ndarray, n: int, seed: int, label: int | None, at_most: bool
    ) -> list[int]:
        """Draw `n` of `rows` with a stream of their own."""
        if len(rows) < n and not at_most:
            of_class = "" if label is None else f" of class {self.classes[label]!r}"
            raise ValueError(
                f"Cannot draw {n} rows{of_class} from {self.name!r}, split {self.split!r}: it has "
                f"{len(rows)}."
            )
        rng = generator(seed, "dataset.sample", self.sha256, label)
        return [int(row) for row in rng.permutation(rows)[:n]]

    def describe(self) -> dict[str, Any]:
        """Say what the data are, for the ``data`` field of a result.

        Returns
        -------
        dict
            ``name``, ``split``, ``source``, ``sha256``, ``rows``, ``dropped``, ``notes``; can
            be written as JSON.
        """
        return {
            "name": self.name,
            "split": self.split,
            "source": self.source,
            "sha256": self.sha256,
            "rows": len(self),
            "dropped": self.dropped,
            "notes": list(self.notes),
        }
