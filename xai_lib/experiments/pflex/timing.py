"""Seconds per text, for the break-even."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xai_lib.experiments.study import Setting
from xai_lib.explainers import make_explainer
from xai_lib.explainers.base import Explainer
from xai_lib.metrics import measure


def time_per_text(
    setting: Setting, pflex: Explainer, texts: Sequence[str], n_samples: int, seed: int
) -> dict[str, np.ndarray]:
    """Time PFLex and LIME on the same texts, one at a time.

    Parameters
    ----------
    setting
        Gives the black box.
    pflex
        Fitted.
    texts
        n texts.
    n_samples
        Perturbations of LIME.
    seed
        Of the perturbations.

    Returns
    -------
    dict of str to (n,) array
        Seconds of ``"pflex"`` and of LIME, as ``"lime (1000)"``; the passes of the black box
        are included.
    """
    box = setting.classifier
    lime = make_explainer("lime", n_samples=n_samples, group="type")
    ours = measure(lambda text: pflex.explain([text], box, seed), texts, box)
    theirs = measure(lambda text: lime.explain([text], box, seed), texts, box)
    return {"pflex": ours.seconds, f"lime ({n_samples})": theirs.seconds}
