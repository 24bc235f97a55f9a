"""Reads and checks the YAML file of a paper: its items, printed numbers and claims."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

KINDS = ("figure", "table", "reconstructed", "added")
MODALITIES = ("text", "image", "both")
SOURCES = ("paper", "ours")

Row = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """A combination of data and black box that a paper reports on.

    Attributes
    ----------
    id
        Name used in the rows of results, ``"emotion"``.
    name
        Name shown to readers, ``"Emotion"``.
    modality
        ``"text"`` or ``"image"``.
    dataset, model
        What the paper used. Whatever else a result used is a stand-in.
    """

    id: str
    name: str
    modality: str
    dataset: str
    model: str


@dataclass(frozen=True)
class Item:
    """A figure or table of a paper, or something this book adds.

    Attributes
    ----------
    paper, id
        ``"lipex"``, ``"table-1"``: the paper's own number.
    title
        What it shows, in our words.
    kind
        ``"figure"``, ``"table"``, ``"reconstructed"`` (the paper has it, but its text is not open
        to us) or ``"added"`` (not in the paper).
    modality
        ``"text"``, ``"image"`` or ``"both"``.
    about
        How the paper obtained it, or what it shows where it prints no number.
    printed
        Whether the paper prints numbers for it.
    keys
        Columns of the rows that identify a cell.
    pivot
        The key that is spread over the columns of the shown table, or None for a long table.
    value
        The column that is compared.
    digits
        Decimals shown.
    quantity
        What the numbers are, with the unit.
    hide
        Values of key columns that are recorded but not shown in the table.
    """

    paper: str
    id: str
    title: str
    kind: str
    modality: str
    about: str
    printed: bool
    keys: tuple[str, ...]
    pivot: str | None
    value: str
    digits: int
    quantity: str
    hide: Mapping[str, tuple[Any, ...]]

    @property
    def name(self) -> str:
        """What a reader calls it: ``"Table 1"``, or its title if the paper gives no number."""
        kind, _, number = self.id.partition("-")
        return f"{kind.capitalize()} {number}" if self.kind in ("figure", "table") else self.title


@dataclass(frozen=True)
class Claim:
    """A claim and the rule that decides it.

    Attributes
    ----------
    paper, id
        The paper, and the name of the claim.
    statement
        What is claimed, in our words.
    where
        The place in the paper.
    by
        ``"paper"``, or ``"ours"`` for a question the book adds.
    reads
        Items whose results decide.
    criterion
        The rule in words: what has to come out for `reproduced`.
    rule, parameters
        Name of the rule in :mod:`xai_lib.report.rules` and its parameters.
    modality
        ``"text"`` or ``"image"``.
    """

    paper: str
    id: str
    statement: str
    where: str
    by: str
    reads: tuple[str, ...]
    criterion: str
    rule: str
    parameters: Mapping[str, Any]
    modality: str


@dataclass(frozen=True)
class Paper:
    """Bibliographic data of a paper and the settings it reports on.

    Attributes
    ----------
    id, short, title, authors, year, venue, url, cite
        ``cite`` is the key in the book's bibliography.
    settings
        By name.
    unavailable
        What stands in the place of the paper's numbers where its text is not open to us.
    """

    id: str
    short: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    url: str
    cite: str
    settings: Mapping[str, Setting]
    unavailable: str | None = None

    def setting_name(self, setting: str) -> str:
        """Give the name of a setting for readers; an unknown one is its own name."""
        known = self.settings.get(setting)
        return known.name if known else setting


def papers() -> tuple[str, ...]:
    """List the papers that have a file here.

    Returns
    -------
    tuple of str
        Names such as ``"lipex"``, sorted.
    """
    folder = resources.files("xai_lib.papers")
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(n.removesuffix(".yaml") for n in names if n.endswith(".yaml")))


def paper(name: str) -> Paper:
    """Give the bibliographic data of a paper.

    Parameters
    ----------
    name
        One of :func:`papers`.

    Returns
    -------
    Paper

    Raises
    ------
    ValueError
        If there is no such paper; the message lists those there are.
    """
    content = _content(name)
    data = dict(content["paper"])
    data["authors"] = tuple(data["authors"])
    settings = {key: Setting(id=key, **value) for key, value in content["settings"].items()}
    return Paper(**data, settings=settings)


def items(name: str) -> tuple[Item, ...]:
    """List every figure and table of a paper, then what the book adds.

    Parameters
    ----------
    name
        One of :func:`papers`.

    Returns
    -------
    tuple of Item
        In the order of the file.

    Raises
    ------
    ValueError
        If there is no such paper.
    """
    return tuple(_items(name).values())


def item(name: str, item_id: str) -> Item:
    """Give one item of a paper.

    Parameters
    ----------
    name
        One of :func:`papers`.
    item_id
        The paper's own number, ``"table-1"``, or the name of an addition.

    Returns
    -------
    Item

    Raises
    ------
    ValueError
        If the paper or the item is unknown; the message lists the valid names.
    """
    known = _items(name)
    if item_id not in known:
        raise ValueError(f"paper {name!r} has no item {item_id!r}; items: {', '.join(known)}")
    return known[item_id]


def published(name: str, item_id: str) -> list[Row] | None:
    """Give the numbers a paper prints in a figure or table.

    Parameters
    ----------
    name
        One of :func:`papers`.
    item_id
        The paper's own number, ``"table-1"``.

    Returns
    -------
    list of dict, or None
        One object per printed cell: the key columns, ``mean`` and ``sd`` (None where the paper
        prints no spread). None where the paper prints no number. A fresh copy each time.

    Raises
    ------
    ValueError
        If the paper or the item is unknown.
    """
    item(name, item_id)
    rows: list[Row] | None = copy.deepcopy(_content(name)["items"][item_id]["published"])
    return rows


def claims(name: str) -> tuple[Claim, ...]:
    """List the claims of a paper, and those the book adds, in the order of the paper.

    Parameters
    ----------
    name
        One of :func:`papers`.

    Returns
    -------
    tuple of Claim

    Raises
    ------
    ValueError
        If there is no such paper.
    """
    content = _content(name)
    result = []
    for raw in content["claims"]:
        data = copy.deepcopy(raw)
        rule = data.pop("rule")
        modality = data.pop("modality", "text")
        result.append(
            Claim(
                paper=name,
                id=data.pop("id"),
                statement=data.pop("statement").strip(),
                where=data.pop("where"),
                by=data.pop("by", "paper"),
                reads=tuple(data.pop("reads")),
                criterion=data.pop("criterion").strip(),
                rule=rule.pop("name"),
                parameters=rule,
                modality=modality,
            )
        )
        if data:
            raise ValueError(f"claim {result[-1].id!r} of {name!r}: unknown fields {sorted(data)}")
    return tuple(result)


@cache
def _content(name: str) -> dict[str, Any]:
    if name not in papers():
        raise ValueError(f"no paper {name!r}; papers: {', '.join(papers())}")
    text = resources.files("xai_lib.papers").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


@cache
def _items(name: str) -> dict[str, Item]:
    content = _content(name)
    return {
        key: Item(
            paper=name,
            id=key,
            title=raw["title"],
            kind=raw["kind"],
            modality=raw["modality"],
            about=raw["about"].strip(),
            printed=raw["published"] is not None,
            keys=tuple(raw["keys"]),
            pivot=raw.get("pivot"),
            value=raw.get("value", "mean"),
            digits=raw.get("digits", 2),
            quantity=raw.get("quantity", ""),
            hide={column: tuple(values) for column, values in raw.get("hide", {}).items()},
        )
        for key, raw in content["items"].items()
    }
