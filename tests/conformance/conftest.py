"""Black boxes whose answers are known, for the suite that every explainer goes through."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from xai_lib.models import Classifier, as_classifier
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.models.networks import new_network
from xai_lib.models.scratch import ScratchClassifier
from xai_lib.models.tiny import tiny_bert
from xai_lib.models.token_whitebox import TokenWhiteBox
from xai_lib.models.vocabulary import WordVocabulary
from xai_lib.models.whitebox import Embedded
from xai_lib.text import TextInstance, find_words

CLASSES = ("joy", "anger", "fear")
BASE = np.array([0.5, 0.3, 0.2])
# What a word adds to the probability of each class; every row sums to 0.
COEFFICIENTS = {
    "good": (0.09, -0.05, -0.04),
    "bad": (-0.08, 0.06, 0.02),
    "fine": (0.04, -0.03, -0.01),
    "poor": (-0.02, 0.01, 0.01),
    "rain": (-0.01, -0.02, 0.03),
    "sun": (0.03, -0.01, -0.02),
    "dark": (-0.05, 0.02, 0.03),
}
LIMIT = 24  # tokens that the tiny transformer reads
OTHERS = ["it", "was", "what", "a", "surprise", "don't", "b", "not"]


def linear_function(texts: list[str]) -> np.ndarray:
    """Probabilities that are a sum over the words of a text, in any order."""
    zero = (0.0, 0.0, 0.0)
    return np.array(
        [
            BASE + sum((np.array(COEFFICIENTS.get(text[a:b].lower(), zero)) / 4
                        for a, b in find_words(text)), np.zeros(3))
            for text in texts
        ]
    )  # fmt: skip


def softmax_function(texts: list[str]) -> np.ndarray:
    """Probabilities whose logits are a sum over the words of a text, so words interact."""
    logits = 60 * (linear_function(texts) - BASE)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def make_tiny(seed: int = 0) -> HuggingFaceClassifier:
    """Build a transformer with random weights large enough for its answers to depend on words."""
    texts = [" ".join([*COEFFICIENTS, *OTHERS])]
    model, tokenizer = tiny_bert(
        texts, CLASSES, hidden=16, layers=1, heads=2, max_length=LIMIT, seed=seed
    )
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter *= 30.0
    return HuggingFaceClassifier(model, tokenizer, "tiny", device="cpu", precision="float32")


def make_scratch(name: str) -> ScratchClassifier:
    """Build a network with random weights and class vectors, that reads as much as `tiny`."""
    vocabulary = WordVocabulary([*COEFFICIENTS, *OTHERS])
    network = new_network(len(vocabulary), len(CLASSES), 12, seed=2, network=name)
    network.add_class_vectors()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 3.0
    return ScratchClassifier(network, vocabulary, name, CLASSES, "cpu", "float32", LIMIT - 2)


def make_bilstm() -> ScratchClassifier:
    """Build an LSTM with attention."""
    return make_scratch("bilstm")


def make_transformer() -> ScratchClassifier:
    """Build a small Transformer of words."""
    return make_scratch("transformer")


class EmbeddingLinear(Classifier):
    """A white box that is no transformer: logits are linear in the sum of word embeddings.

    Every word of the text is one token, between one start token and nothing.
    """

    device = "cpu"
    precision = "float32"

    def __init__(self) -> None:
        super().__init__("embedding-linear", CLASSES)
        rng = torch.Generator().manual_seed(3)
        self.index = {word: i + 2 for i, word in enumerate(COEFFICIENTS)}
        self.table = torch.randn(len(self.index) + 2, 5, generator=rng)  # 0 pads, 1 is unknown
        self.network = torch.nn.Linear(5, 3)
        with torch.no_grad():
            self.network.weight.copy_(torch.randn(3, 5, generator=rng))
            self.network.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
        self.network.requires_grad_(False).eval()

    def _ids(self, text: str) -> list[int]:
        return [1] + [self.index.get(text[a:b].lower(), 1) for a, b in find_words(text)]

    def _probabilities_of_texts(self, texts: list[str]) -> np.ndarray:
        self.calls += len(texts)
        summed = torch.stack([self.table[self._ids(text)].sum(dim=0) for text in texts])
        return torch.softmax(self.network(summed).double(), dim=1).numpy()

    def _probabilities_of_masks(
        self, instances: list[TextInstance], masks: list[np.ndarray], removal: str
    ) -> list[np.ndarray]:
        return [
            self._probabilities_of_texts([one.render(row, removal) for row in rows])
            if len(rows)
            else np.empty((0, 3))
            for one, rows in zip(instances, masks, strict=True)
        ]

    def embed(self, instances: Sequence[TextInstance], width: int = 0) -> Embedded:
        ids = [self._ids(one.read_text) for one in instances]
        width = max([width, *map(len, ids)])
        padded = torch.tensor([row + [0] * (width - len(row)) for row in ids])
        attention = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        word = np.full((len(ids), width), -1)
        for row, own in zip(word, ids, strict=True):
            row[1 : len(own)] = np.arange(len(own) - 1)
        return Embedded(self.table[padded], attention, word)

    def padding_embedding(self) -> torch.Tensor:
        return self.table[0]

    def logits_from_embeddings(
        self, embeddings: torch.Tensor, attention: torch.Tensor
    ) -> torch.Tensor:
        return self.network((embeddings * attention[..., None]).sum(dim=1))


def copied(box: TokenWhiteBox) -> TokenWhiteBox:
    """Copy a black box with its network, without its counts and what it knows of itself."""
    own = copy.deepcopy(box)
    own.calls = 0
    for known in ("identity", "fingerprint"):
        own.__dict__.pop(known, None)
    return own


def make_box(name: str) -> Classifier:
    """Build a black box by name."""
    if name == "linear":
        return as_classifier(linear_function, CLASSES, "linear")
    if name == "softmax":
        return as_classifier(softmax_function, CLASSES, "softmax")
    others = {
        "tiny": make_tiny,
        "embedding": EmbeddingLinear,
        "bilstm": make_bilstm,
        "transformer": make_transformer,
    }
    return others[name]()


@pytest.fixture(scope="session")
def boxes() -> dict[str, Classifier]:
    """All black boxes by name."""
    names = ("linear", "softmax", "tiny", "embedding", "bilstm", "transformer")
    return {name: make_box(name) for name in names}


@pytest.fixture(scope="session")
def coefficients() -> Callable[[Sequence[str]], np.ndarray]:
    """(C, F) weights that the linear black box gives to words."""

    def of(words: Sequence[str]) -> np.ndarray:
        return np.array([COEFFICIENTS[word.lower()] for word in words]).T / 4

    return of


@pytest.fixture(scope="session")
def permuted() -> Callable[[Classifier, Sequence[int]], Classifier]:
    """Make the same black box with its classes in another order."""

    def of(box: Classifier, order: Sequence[int]) -> Classifier:
        classes = [box.classes[c] for c in order]
        if isinstance(box, TokenWhiteBox):
            own = copied(box)
            layer = own.output_layer()
            with torch.no_grad():
                layer.weight.copy_(layer.weight[list(order)].clone())
                layer.bias.copy_(layer.bias[list(order)].clone())
                vectors = getattr(own, "class_vectors", None)
                if vectors is not None:
                    vectors.copy_(vectors[list(order)].clone())
            own.classes = tuple(classes)
            return own
        return as_classifier(lambda texts: box.predict_proba(texts)[:, list(order)], classes)

    return of


@pytest.fixture
def counted() -> Callable[[Classifier], tuple[Classifier, list[int]]]:
    """Count what really goes through a black box, without asking the library."""

    def of(box: Classifier) -> tuple[Classifier, list[int]]:
        seen: list[int] = []
        if isinstance(box, TokenWhiteBox):
            own = copied(box)

            def count(_: object, arguments: tuple[torch.Tensor]) -> None:
                seen.append(len(arguments[0]))

            own.output_layer().register_forward_pre_hook(count)
            return own, seen

        def answer(texts: list[str]) -> np.ndarray:
            seen.append(len(texts))
            return box.predict_proba(texts)

        return as_classifier(answer, box.classes), seen

    return of
