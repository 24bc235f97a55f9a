"""Students: fitted once for a teacher, a formulation and a seed, and kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xai_lib.data.wheels import cache_folder
from xai_lib.experiments.study import Setting
from xai_lib.explainers.amortised import FACTS
from xai_lib.explainers.l2e import L2E
from xai_lib.explanation import Explanation
from xai_lib.lossless import plain

# Part of what a student is filed under: to be changed when the same settings give other weights.
_TRAINING = "class tokens drawn by name"
FORMULATIONS = ("ranking", "labelling")


def make_student(setting: Setting, formulation: str, **changed: Any) -> L2E:
    """Make a student that is not fitted yet.

    Parameters
    ----------
    setting
        Its profile gives the settings of all students under ``student``.
    formulation
        ``"ranking"`` or ``"labelling"``.
    **changed
        Settings in the place of the profile's.
    """
    return L2E(formulation=formulation, **{**setting.profile["student"], **changed})


def fitted(student: L2E, explanations: Sequence[Explanation], setting: Setting, seed: int) -> L2E:
    """Fit a student, or read the one that was fitted on the same explanations before.

    Parameters
    ----------
    student
        Settings.
    explanations
        A teacher's, of training texts.
    setting
        Gives the black box.
    seed
        Seed of the initial weights and of the order of the texts.

    Returns
    -------
    L2E
        Its `facts` have the losses and seconds of the training, also when it was read.
    """
    folder = _folder(student, explanations, setting, seed)
    if (folder / FACTS).is_file():
        return L2E.load(folder)
    found = student.fit(explanations, setting.classifier, seed)
    found.save(folder)
    return found


def fitted_several(
    student: L2E, explanations: Mapping[str, Sequence[Explanation]], setting: Setting, seed: int
) -> L2E:
    """Do the same for one student of several teachers."""
    every = [one for some in explanations.values() for one in some]
    folder = _folder(student, every, setting, seed, tuple(explanations))
    if (folder / FACTS).is_file():
        return L2E.load(folder)
    found = student.fit_several(explanations, setting.classifier, seed)
    found.save(folder)
    return found


def _folder(
    student: L2E,
    explanations: Sequence[Explanation],
    setting: Setting,
    seed: int,
    teachers: tuple[str, ...] = (),
) -> Path:
    settings = {k: v for k, v in student.settings().items() if k != "digest"}
    head = [_TRAINING, setting.classifier.fingerprint, plain(settings, "settings"), seed, teachers]
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    for one in explanations:
        digest.update(one.text.encode("utf-8", "surrogatepass"))
        digest.update(one.method.encode())
        digest.update(one.weights.tobytes())
    return cache_folder() / "students" / digest.hexdigest()[:20]
