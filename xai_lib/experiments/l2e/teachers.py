"""The six teachers as they are compared, and their explanations, kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from xai_lib.corpus import explain_corpus
from xai_lib.data.wheels import cache_folder
from xai_lib.experiments.study import Setting, progress
from xai_lib.explainers import make_explainer
from xai_lib.explainers.base import Explainer
from xai_lib.explanation import Explanation
from xai_lib.lossless import plain

RANDOM = "random"
# A removed word becomes the mask token. Sampling methods and occlusion answer in logarithms, as
# the paper's loss and the released code do; gradient methods explain the predicted logit.
_SAMPLED: dict[str, Any] = {"removal": "mask", "answers": "log_probability"}
TEACHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "occlusion": ("occlusion", _SAMPLED),
    "gradient": ("input_x_gradient", {"target": "predicted"}),
    "lrp": ("lrp", {"target": "predicted"}),
    "lime": ("lime", _SAMPLED),
    "kernel_shap": ("kernel_shap", _SAMPLED),
    "deep_shap": ("deep_shap", {"target": "predicted"}),
    RANDOM: ("random", {}),
}
SAMPLING = ("lime", "kernel_shap")
NAMES = tuple(name for name in TEACHERS if name != RANDOM)
# Texts of one folder: a longer list of training texts keeps what a shorter one has explained.
_BLOCK = 128


def make_teacher(
    name: str,
    numbers: Mapping[str, Any],
    references: Sequence[str] = (),
    changed: Mapping[str, Any] | None = None,
) -> Explainer:
    """Make a teacher as it is compared.

    Parameters
    ----------
    name
        One of `TEACHERS`.
    numbers
        A profile: ``n_samples`` of LIME and Kernel SHAP.
    references
        Training texts that Deep SHAP compares with.
    changed
        Settings in the place of the compared ones.

    Returns
    -------
    Explainer

    Raises
    ------
    ValueError
        If there is no such teacher.
    """
    if name not in TEACHERS:
        raise ValueError(f"no teacher {name!r}; valid: {', '.join(TEACHERS)}")
    method, settings = TEACHERS[name]
    own: dict[str, Any] = {}
    if name in SAMPLING:
        own = {"n_samples": numbers["n_samples"]}
    elif name == "deep_shap":
        own = {"references": tuple(references)}
    return make_explainer(method, **{**settings, **own, **(changed or {})})


def stored_corpus(
    explainer: Explainer, texts: Sequence[str], setting: Setting, seed: int
) -> list[Explanation]:
    """Explain texts by `explain_corpus` into the cache folder, or read what lies there.

    Parameters
    ----------
    explainer
        A teacher.
    texts
        n texts.
    setting
        Gives the black box. What answers from disk had cost is added to its ``stored_calls``.
    seed
        Seed of the explanations.

    Returns
    -------
    list of Explanation
    """
    box = setting.classifier
    found: list[Explanation] = []
    report = progress(f"{setting.key}, {explainer.name} explains {len(texts)} texts")
    for start in range(0, len(texts), _BLOCK):
        some = list(texts[start : start + _BLOCK])
        asked = [box.fingerprint, explainer.name, plain(explainer.settings(), "settings"), seed]
        document = json.dumps([*asked, some], sort_keys=True)
        digest = hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()
        folder = cache_folder() / "explanations" / digest[:20]
        before = box.calls
        block = list(
            explain_corpus(
                some, box, explainer, out=folder, seed=seed, chunk_size=16, progress=False
            )
        )
        if box.calls == before:
            box.stored_calls[f"explanations-{digest}"] = sum(one.model_calls for one in block)
        found += block
        if box.calls != before:
            report(len(found), len(texts))
    return found
