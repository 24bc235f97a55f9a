"""Deep SHAP: what words add to a logit, compared with other texts, by multipliers of DeepLIFT."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch

from xai_lib.explainers.deep_shap_network import multiplied
from xai_lib.explainers.deep_shap_rules import RULED, Pairs
from xai_lib.explainers.gradient_base import FromEmbeddings, GradientExplainer
from xai_lib.explainers.lrp_rules import unruled
from xai_lib.models.base import Classifier
from xai_lib.models.whitebox import Embedded, WhiteBox
from xai_lib.rng import generator
from xai_lib.text import TextInstance


@dataclass(frozen=True, eq=False)
class Referenced(Embedded):
    """Instances with what each is compared with.

    Attributes
    ----------
    references
        (n, R, T, d) float32; as the instance itself where a token is no word.
    """

    references: torch.Tensor


@dataclass(frozen=True)
class DeepShap(GradientExplainer):
    """DeepLIFT with the rescale rule in every function, averaged over reference texts.

    Costs R + 1 inputs for each class, the text and R references. The tokens of a reference stand
    in the places of the tokens of the text's words, in their order, cut or filled with padding to
    as many; separators, special tokens and positions are those of the text. So the weights of the
    words (with the aggregation ``"sum"``) add up to the logit of the text minus the mean logit of
    the references.

    Every function of one number has the slope of its secant between text and reference, where a
    gradient has that of its tangent. A product of two signals (attention weights and values,
    queries and keys, gates and signals) gives each factor its difference times the mean of the
    other. Softmax and layer norm are taken apart into such functions: exp(s - log sum exp s), and
    the centred input times its mean square to the power -1/2.

    Attributes
    ----------
    references
        Texts to draw references from, such as some of the training texts. Without any there is one
        reference: the text with padding in the place of every token of a word.
    n_references
        R, if there are more texts than this, else all are taken, each once. The draw depends on
        the seed and the text.
    aggregation, target, group
        See `GradientExplainer`.

    References
    ----------
    Lundberg & Lee (2017), "A unified approach to interpreting model predictions", section 4.2;
    Shrikumar, Greenside & Kundaje (2017), "Learning important features through propagating
    activation differences", equations 1, 3 and 12.

    Notes
    -----
    The diagnostic ``completeness_gap`` is the largest size over the classes of the sum of all
    attributions minus the difference of the logits: rounding only.

    `settings` has a digest of the reference texts, not the texts.

    Deviations: the code of L2E (Situ et al. 2021) takes differences of token ids, gradients at the
    background and class 0; that is not Deep SHAP. captum's DeepLift, which the method ``deeplift``
    uses, knows activation modules only, so that in a Transformer its differences do not add up.
    """

    name: ClassVar[str] = "deep_shap"
    references: tuple[str, ...] = ()
    n_references: int = 10

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        given: object = self.references
        if isinstance(given, str) or not all(isinstance(one, str) for one in self.references):
            raise ValueError(f"references must be several texts, got {given!r:.80}.")
        object.__setattr__(self, "references", tuple(self.references))
        if isinstance(self.n_references, bool) or self.n_references < 1:
            raise ValueError(f"n_references must be at least 1 text, got {self.n_references}.")

    @property
    def inputs_per_class(self) -> int:
        """Inputs sent forward for one class of one text."""
        return 1 + (min(self.n_references, len(self.references)) or 1)

    def settings(self) -> dict[str, Any]:
        """Return the settings as plain data, with a digest in the place of many texts."""
        digest = hashlib.sha256(json.dumps(self.references).encode()).hexdigest()[:16]
        given = f"{len(self.references)} texts, sha256 {digest}" if self.references else "padding"
        return {**super().settings(), "references": given}

    def embed(
        self, box: WhiteBox, instances: Sequence[TextInstance], width: int, seed: int
    ) -> Embedded:
        """Look up embeddings and those of the references; see `GradientExplainer.embed`."""
        found = box.embed(instances, width)
        n_references = self.inputs_per_class - 1
        inputs = found.embeddings.detach()
        others = inputs[:, None].repeat(1, n_references, 1, 1)
        drawn = [self._drawn(one, seed) for one in instances]
        every = sorted({text for texts in drawn for text in texts})
        tokens = dict(zip(every, _words(box, every), strict=True)) if every else {}
        for i, texts in enumerate(drawn):
            places = torch.from_numpy(np.flatnonzero(found.word[i] >= 0)).to(inputs.device)
            others[i, :, places] = box.padding_embedding()
            for k, text in enumerate(texts):
                own = tokens[text][: len(places)]
                others[i, k, places[: len(own)]] = own
        return Referenced(found.embeddings, found.attention, found.word, others)

    def _drawn(self, one: TextInstance, seed: int) -> tuple[str, ...]:
        """Draw the reference texts of an instance."""
        if len(self.references) <= self.n_references:
            return self.references
        rng = generator(seed, self.name, one.read_text)
        chosen = rng.choice(len(self.references), self.n_references, replace=False)
        return tuple(self.references[i] for i in sorted(chosen))

    def coordinates(
        self, forward: FromEmbeddings, box: WhiteBox, embedded: Embedded, classes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Attribute embedding coordinates; see `GradientExplainer.coordinates`.

        Raises
        ------
        ValueError
            If the network does something for which there is no rule.
        """
        assert isinstance(embedded, Referenced)
        return contributions(
            forward, embedded.embeddings, embedded.references, embedded.attention, classes
        )


def contributions(
    network: torch.nn.Module,
    inputs: torch.Tensor,
    references: torch.Tensor,
    attention: torch.Tensor | None,
    classes: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Share the difference of logits between inputs and references out among the inputs.

    Parameters
    ----------
    network
        Called with (m, ...) inputs and their attention; (m, C) logits.
    inputs
        (n, ...).
    references
        (n, R, ...): R references for each input.
    attention
        (n, T), 0 for padding, or None; what the references have too.
    classes
        (n,) int: the class whose logit is shared out.

    Returns
    -------
    values : (n, ...) float64 tensor
        The mean over the references.
    gap : (n,) float64 tensor
        Sum of the values minus the logit, plus the mean logit of the references.

    Raises
    ------
    ValueError
        If the network does something for which there is no rule, or leaves the batch in another
        than the first dimension.
    """
    rows = torch.cat([inputs[:, None], references], dim=1).detach()
    pairs = Pairs(*rows.shape[:2])
    flat = rows.flatten(0, 1).requires_grad_()
    seen = None if attention is None else attention.repeat_interleave(pairs.size, dim=0)
    with multiplied(pairs):
        logits = network(flat, seen)
    if not logits.requires_grad:
        raise ValueError("The method 'deep_shap' found no way from the logits to the embeddings.")
    if names := unruled(logits, flat, RULED):
        raise ValueError(
            f"The method 'deep_shap' has no rule for {', '.join(names)} in this network. It has "
            "rules for linear layers, layer norms, attention, products, functions of one number "
            "and LSTMs of one layer and direction."
        )
    chosen = logits.gather(1, classes.repeat_interleave(pairs.size)[:, None]).view(*rows.shape[:2])
    (slope,) = torch.autograd.grad(chosen[:, 1:].sum(), flat)
    slope = slope.unflatten(0, rows.shape[:2])[:, 1:].double()
    values = (slope * (rows[:, :1].double() - rows[:, 1:])).mean(dim=1)
    made = chosen.detach().double()
    return values, values.flatten(1).sum(dim=1) - (made[:, 0] - made[:, 1:].mean(dim=1))


def _words(box: WhiteBox, texts: list[str]) -> list[torch.Tensor]:
    """Look up the embeddings of the tokens of words in texts, (k, d) each."""
    found = box.embed(cast(Classifier, box).instances(texts))
    inside = torch.from_numpy(found.word >= 0).to(found.embeddings.device)
    return [own[there] for own, there in zip(found.embeddings.detach(), inside, strict=True)]
