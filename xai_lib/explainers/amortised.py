"""Explainers that learn from a teacher's explanations: fit, save, load."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

import torch

from xai_lib.atomic import replace_file
from xai_lib.explainers.base import Explainer
from xai_lib.explanation import Explanation
from xai_lib.models.base import Classifier

FORMAT_VERSION = 1
FACTS = "explainer.json"
WEIGHTS = "weights.safetensors"

_FACTS = {"black_box", "identity", "width"}

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class AmortisedExplainer(Explainer):
    """A method whose network is fitted on a teacher's explanations of one black box.

    An explainer made by `make_explainer` has no network yet; `fit` returns one that has, and
    `save` and `load` keep it.

    Attributes
    ----------
    digest
        Hash of the fitted weights, part of the settings; empty before `fit`.
    """

    amortised: ClassVar[bool] = True

    digest: str = field(default="", init=False)

    @abstractmethod
    def _network(self, facts: Mapping[str, Any]) -> torch.nn.Module:
        """Make the network, untrained, that belongs to these settings and facts."""

    @abstractmethod
    def fit(
        self,
        explanations: Sequence[Explanation],
        classifier: Classifier,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Fit a network on a teacher's explanations and return an explainer that has it."""

    # What was fitted ------------------------------------------------------------------------

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the network was fitted on: black box, teacher, sizes, seed, seconds, losses."""
        return MappingProxyType(self.__dict__.get("_facts", {}))

    def _with(self, network: torch.nn.Module, facts: dict[str, Any]) -> Self:
        """Return a copy of this explainer that has a network."""
        fitted = copy.copy(self)
        network = network.eval().requires_grad_(False)
        object.__setattr__(fitted, "_fitted", network)
        object.__setattr__(fitted, "_facts", facts)
        object.__setattr__(fitted, "digest", _digest(network, facts))
        return fitted

    def fitted(self, classifier: Classifier) -> torch.nn.Module:
        """Return the fitted network, on the device of the black box.

        Raises
        ------
        ValueError
            If there is none, or it was fitted for another black box.
        """
        network: torch.nn.Module | None = self.__dict__.get("_fitted")
        if network is None:
            raise ValueError(
                f"This {self.name!r} explainer is not fitted. Fit it on a teacher's explanations "
                f"(explainer = explainer.fit(explanations, classifier)), or load one with "
                "xai_lib.load_explainer(folder)."
            )
        identity = getattr(classifier, "identity", None)
        if identity != self.facts["identity"]:
            raise ValueError(
                f"This {self.name!r} explainer was fitted for the black box "
                f"{self.facts['black_box']!r}; it cannot explain {classifier.name!r}, whose "
                "weights, vocabulary or token budget are others. Fit one for it."
            )
        if next(network.parameters()).device != torch.device(classifier.device):
            network.to(classifier.device)
        return network

    # Files ----------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write settings, facts and weights into a folder.

        Parameters
        ----------
        folder
            Made if it does not exist.

        Returns
        -------
        pathlib.Path
            The folder.

        Raises
        ------
        ValueError
            If the explainer is not fitted, or there is a file in the folder's place.
        """
        from safetensors.torch import save

        network: torch.nn.Module | None = self.__dict__.get("_fitted")
        if network is None:
            raise ValueError(f"This {self.name!r} explainer is not fitted; nothing to save.")
        target = Path(folder)
        try:
            target.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ValueError(f"{folder} is a file, not a folder; save needs a folder.") from error
        weights = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
        settings = {name: value for name, value in self.settings().items() if name != "digest"}
        document = {
            "format_version": FORMAT_VERSION,
            "method": self.name,
            "digest": self.digest,
            "settings": settings,
            "facts": dict(self.facts),
        }
        replace_file(target / WEIGHTS, save(weights))
        replace_file(target / FACTS, json.dumps(document, indent=1, sort_keys=True).encode())
        return target

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read an explainer that `save` wrote.

        Parameters
        ----------
        folder
            The folder.

        Returns
        -------
        AmortisedExplainer
            Gives the same scores as the one that was saved.

        Raises
        ------
        ValueError
            If the folder has no such explainer, one of another method, or its files do not
            belong together.
        """
        document = read_document(folder)
        method = document["method"]
        if method != getattr(cls, "name", method):
            raise ValueError(f"{folder} holds an explainer {method!r}, not {cls.name!r}.")
        return cls._from_document(document, Path(folder))

    @classmethod
    def _from_document(cls, document: dict[str, Any], folder: Path) -> Self:
        from safetensors import SafetensorError
        from safetensors.torch import load

        path = folder / FACTS
        settings, facts = document["settings"], document["facts"]
        lacking = sorted(_FACTS - set(facts)) if isinstance(facts, dict) else sorted(_FACTS)
        if not isinstance(settings, dict) or lacking:
            raise ValueError(f"{path} is damaged: its settings or facts are not whole {lacking}.")
        valid = {one.name for one in dataclasses.fields(cls) if one.init}
        unknown = sorted(set(settings) - valid)
        if unknown:
            raise ValueError(f"{path} has settings that {cls.name!r} lacks: {unknown}.")
        try:
            blank = cls(**settings)
            network = blank._network(facts)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        try:
            network.load_state_dict(load((folder / WEIGHTS).read_bytes()))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise ValueError(f"{folder / WEIGHTS} is missing or damaged: {error}") from error
        found = blank._with(network, facts)
        if found.digest != document["digest"]:
            raise ValueError(
                f"{folder / WEIGHTS} and {path} do not belong together: the weights are "
                "not those that were saved with these facts."
            )
        return found


def load_explainer(folder: str | Path) -> AmortisedExplainer:
    """Read a fitted explainer of any method from a folder.

    Parameters
    ----------
    folder
        Written by `AmortisedExplainer.save`.

    Returns
    -------
    AmortisedExplainer

    Raises
    ------
    ValueError
        If the folder has no fitted explainer, or a damaged one.
    """
    from xai_lib.explainers import explainer_class

    method = read_document(folder)["method"]
    try:
        kind = explainer_class(method)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{Path(folder) / FACTS} is damaged: {error}") from error
    if not issubclass(kind, AmortisedExplainer):
        raise ValueError(f"{folder} names the method {kind.name!r}, which is not fitted.")
    return kind.load(folder)


def read_document(folder: str | Path) -> dict[str, Any]:
    """Read the facts of a saved explainer, or say what is wrong with the folder."""
    if not isinstance(folder, str | Path):
        raise ValueError(f"A fitted explainer is read from a folder, got {type(folder).__name__}.")
    path = Path(folder) / FACTS
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(
            f"{folder} holds no fitted explainer: there is no {FACTS}. Give a folder that "
            "explainer.save wrote."
        ) from error
    except ValueError:
        raise ValueError(f"{path} is damaged: it is not JSON.") from None
    wanted = {"format_version", "method", "digest", "settings", "facts"}
    if not isinstance(document, dict) or not wanted <= set(document):
        raise ValueError(f"{path} is damaged: it lacks one of {', '.join(sorted(wanted))}.")
    if document["format_version"] != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {document['format_version']}; this library reads "
            f"{FORMAT_VERSION}."
        )
    return document


def _digest(network: torch.nn.Module, facts: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(str(facts["identity"]).encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
