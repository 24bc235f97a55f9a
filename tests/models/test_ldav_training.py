"""The losses by hand, their gradients, padding; training with and without class vectors."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from xai_lib.data.planted import planted_pairs
from xai_lib.models import load_classifier
from xai_lib.models.ldav_training import LdavLosses, distances, separation, text_vectors
from xai_lib.models.networks import NETWORKS, new_network
from xai_lib.models.pair_classifier import PairClassifier
from xai_lib.models.scratch import ScratchClassifier
from xai_lib.models.scratch_run import TrainingRun
from xai_lib.models.scratch_training import ScratchRecipe, train_scratch

CLASSES = ["bad", "good"]
SMALL = ScratchRecipe(
    epochs=3, batch_size=8, learning_rate=1e-2, width=8, max_length=6, min_count=1
)
TEXTS = ["great film", "awful film was it", "the great plot", "awful", "a great actor"] * 6
LABELS = np.array([1, 0, 1, 0, 1] * 6)


def tensor(rows: Any) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


# Losses ---------------------------------------------------------------------------------------

LOGITS = tensor([[0.0, np.log(3.0)], [np.log(4.0), 0.0]])  # probabilities 1/4, 3/4 and 4/5, 1/5
GOLD = torch.tensor([1, 1])
MEANS = tensor([[1.0, 0.0], [0.0, 2.0]])
VECTORS = tensor([[3.0, 4.0], [0.0, 5.0]])
L1 = -(np.log(3 / 4) + np.log(1 / 5)) / 2 / 2


@pytest.mark.parametrize(
    ("settings", "l2"),
    [
        # Predicted classes are 1 and 0: cosines 0 and 4/5.
        ({}, (1 + 1 / 5) / 2),
        # Both gold classes are 1: cosines 0 and 1.
        ({"target": "gold"}, (1 + 0) / 2),
        ({"distance": "euclidean"}, (np.sqrt(26) + np.sqrt(13)) / 2),
        ({"target": "gold", "distance": "euclidean"}, (np.sqrt(26) + 3) / 2),
    ],
)
def test_attraction_by_hand(settings: dict[str, str], l2: float) -> None:
    losses = LdavLosses(rho1=0.5, rho2=0.0, **settings)  # type: ignore[arg-type]
    found = losses.of_batch(LOGITS, GOLD, MEANS, VECTORS)
    assert float(found) == pytest.approx(L1 + 0.5 * l2, abs=1e-12)


@pytest.mark.parametrize(("l3", "expected"), [("literal", 2 * (9 + 1)), ("normalised", 2 * 0.4)])
def test_separation_by_hand(l3: str, expected: float) -> None:
    # Directions (0.6, 0.8) and (0, 1): 0.36 + 0.04.
    losses = LdavLosses(rho1=0.0, rho2=0.1, l3=l3)
    found = losses.of_batch(LOGITS, GOLD, MEANS, VECTORS)
    assert float(found) == pytest.approx(L1 - 0.1 * expected, abs=1e-12)


def test_without_weights_it_is_the_cross_entropy_over_the_classes() -> None:
    found = LdavLosses(rho1=0.0, rho2=0.0).of_batch(LOGITS, GOLD, MEANS, VECTORS)
    assert float(found) == pytest.approx(L1, abs=1e-12)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_separation_is_the_sum_over_pairs_and_bounded(k: int) -> None:
    vectors = torch.from_numpy(np.random.default_rng(k).standard_normal((k, 4)) * 10)
    for how in ("literal", "normalised"):
        rows = [v / v.norm() if how == "normalised" else v for v in vectors]
        slow = sum(float(((a - b) ** 2).sum()) for a in rows for b in rows)
        assert float(separation(vectors, how)) == pytest.approx(slow, rel=1e-12)
    assert float(separation(vectors)) <= 2 * k**2
    # The bound is reached where the directions sum to zero.
    angles = 2 * np.pi * np.arange(k) / k
    circle = tensor(np.stack([np.cos(angles), np.sin(angles)], axis=1)) * 7
    assert float(separation(circle)) == pytest.approx(2 * k**2, rel=1e-12)
    same = torch.ones(k, 3, dtype=torch.float64)
    assert float(separation(same)) == pytest.approx(0, abs=1e-12)


def test_distances_by_hand() -> None:
    one, other = tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]]), tensor([[0.0, 2.0]] * 3)
    cosine, euclidean = (distances(one, other, how) for how in ("cosine", "euclidean"))
    np.testing.assert_allclose(cosine, [0.2, 1.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(euclidean, np.sqrt([13.0, 5.0, 4.0]), atol=1e-12)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("l3", ["normalised", "literal"])
def test_gradients(distance: str, l3: str) -> None:
    losses = LdavLosses(rho1=0.7, rho2=0.3, distance=distance, l3=l3)
    rng = np.random.default_rng(0)
    logits, texts, vectors = (
        torch.from_numpy(rng.standard_normal(shape)).requires_grad_()
        for shape in ((4, 3), (4, 5), (3, 5))
    )
    gold = torch.tensor([0, 2, 1, 1])
    assert torch.autograd.gradcheck(
        lambda a, b, c: losses.of_batch(a, gold, b, c), (logits, texts, vectors)
    )


def test_the_predicted_class_passes_no_gradient() -> None:
    logits = LOGITS.clone().requires_grad_()
    alone, whole = (
        torch.autograd.grad(LdavLosses(rho1=rho).of_batch(logits, GOLD, MEANS, VECTORS), logits)[0]
        for rho in (0.0, 1.0)
    )
    assert torch.equal(alone, whole)


def test_padding_never_counts() -> None:
    rng = np.random.default_rng(1)
    words = torch.from_numpy(rng.standard_normal((2, 5, 3)))
    words[0, 2:] = torch.nan
    attention = torch.tensor([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1]])
    found = text_vectors(words, attention)
    np.testing.assert_allclose(found[0], words[0, :2].numpy().mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(found[1], words[1].numpy().mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(text_vectors(words[1:], None), found[1:], atol=1e-12)


def test_a_pair_is_the_product_of_two_means() -> None:
    words = tensor([[[1, 2], [3, 4], [5, 6], [7, 7]], [[1, 1], [2, 2], [3, 3], [9, 9]]])
    found = text_vectors(words, torch.tensor([[1, 1, 2, 0], [1, 1, 1, 0]]), pairs=True)
    assert found.tolist() == [[2 * 5, 3 * 6], [0, 0]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rho1": -1.0}, "rho1 must be a number of at least 0, got -1.0"),
        ({"rho2": float("nan")}, "rho2 must be .* got nan"),
        ({"l3": "mean"}, "Unknown l3 'mean'. Valid: normalised, literal"),
        ({"target": "true"}, "Unknown target 'true'. Valid: predicted, gold"),
        ({"distance": "l1"}, "Unknown distance 'l1'. Valid: cosine, euclidean"),
    ],
)
def test_settings_that_are_none(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LdavLosses(**settings)


# Training -------------------------------------------------------------------------------------


def train(recipe: ScratchRecipe) -> tuple[ScratchClassifier, dict[str, Any]]:
    return train_scratch(TEXTS, LABELS, CLASSES, recipe)


@pytest.mark.parametrize("network", ["bilstm", "transformer"])
def test_a_network_learns_class_vectors_and_keeps_them(network: str, tmp_path: Path) -> None:
    recipe = dataclasses.replace(SMALL, network=network, epochs=2)
    plain, facts = train(recipe)
    ldav, more = train(dataclasses.replace(recipe, ldav=LdavLosses()))
    again, _ = train(dataclasses.replace(recipe, ldav=LdavLosses()))
    assert plain.class_vectors is None
    assert "class_vector_norms" not in facts
    assert ldav.class_vectors is not None
    assert not ldav.class_vectors.requires_grad
    np.testing.assert_allclose(
        more["class_vector_norms"], np.linalg.norm(ldav.class_vectors, axis=1), atol=1e-6
    )
    assert ldav.identity == again.identity != plain.identity
    assert type(ldav.model) is NETWORKS[network]
    ldav.save(tmp_path)
    loaded: Any = load_classifier(tmp_path, device="cpu")
    assert torch.equal(loaded.class_vectors, ldav.class_vectors)
    assert loaded.identity == ldav.identity
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), ldav.predict_proba(TEXTS))


def test_class_vectors_leave_the_start_alone() -> None:
    for network in NETWORKS:
        plain, other = (new_network(9, 3, 8, seed=4, network=network) for _ in range(2))
        before = torch.get_rng_state()
        other.add_class_vectors(4)
        assert torch.equal(before, torch.get_rng_state())
        assert other.class_vectors is not None
        assert other.class_vectors.shape == (3, 8)
        weights = other.state_dict()
        assert set(weights) - set(plain.state_dict()) == {"class_vectors"}
        assert all(torch.equal(value, weights[key]) for key, value in plain.state_dict().items())


def test_every_loss_moves_what_it_says() -> None:
    """One step of Adam: without L2 and L3 the vectors stay, L3 moves nothing else."""
    recipe = dataclasses.replace(SMALL, epochs=1, batch_size=99)

    def moved(rho1: float, rho2: float) -> tuple[torch.Tensor, torch.Tensor]:
        box, _ = train(dataclasses.replace(recipe, ldav=LdavLosses(rho1=rho1, rho2=rho2)))
        assert box.class_vectors is not None
        return box.class_vectors, box.model.embedding.weight

    untrained = new_network(3, 2, 8)
    untrained.add_class_vectors(0)
    start = untrained.class_vectors
    assert start is not None
    assert torch.equal(moved(0, 0)[0], start)
    assert (moved(0, 1e-3)[0] - start).abs().max() > 1e-3
    assert (moved(1, 0)[0] - start).abs().max() > 1e-3
    # So little that the clipping of gradients, which the terms share, has nothing to do.
    assert torch.equal(moved(0, 1e-3)[1], moved(0, 0)[1])
    assert (moved(1, 0)[1] - moved(0, 0)[1]).abs().max() > 1e-3


def test_long_class_vectors_do_not_shrink_what_the_network_learns() -> None:
    """The literal L3 of long vectors has gradients without end; they are not clipped together."""
    texts, target = TEXTS[:10], torch.from_numpy(LABELS[:10])

    def gradients(rho2: float, length: float) -> tuple[dict[str, torch.Tensor], TrainingRun]:
        losses = LdavLosses(rho1=30.0, rho2=rho2, l3="literal")
        recipe = dataclasses.replace(SMALL, batch_size=99, dropout=(0, 0, 0), ldav=losses)
        network = new_network(20, 2, 8, recipe.dropout, seed=1)
        network.add_class_vectors(0)
        assert network.class_vectors is not None
        with torch.no_grad():
            network.class_vectors *= length
        inputs = [np.arange(2, 2 + len(text.split())) + i for i, text in enumerate(texts)]
        everything = np.arange(10)
        run = TrainingRun(network, inputs, target, everything, everything, recipe, "cpu")
        found: dict[str, torch.Tensor] = {}

        def keep() -> None:
            for name, parameter in network.named_parameters():
                assert parameter.grad is not None
                found[name] = parameter.grad.clone()

        run.optimizer.step = keep  # type: ignore[method-assign, assignment]
        run.epoch(None)
        return found, run

    plain, _ = gradients(0.0, 1.0)
    long, run = gradients(1.0, 1e5)
    vectors = long.pop("class_vectors")
    plain.pop("class_vectors")
    # L3 is 2 k sum |z|^2 - 2 |sum z|^2, with k = 2.
    z = run.network.class_vectors
    assert z is not None
    expected = -4 * (2 * z.detach() - z.detach().sum(dim=0))
    torch.testing.assert_close(vectors, expected, rtol=1e-4, atol=1e-3)
    assert float(vectors.norm()) > 1e5
    # L2 by the cosine is the same whatever the length is, and so is what the network gets.
    for name, value in plain.items():
        torch.testing.assert_close(long[name], value, rtol=1e-3, atol=1e-6)
    length = math.sqrt(sum(float(value.double().square().sum()) for value in long.values()))
    raw = torch.autograd.grad(run._loss(np.arange(10)), run.clipped)
    whole = math.sqrt(sum(float(value.double().square().sum()) for value in raw))
    assert whole > 1
    assert length == pytest.approx(1, abs=1e-4)


def test_class_vectors_end_far_apart_and_near_their_texts() -> None:
    recipe = dataclasses.replace(SMALL, epochs=30, patience=30, ldav=LdavLosses(rho1=1, rho2=0.1))
    box, _ = train(recipe)
    assert box.class_vectors is not None
    unit = torch.nn.functional.normalize(box.class_vectors, dim=1)
    assert float(unit[0] @ unit[1]) < 0
    with torch.no_grad():
        for text, label in zip(TEXTS[:5], LABELS, strict=False):
            mean = box.embed([box.instance(text)]).embeddings[0].mean(dim=0)
            cosine = torch.nn.functional.cosine_similarity(mean[None], unit)
            assert int(cosine.argmax()) == label


def test_pairs_are_trained(tmp_path: Path) -> None:
    data = planted_pairs(60, min_words=2, max_words=3)
    recipe = dataclasses.replace(SMALL, network="decomposable", ldav=LdavLosses(), epochs=2)
    box, facts = train_scratch(data.texts, data.labels, data.classes, recipe)
    assert isinstance(box, PairClassifier)
    assert len(facts["class_vector_norms"]) == 3
    again, _ = train_scratch(data.texts, data.labels, data.classes, recipe)
    assert again.identity == box.identity


# Recipes --------------------------------------------------------------------------------------


def test_recipes_read_as_they_did() -> None:
    assert ScratchRecipe(width=32).to_dict() == {
        "epochs": 15, "batch_size": 32, "learning_rate": 1e-3, "patience": 2, "held_out": 0.1,
        "max_length": 256, "vocabulary": 20000, "min_count": 2, "width": 32,
        "dropout": [0.3, 0.3, 0.5], "embedding_std": 0.3, "n_train": None, "seed": 0,
    }  # fmt: skip
    other = ScratchRecipe(network="transformer", ldav=LdavLosses(rho1=0.5)).to_dict()
    assert other["network"] == "transformer"
    assert other["dropout"] == [0.1]
    assert other["ldav"] == {
        "rho1": 0.5, "rho2": 0.01, "l3": "normalised", "target": "predicted", "distance": "cosine",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"'gru'. Valid networks are: bilstm, transformer, decom"):
        ScratchRecipe(network="gru")
