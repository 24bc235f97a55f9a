"""The printed numbers of the PFLex paper, against what BERT-base's dimensions make of them."""

from __future__ import annotations

import math

import pytest

from xai_lib import papers

# BERT-base: width, layers, width of the feed-forward part.
WIDTH, LAYERS, INNER = 768, 12, 3072


def by_key(item: str, *keys: str) -> dict[tuple, float]:
    rows = papers.published("pflex", item)
    assert rows is not None
    assert all(row["sd"] is None for row in rows), "the paper prints no spread"
    cells = {tuple(row.get(key) for key in keys): row["mean"] for row in rows}
    assert len(cells) == len(rows), "a cell occurs twice"
    return cells


def linear_gmacs(words: int) -> float:
    """Multiply-accumulates of the weight matrices, a token for each word, [CLS] and [SEP]."""
    queries_keys_values_output = 4 * WIDTH * WIDTH
    feed_forward = WIDTH * INNER + INNER * WIDTH
    return (words + 2) * LAYERS * (queries_keys_values_output + feed_forward) / 1e9


def costs() -> dict[tuple, float]:
    return by_key("figure-8", "quantity", "words", "method")


def test_every_figure_is_listed_and_there_are_no_tables():
    listed = [item.id for item in papers.items("pflex") if item.kind != "added"]
    assert listed == [f"figure-{number}" for number in range(1, 9)]
    printed = {item.id for item in papers.items("pflex") if item.printed}
    assert printed == {"figure-6", "figure-7", "figure-8", "black-boxes"}


def test_figure_6():
    assert by_key("figure-6", "setting", "measure", "k", "method") == {
        ("emotion", "accuracy", 0, "lime"): 0.934,
        ("emotion", "accuracy", 0, "pflex"): 0.934,
        ("emotion", "accuracy", 1, "lime"): 0.1977,
        ("emotion", "accuracy", 1, "pflex"): 0.342,
        ("depression", "accuracy", 0, "lime"): 0.988,
        ("depression", "accuracy", 0, "pflex"): 0.988,
    }
    assert by_key("black-boxes", "setting") == {("emotion",): 0.934, ("depression",): 0.988}


def test_figure_7():
    assert by_key("figure-7", "share", "method") == {(1.0, "pflex"): 0.6, (0.1, "pflex"): 0.9}
    assert "lower bound" in papers.item("pflex", "figure-7").about


def test_figure_8():
    assert costs() == {
        ("seconds", 10, "lime (256)"): 5.0,
        ("seconds", 20, "lime"): 7.13,
        ("seconds", 30, "lime (4096)"): 40.77,
        ("seconds", 10, "pflex"): 0.52,
        ("seconds", 20, "pflex"): 0.54,
        ("seconds", 30, "pflex"): 0.55,
        ("gmacs_whole", 10, "lime (256)"): 261,
        ("gmacs_whole", 30, "lime (4096)"): 11147,
        ("gmacs_whole", 10, "pflex"): 1.02,
        ("gmacs_whole", 30, "pflex"): 2.72,
    }


@pytest.mark.parametrize(("words", "gmacs"), [(10, 1.019), (30, 2.718)])
def test_flops_of_pflex_are_gmacs_of_one_pass(words, gmacs):
    assert round(linear_gmacs(words), 3) == gmacs
    assert round(linear_gmacs(words), 2) == costs()["gmacs_whole", words, "pflex"]


def test_what_one_pass_is_not():
    # Other readings of the unit miss the printed numbers: twice as many operations, no [CLS] and
    # [SEP], or the products between tokens counted too at 30 words.
    for words in (10, 30):
        printed = costs()["gmacs_whole", words, "pflex"]
        assert round(2 * linear_gmacs(words), 2) != printed
        assert round(linear_gmacs(words - 2), 2) != printed
    between = LAYERS * 2 * 32**2 * WIDTH / 1e9
    assert round(linear_gmacs(30) + between, 2) == 2.74


@pytest.mark.parametrize(("words", "passes"), [(10, 2**8), (30, 2**12)])
def test_passes_of_lime(words, passes):
    """The printed cost of LIME is that of a power of two of passes, to half a per cent."""
    printed = costs()["gmacs_whole", words, f"lime ({passes})"]
    assert printed / linear_gmacs(words) == pytest.approx(passes, rel=0.005)
    # So it is with the rounded cost of a pass, which is all that a reader of the figure has.
    ratio = printed / costs()["gmacs_whole", words, "pflex"]
    assert round(math.log2(ratio)) == math.log2(passes)
    assert abs(math.log2(ratio) - math.log2(passes)) < 0.005


def test_orders_of_magnitude():
    found = costs()
    short = found["gmacs_whole", 10, "lime (256)"] / found["gmacs_whole", 10, "pflex"]
    long = found["gmacs_whole", 30, "lime (4096)"] / found["gmacs_whole", 30, "pflex"]
    assert (round(short), round(long)) == (256, 4098)
    assert (round(math.log10(short), 2), round(math.log10(long), 2)) == (2.41, 3.61)
    (claim,) = (c for c in papers.claims("pflex") if c.id == "pflex-four-orders")
    # The least that rounds to four orders; the longer pair reaches it, the shorter does not.
    assert claim.parameters["at_least"] == math.floor(10**3.5) == 3162
    assert short < claim.parameters["at_least"] < long


def test_number_of_test_texts():
    """Both shares after one word are counts out of 1199 texts, one less than 6 x 200."""
    cells = by_key("figure-6", "setting", "k", "method")
    printed = [round(100 * cells["emotion", 1, method], 2) for method in ("lime", "pflex")]
    assert printed == [19.77, 34.2]

    def possible(n: int, percent: float) -> bool:
        return any(round(100 * right / n, 2) == percent for right in range(n + 1))

    found = [n for n in range(1100, 1301) if all(possible(n, percent) for percent in printed)]
    assert found == [1199, 1234]
    assert [round(1199 * percent / 100) for percent in printed] == [237, 410]
    assert [n for n in found if n <= 6 * 200] == [1199], "200 texts of each class were drawn"


def test_thresholds_of_the_claims_follow_from_the_printed_numbers():
    """The paper's own numbers pass each criterion that has a printed number."""
    claims = {claim.id: claim.parameters for claim in papers.claims("pflex")}
    found = costs()
    short = found["seconds", 10, "lime (256)"] / found["seconds", 10, "pflex"]
    long = found["seconds", 30, "lime (4096)"] / found["seconds", 30, "pflex"]
    assert (round(short, 1), round(long, 1)) == (9.6, 74.1)
    assert claims["pflex-faster-short"]["at_least"] == round(0.9 * short, 1) == 8.7
    assert claims["pflex-faster-long"]["at_least"] == round(0.9 * long) == 67
    growth = {
        "pflex-time-stays": found["seconds", 30, "pflex"] / found["seconds", 10, "pflex"],
        "pflex-lime-growth-is-budget": short_to_long(found) / 2,
    }
    assert round(growth["pflex-time-stays"], 2) == 1.06
    assert claims["pflex-time-stays"]["at_most"] == 1.25
    assert claims["pflex-lime-growth-is-budget"]["at_most"] == 4.1
    assert round(growth["pflex-lime-growth-is-budget"], 1) == 4.1
    drop = by_key("figure-6", "setting", "k", "method")
    lost = drop["emotion", 0, "pflex"] - drop["emotion", 1, "pflex"]
    assert round(lost, 3) == 0.592
    assert claims["pflex-top-word-emotion"]["by"] == 0.5
    gap = drop["emotion", 1, "pflex"] - drop["emotion", 1, "lime"]
    assert round(gap, 3) == 0.144
    assert claims["pflex-close-to-lime-emotion"]["tolerance"] == 0.15
    assert claims["pflex-close-to-lime-depression"]["tolerance"] == 0.15


def short_to_long(found: dict[tuple, float]) -> float:
    return found["seconds", 30, "lime (4096)"] / found["seconds", 10, "lime (256)"]
