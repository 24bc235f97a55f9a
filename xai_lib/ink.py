"""Colours, numbers and characters the way HTML and its readers want them."""

from __future__ import annotations

import math
import re
from html import escape

INK = "#15181c"
FADED = "#5f6771"
PAPER = "#ffffff"
FOR = "#63ade5"
AGAINST = "#f7a24f"
UNDERLINE_FOR = "#0a4f8a"
UNDERLINE_AGAINST = "#8f4700"

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def tint(weight: float, scale: float) -> str:
    """Return the background colour of a weight.

    Parameters
    ----------
    weight
        Any number but NaN.
    scale
        The absolute weight of the strongest colour; 0 if all weights are 0.

    Returns
    -------
    str
        ``#rrggbb``, from white at 0 to blue at `scale` and orange at -`scale`.
    """
    part = share(weight, scale)
    end = FOR if weight > 0 else AGAINST
    return "#" + "".join(
        f"{round(int(PAPER[i : i + 2], 16) * (1 - part) + int(end[i : i + 2], 16) * part):02x}"
        for i in (1, 3, 5)
    )


def share(weight: float, scale: float) -> float:
    """Return how much of the full colour a weight gets, from 0 to 1."""
    return min(abs(weight) / scale, 1.0) if scale else 0.0


def signed(weight: float, scale: float) -> str:
    """Write a weight with as many digits as the scale deserves, and a true minus sign."""
    if math.isinf(weight):
        return "+∞" if weight > 0 else "−∞"
    size = math.floor(math.log10(scale)) if scale else 0
    if -4 <= size <= 5:
        written = f"{weight:+.{1 - size if size < 0 else max(0, 2 - size)}f}"
    else:
        written = f"{weight:+.1e}"
    if not written.strip("+-0.e"):
        return written[1:]
    return written.replace("-", "−")


def duration(seconds: float) -> str:
    """Write a time."""
    if seconds < 0.01:
        return "under 0.01 s"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def _printable(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


def clean(text: str) -> str:
    """Escape a text, and show characters that HTML cannot hold as signs of their own."""
    return escape(_UNPRINTABLE.sub(_printable, text.replace("\r\n", "\n").replace("\r", "\n")))


def attribute(text: str) -> str:
    """Escape a text for an attribute, on one line."""
    return clean(" ".join(text.split()))


def isolated(text: str) -> str:
    """Escape a text so that its writing direction does not reach the text around it."""
    return f"<bdi>{clean(text)}</bdi>"
