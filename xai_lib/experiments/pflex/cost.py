"""Figure 8: seconds, model calls and multiply-accumulates of one explanation, by length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from xai_lib.experiments.pflex.runs import against
from xai_lib.experiments.rows import Row, compare_rows, estimate_row
from xai_lib.experiments.study import Setting
from xai_lib.explainers import make_explainer
from xai_lib.explainers.base import Explainer
from xai_lib.explainers.pflex_head import HEADS
from xai_lib.metrics import Timing, encoder_macs, layers_macs, measure
from xai_lib.models.function import as_classifier
from xai_lib.rng import generator
from xai_lib.text import find_words, without_surrogates

LENGTHS = (10, 20, 30)
# The printed numbers imply 256 at 10 words and 4096 at 30; 1000 at all lengths shows how LIME
# grows with the length alone.
BUDGETS = (256, 1000, 4096)
BERT_BASE = SimpleNamespace(hidden_size=768, num_hidden_layers=12, intermediate_size=3072)


@dataclass(frozen=True, eq=False)
class Cost:
    """Cost of explaining the first words of n texts by several methods.

    Attributes
    ----------
    timings
        Seconds and model calls of each method: ``"pflex"``, ``"lime (256)"`` and so on.
    gmacs
        (n,) multiply-accumulates in 10^9 with the dimensions of BERT-base, for the inputs that
        the black box was sent: equal perturbations once, each at its own length. PFLex's head
        is included.
    gmacs_whole
        The same as the paper counts: as many passes over the whole text as perturbations.
    """

    timings: dict[str, Timing]
    gmacs: dict[str, np.ndarray]
    gmacs_whole: dict[str, np.ndarray]


def long_texts(texts: Sequence[str], words: int, n: int, seed: int) -> tuple[str, ...]:
    """Draw texts with at least so many words.

    Parameters
    ----------
    texts
        Where to draw from.
    words
        Number of words.
    n
        Number of texts.
    seed
        Fixes the draw; a smaller `n` gives the first of a larger one.

    Returns
    -------
    tuple of str
        Where too few are long enough, the others are joined, one behind the other, until they
        are.

    Raises
    ------
    ValueError
        If that is not enough either.
    """
    order = [int(i) for i in generator(seed, "long texts", words).permutation(len(texts))]
    counts = {i: len(find_words(texts[i])) for i in order}
    found = [texts[i] for i in order if counts[i] >= words][:n]
    parts: list[str] = []
    for i in order:
        if len(found) == n:
            break
        if 0 < counts[i] < words:
            parts.append(texts[i])
            joined = " ".join(parts)
            if len(find_words(joined)) >= words:
                found.append(joined)
                parts = []
    if len(found) < n:
        raise ValueError(f"the texts give only {len(found)} of {n} with {words} words")
    return tuple(found)


def first_words(text: str, words: int) -> str:
    """Cut a text behind its word number `words`."""
    return text[: find_words(text)[words - 1][1]]


def measure_cost(
    setting: Setting,
    pflex: Explainer,
    n: int,
    seed: int,
    lengths: Sequence[int] = LENGTHS,
    budgets: Sequence[int] = BUDGETS,
    warm_up: int = 1,
) -> dict[int, Cost]:
    """Explain the first words of texts one at a time, forward passes included.

    Parameters
    ----------
    setting
        Gives test texts and black box.
    pflex
        Fitted.
    n
        Number of texts; all lengths are cut from the same.
    seed
        Of the draw and of the perturbations.
    lengths
        Numbers of words.
    budgets
        Numbers of LIME's perturbations, all at each length.
    warm_up
        See `xai_lib.metrics.measure`.

    Returns
    -------
    dict of int to Cost
        By number of words.
    """
    texts = long_texts(setting.test.texts, max(lengths), n, seed)
    box = setting.classifier
    methods: dict[str, Explainer] = {"pflex": pflex}
    for budget in budgets:
        methods[f"lime ({budget})"] = make_explainer("lime", n_samples=budget, group="type")
    costs: dict[int, Cost] = {}
    for words in lengths:
        cut = [first_words(text, words) for text in texts]
        cost = Cost({}, {}, {})
        for name, explainer in methods.items():

            def explain(text: str, explainer: Explainer = explainer) -> object:
                return explainer.explain([text], box, seed)

            cost.timings[name] = measure(explain, cut, box, warm_up)
            read = [macs(explainer, text, box, seed) for text in cut]
            whole = [macs(explainer, text, box, None) for text in cut]
            cost.gmacs[name] = np.array(read) / 1e9
            cost.gmacs_whole[name] = np.array(whole) / 1e9
        costs[words] = cost
    return costs


def macs(
    explainer: Explainer, text: str, black_box: Any, seed: int | None, config: Any = BERT_BASE
) -> int:
    """Count the multiply-accumulates that an explanation asks of the networks.

    Parameters
    ----------
    explainer
        LIME or another method that needs only answers, or PFLex.
    text
        The text.
    black_box
        A `HuggingFaceClassifier`, for its tokens; it is not run.
    seed
        Count every distinct input that is asked for with this seed, at its own length. None
        counts `n_samples` passes over the whole text.
    config
        Dimensions of the encoder, see `xai_lib.metrics.encoder_macs`.

    Returns
    -------
    int
        Encoder, products between tokens included, pooler and classifier; for PFLex one pass,
        and the head on [CLS] and each word. No padding; the fit of LIME's linear model is left
        out.

    Raises
    ------
    ValueError
        For a method of another kind, whose passes cannot be counted so.
    """
    lengths: list[int] = []

    def tokens_only(texts: list[str]) -> np.ndarray:
        read = [without_surrogates(text) for text in texts]
        ids = black_box.tokenizer(read, truncation=True, max_length=black_box.max_length)
        found = np.array([len(one) for one in ids["input_ids"]])
        lengths.extend(found.tolist())
        # Any answers that differ will do: which inputs are asked does not depend on them.
        return np.stack([found, np.ones_like(found)], axis=1) / (found + 1.0)[:, None]

    stand_in = as_classifier(tokens_only, ("long", "short"))
    head, passes = 0, 1
    if explainer.name == "pflex":
        stand_in.predict_proba([text])
        widths = (config.hidden_size, *HEADS[getattr(explainer, "head", "paper")].widths)
        head = (1 + len(black_box.instance(text).spans)) * layers_macs(widths)
    elif explainer.white_box or not hasattr(explainer, "n_samples"):
        raise ValueError(f"the passes of {explainer.name!r} are not counted; count lime or pflex")
    elif seed is None:
        stand_in.predict_proba([text])
        passes = explainer.n_samples
    else:
        explainer.explain([text], stand_in, seed)
    classes = len(black_box.classes)
    return passes * int(encoder_macs(config, lengths, classes=classes).sum()) + head


def cost_rows(
    setting: Setting, costs: Mapping[int, Cost], seed: int
) -> tuple[list[Row], list[Row]]:
    """Summarise the cost of one explanation by method and length.

    Parameters
    ----------
    setting
        Gives the key.
    costs
        What `measure_cost` found.
    seed
        Seed of the bootstrap.

    Returns
    -------
    rows, comparisons : list of dict
        A row for each number of ``words``, method and ``quantity``: ``seconds``,
        ``model_calls``, ``gmacs``, ``gmacs_whole``, see `Cost`. Paired differences of each
        quantity, PFLex minus each LIME, with ``mean_first`` and ``mean_second``.
    """
    rows: list[Row] = []
    pairs: list[Row] = []
    for words, cost in costs.items():
        measured = {
            "seconds": {name: timing.seconds for name, timing in cost.timings.items()},
            "model_calls": {
                name: timing.model_calls.astype(np.float64) for name, timing in cost.timings.items()
            },
            "gmacs": cost.gmacs,
            "gmacs_whole": cost.gmacs_whole,
        }
        for quantity, values in measured.items():
            place: Row = {"setting": setting.key, "words": words, "quantity": quantity}
            rows += [estimate_row({**place, "method": m}, some, seed) for m, some in values.items()]
            pairs += compare_rows(place, values, against("pflex", list(values)), seed)
    return rows, pairs
