"""What the five papers show, the numbers they print, and what they claim, as data.

One YAML file per paper beside this module; the loader is :mod:`xai_lib.papers.catalogue`.
Published numbers live here and nowhere else.
"""

from __future__ import annotations

from xai_lib.papers.catalogue import (
    Claim,
    Item,
    Paper,
    Setting,
    claims,
    item,
    items,
    paper,
    papers,
    published,
)
from xai_lib.papers.profiles import PROFILES, load_profile, profiles_path

__all__ = [
    "PROFILES",
    "Claim",
    "Item",
    "Paper",
    "Setting",
    "claims",
    "item",
    "items",
    "load_profile",
    "paper",
    "papers",
    "profiles_path",
    "published",
]
