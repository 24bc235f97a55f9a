"""What the numbers that the paper prints imply, given the dimensions of BERT-base."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xai_lib import papers
from xai_lib.experiments.pflex.cost import BERT_BASE
from xai_lib.experiments.rows import Row
from xai_lib.metrics import encoder_macs
from xai_lib.report.cells import select

CLAIMED_ORDERS = 4
STATED_TEXTS = 6 * 200


def arithmetic_rows() -> list[Row]:
    """Explain the printed "FLOPs" of Figure 8 and the two printed shares of Figure 6.

    Returns
    -------
    list of dict
        ``quantity``, ``words``, ``printed``, ``implied``, ``quotient``:

        - GMACs of one pass: the linear layers over the words, a token each, [CLS] and [SEP].
        - passes of LIME: the power of two next to its printed number over that; the quotient
          itself is beside it.
        - orders of magnitude between the printed numbers of LIME and PFLex.
        - test texts: the largest number up to 6 x 200 at which both shares can be a count.
    """
    cells = papers.published("pflex", "figure-8") or []
    printed = {
        (cell["method"].partition(" ")[0], cell["words"]): cell["mean"]
        for cell in select(cells, {"quantity": "gmacs_whole"})
    }
    rows: list[Row] = []
    passes: list[Row] = []
    orders: list[Row] = []
    for words in (10, 20, 30):
        once = int(encoder_macs(BERT_BASE, words + 2, attention=False, pooler=False)) / 1e9
        ours, theirs = printed.get(("pflex", words)), printed.get(("lime", words))
        rows.append(_row("GMACs of one pass", words, ours, once))
        if ours is not None and theirs is not None:
            quotient = theirs / once
            power = 2 ** round(float(np.log2(quotient)))
            passes.append(_row("passes of LIME", words, theirs, power, quotient))
            gap = float(np.log10(theirs / ours))
            orders.append(_row("orders of magnitude", words, CLAIMED_ORDERS, gap))
    shares = [
        cell["mean"]
        for cell in papers.published("pflex", "figure-6") or []
        if (cell["setting"], cell["measure"], cell["k"]) == ("emotion", "accuracy", 1)
    ]
    shown = ", ".join(f"{share:.2%}".replace("%", " %") for share in shares)
    count = number_of_texts(shares, STATED_TEXTS)
    return [*rows, *passes, *orders, _row("test texts", None, shown, count)]


def number_of_texts(shares: Sequence[float], at_most: int, digits: int = 4) -> int:
    """Find the largest number of texts at which printed shares can be counts.

    Parameters
    ----------
    shares
        Shares as printed.
    at_most
        The largest possible number.
    digits
        Decimals of the shares.

    Returns
    -------
    int
        The largest n up to `at_most` for which each share is k / n rounded, for some whole k.

    Raises
    ------
    ValueError
        If there is none.
    """
    for n in range(at_most, 0, -1):
        if all(round(round(share * n) / n, digits) == round(share, digits) for share in shares):
            return n
    raise ValueError(f"no number of texts up to {at_most} gives the shares {list(shares)}")


def _row(
    quantity: str,
    words: int | None,
    printed: float | str | None,
    implied: float,
    quotient: float | None = None,
) -> Row:
    return {
        "quantity": quantity,
        "words": words,
        "printed": printed,
        "implied": implied,
        "quotient": quotient,
    }
