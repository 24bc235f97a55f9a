"""PFLex: a word's importance read off the black box's own hidden states."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import torch

from xai_lib.explainers.amortised import AmortisedExplainer, Progress
from xai_lib.explainers.base import Attribution
from xai_lib.explainers.pflex_head import HEADS, Head, pflex_loss, similarities, text_of_word
from xai_lib.explainers.teacher_explanations import epochs_of_batches, teacher_instances
from xai_lib.explanation import Explanation
from xai_lib.models.base import Classifier
from xai_lib.models.precision import fast_bfloat16
from xai_lib.models.states import States, hidden_states
from xai_lib.rng import generator
from xai_lib.text import TextInstance

TARGETS = ("scaled", "raw", "standardised")


def targets(importance: np.ndarray, target: str = "scaled") -> np.ndarray:
    """Turn the teacher's weights of one text into what the head should learn.

    Parameters
    ----------
    importance
        (W,) weights of the words of a text.
    target
        ``"scaled"``: divided by the largest absolute weight, so that they fill -1 to 1.
        ``"raw"``: as they are. ``"standardised"``: minus their mean, divided by their standard
        deviation, which is how group-relative methods treat rewards.

    Returns
    -------
    (W,) float64 array
        Zeros where there is nothing to divide by.

    Raises
    ------
    ValueError
        If the target is unknown.
    """
    if target not in TARGETS:
        raise ValueError(f"Unknown target {target!r}. Valid targets are: {', '.join(TARGETS)}.")
    if target == "raw":
        return importance
    if target == "scaled":
        largest = float(np.abs(importance).max(initial=0.0))
        return importance / largest if largest > 0 else np.zeros_like(importance)
    centred = importance - importance.mean()
    spread = float(importance.std())
    return centred / spread if spread > 1e-12 else np.zeros_like(importance)


@dataclass(frozen=True)
class PFLex(AmortisedExplainer):
    """PFLex: the cosine of a word's and [CLS]'s hidden states after a fitted head.

    It explains the predicted class; the weights of the other classes are NaN.

    Attributes
    ----------
    head
        ``"paper"`` or ``"released"``, see `Head`.
    penalty
        lambda of Equation 3.
    epochs, learning_rate, batch_words
        Adam over mini-batches of whole texts with about so many words.
    target
        How the teacher's weights are scaled, see `targets`.
    group
        See `xai_lib.text.TextInstance`. A word type has the mean score of its occurrences.
    digest
        See `AmortisedExplainer`.

    References
    ----------
    Rahulamathavan, Farooq & De Silva (2025), "PFLex: Perturbation-Free Local Explanations in
    Language Model-Based Text Classification", Equations 1 to 3.

    Notes
    -----
    Deviations: the paper does not give batches, seed, initialisation or the scale of the
    weights. Equation 3 is a mean here, not a sum. A word that the model sees nothing of has
    score 0. Training multiplies in bfloat16 where the device has units for it; weights, loss and
    scores are float32.
    """

    name: ClassVar[str] = "pflex"
    white_box: ClassVar[bool] = True
    # One forward pass each, so that batches are as full as those of plain predictions.
    texts_at_once: ClassVar[int] = 4096

    head: str = "paper"
    penalty: float = 1.0
    epochs: int = 300
    learning_rate: float = 1e-4
    batch_words: int = 2048
    target: str = "scaled"
    group: str = "position"

    def __post_init__(self) -> None:
        """Check the settings."""
        super().__post_init__()
        for what, value, valid in (("head", self.head, HEADS), ("target", self.target, TARGETS)):
            if value not in valid:
                raise ValueError(f"Unknown {what} {value!r}. Valid: {', '.join(valid)}.")
        for what, number in (
            ("penalty", self.penalty),
            ("epochs", self.epochs),
            ("learning_rate", self.learning_rate),
            ("batch_words", self.batch_words),
        ):
            if not number > 0:
                raise ValueError(f"{what} must be above 0, got {number}.")

    def _network(self, facts: Mapping[str, Any]) -> torch.nn.Module:
        return Head(int(facts["width"]), self.head)

    def fit(
        self,
        explanations: Sequence[Explanation],
        classifier: Classifier,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Fit the head on a teacher's explanations.

        Parameters
        ----------
        explanations
            A teacher's explanations of texts by `classifier`, such as those of `explain_corpus`;
            the weights of the predicted class are learnt.
        classifier
            The black box, one that shows its hidden states.
        seed
            Fixes initial weights, order of the texts and dropout.
        progress
            Called as ``progress(epoch, epochs, loss)`` after every epoch.

        Returns
        -------
        PFLex
            With a fitted head; `facts` has the mean loss of each epoch.

        Raises
        ------
        ValueError
            If the classifier shows no hidden states, or the explanations are not of it.
        """
        start = time.perf_counter()
        hidden_states(classifier, self.name)
        instances, importance = teacher_instances(explanations, classifier)
        states = hidden_states(classifier, self.name).word_states(instances)
        wanted = np.concatenate([targets(one, self.target) for one in importance])
        return self.fit_states(
            states, wanted, classifier, seed, progress, explanations[0].method, start
        )

    def fit_states(
        self,
        states: States,
        wanted: np.ndarray,
        classifier: Classifier,
        seed: int = 0,
        progress: Progress | None = None,
        teacher: str = "",
        start: float | None = None,
    ) -> Self:
        """Fit the head on hidden states already at hand.

        Parameters
        ----------
        states
            Of n texts, one layer.
        wanted
            (N,) targets of their words.
        classifier
            The black box.
        seed, progress
            See `fit`.
        teacher
            Recorded.
        start
            Value of ``time.perf_counter`` from which seconds are counted; default now.

        Returns
        -------
        PFLex
        """
        start = time.perf_counter() if start is None else start
        box = hidden_states(classifier, self.name)
        device = states.first.device
        # Not of the target or the number of epochs: variants start from the same weights.
        rng = generator(seed, self.name, self.head)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int(rng.integers(2**62)))
            network = Head(box.width, self.head).to(device).train()
            history = self._train(network, states, wanted, rng, progress)
        facts = {
            "black_box": classifier.name,
            "identity": box.identity,
            "width": box.width,
            "teacher": teacher,
            "n_texts": len(states.counts),
            "n_words": int(states.counts.sum()),
            "seed": int(seed),
            "seconds": round(time.perf_counter() - start, 3),
            "history": history,
        }
        return self._with(network, facts)

    def _train(
        self,
        network: torch.nn.Module,
        states: States,
        wanted: np.ndarray,
        rng: np.random.Generator,
        progress: Progress | None,
    ) -> list[float]:
        first, words = states.first[:, 0], states.words[:, 0]
        # A word that the model sees nothing of has no state to learn from.
        seen = torch.from_numpy(states.tokens > 0).to(first.device)
        importance = torch.from_numpy(wanted.astype(np.float32)).to(first.device)
        starts = np.concatenate([[0], np.cumsum(states.counts)])
        optimizer = torch.optim.Adam(network.parameters(), lr=self.learning_rate, fused=True)
        device = first.device.type
        history = []
        dealt = epochs_of_batches(states.counts, self.batch_words, self.epochs, rng)
        for epoch, batches in enumerate(dealt, 1):
            losses, sizes = [], []
            for batch in batches:
                counts = torch.from_numpy(states.counts[batch])
                rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in batch])
                row = torch.from_numpy(rows).to(first.device)
                text = torch.repeat_interleave(torch.arange(len(batch)), counts).to(first.device)
                kept = seen[row]
                if not kept.any():
                    continue
                with torch.autocast(device, torch.bfloat16, enabled=fast_bfloat16(device)):
                    cosine = similarities(
                        network, first[torch.from_numpy(batch).to(first.device)], words[row], text
                    )
                loss = pflex_loss(cosine.float()[kept], importance[row][kept], self.penalty)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                losses.append(float(loss.detach()))
                sizes.append(int(kept.sum()))
            history.append(float(np.average(losses, weights=sizes)) if losses else 0.0)
            if progress is not None:
                progress(epoch, self.epochs, history[-1])
        return history

    def check(self, classifier: Classifier) -> None:
        """Raise a ValueError if it shows no hidden states, or no head was fitted for it."""
        hidden_states(classifier, self.name)
        self.fitted(classifier)

    def attribute(
        self, instances: list[TextInstance], classifier: Classifier, seed: int
    ) -> list[Attribution]:
        """Explain instances; see `Explainer.attribute`."""
        box = hidden_states(classifier, self.name)
        network = self.fitted(classifier)
        states = box.word_states(instances)
        with torch.inference_mode():
            cosine = similarities(
                network, states.first[:, 0], states.words[:, 0], text_of_word(states)
            )
        score = np.where(states.tokens > 0, cosine.double().cpu().numpy(), 0.0)
        found = []
        end = 0
        for one, answer, count in zip(instances, states.probabilities, states.counts, strict=True):
            start, end = end, end + int(count)
            weights = np.full((len(classifier.classes), one.n_features), np.nan)
            weights[int(np.argmax(answer))] = _of_features(
                one, score[start:end], states.tokens[start:end] > 0
            )
            found.append(Attribution(weights, answer, 1))
        return found


def _of_features(one: TextInstance, score: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Average the scores of the words of each feature, over those that the model sees."""
    if one.group == "position":
        return score
    total = np.bincount(one.feature_of_word, weights=score, minlength=one.n_features)
    n = np.bincount(one.feature_of_word, weights=seen, minlength=one.n_features)
    mean: np.ndarray = total / np.maximum(n, 1)
    return mean
