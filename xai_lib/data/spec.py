"""What the catalogue says of a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from xai_lib.data.dataset import Dataset
from xai_lib.data.hub import HubTable
from xai_lib.data.sources import OrangeTable, TextFolders

Source = OrangeTable | TextFolders | HubTable


@dataclass(frozen=True)
class DatasetSpec:
    """One line of the catalogue.

    Attributes
    ----------
    name
        What `load_dataset` is asked for.
    title
        Full name and reference.
    classes
        Class names in label order; for a local folder its meta.json decides.
    splits
        Names of the splits.
    used_by
        The papers that use it.
    folder
        Folder under the data folder, if it has another name.
    strip_messages
        Remove headers, quotes and footers of raw Usenet messages (local folder).
    sources
        Where to look after the local folder, in order.
    generate
        Makes a split; then there is nothing to look up.
    get
        How to get it if no source has it; empty where the sources say it all.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    splits: tuple[str, ...] = ("train", "test")
    used_by: tuple[str, ...] = ()
    folder: str | None = None
    strip_messages: bool = False
    sources: tuple[Source, ...] = field(default=())
    generate: Callable[[str], Dataset] | None = None
    get: str = ""
