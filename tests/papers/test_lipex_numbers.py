"""The printed numbers of the LIPEx paper, against a second transcription in the paper's layout."""

from __future__ import annotations

import pytest

from xai_lib import papers

METHODS_1 = [
    "lipex", "lime", "guided_backprop", "saliency", "input_x_gradient", "deeplift", "occlusion",
]  # fmt: skip
METHODS_2 = [
    "lipex", "lime", "xrai", "guided_ig", "blur_ig", "vanilla_gradient", "smoothgrad",
    "integrated_gradients",
]  # fmt: skip

# One line per K; mean and spread in hundredths.
TABLE_1 = {
    "newsgroups20": """
        78/5 78/3 39/5 39/5 38/5 38/5 45/5
        86/4 84/3 48/8 48/8 48/8 48/8 54/7
        90/2 86/5 52/7 52/7 52/7 52/7 60/8
        91/3 88/1 52/5 52/5 52/5 52/5 63/7
        92/3 90/2 55/4 55/4 57/3 57/3 65/6""",
    "emotion": """
        66/2 64/2 60/3 60/3 60/3 60/3 65/2
        72/4 69/4 61/3 61/3 62/3 63/3 66/2
        73/3 71/4 64/1 64/1 64/1 65/1 67/1
        73/3 70/5 62/1 62/1 63/1 64/1 70/1
        80/2 75/1 63/1 63/1 64/1 64/1 69/2""",
}
TABLE_2 = {
    "imagenette-vgg16": """
        76/3 74/1 71/3 72/3 71/1 68/2 75/2 70/2
        82/1 78/1 77/1 75/2 79/2 75/1 82/1 75/3
        87/2 80/1 80/3 79/1 81/2 81/1 84/1 77/2""",
    "imagenette-inceptionv3": """
        67/1 63/1 69/2 66/5 65/4 66/1 65/2 64/2
        75/1 71/5 70/3 67/5 70/3 65/3 68/5 71/3
        77/2 77/3 74/6 71/4 72/3 72/5 74/4 73/1""",
}
TABLE_3 = {
    "newsgroups20": "90/4 85/2 79/4 71/3 70/1",
    "emotion": "89/2 84/3 84/2 82/4 74/3",
    "imagenette-vgg16": "80/5 73/3 73/3 73/3 70/8",
    "imagenette-inceptionv3": "90/5 78/4 75/2 74/1 69/4",
}
TABLE_4 = {
    ("newsgroups20", 5000): "78 84 86 88 90",
    ("newsgroups20", 1000): "73 80 82 85 88",
    ("emotion", 5000): "64 69 71 70 75",
    ("emotion", 1000): "60 64 66 67 72",
}


def hundredths(cell: str) -> tuple[float, float | None]:
    mean, _, spread = cell.partition("/")
    return int(mean) / 100, int(spread) / 100 if spread else None


def by_key(item: str, *keys: str) -> dict[tuple, tuple]:
    rows = papers.published("lipex", item)
    assert rows is not None
    cells = {tuple(row[key] for key in keys): (row["mean"], row["sd"]) for row in rows}
    assert len(cells) == len(rows), "a cell occurs twice"
    return cells


@pytest.mark.parametrize(
    ("item", "printed", "methods", "first_k"),
    [("table-1", TABLE_1, METHODS_1, 1), ("table-2", TABLE_2, METHODS_2, 3)],
)
def test_removal_tables(item, printed, methods, first_k):
    wanted = {
        (setting, k, method): hundredths(cell)
        for setting, block in printed.items()
        for k, line in enumerate(block.strip().splitlines(), first_k)
        for method, cell in zip(methods, line.split(), strict=True)
    }
    assert by_key(item, "setting", "k", "method") == wanted


def test_table_3():
    wanted = {
        (setting, k): hundredths(cell)
        for setting, line in TABLE_3.items()
        for k, cell in enumerate(line.split(), 1)
    }
    assert by_key("table-3", "setting", "k") == wanted


def test_table_4():
    wanted = {
        (setting, n, k): hundredths(cell)
        for (setting, n), line in TABLE_4.items()
        for k, cell in enumerate(line.split(), 1)
    }
    assert by_key("table-4", "setting", "n_samples", "k") == wanted


def test_table_4_repeats_lime_of_table_1():
    lime = {k: v[0] for k, v in by_key("table-1", "setting", "k", "method").items()}
    for (setting, n, k), (mean, _) in by_key("table-4", "setting", "n_samples", "k").items():
        if n == 5000:
            assert mean == lime[setting, k, "lime"]
        else:
            assert mean < lime[setting, k, "lime"]


def test_table_5():
    assert by_key("table-5", "setting", "method", "n_samples") == {
        ("emotion", "lipex", 1000): (8.66, None),
        ("emotion", "lime", 5000): (15.0, None),
        ("newsgroups20", "lipex", 1000): (40.82, None),
        ("newsgroups20", "lime", 5000): (113.04, None),
    }


def test_53_percent_is_the_mean_of_the_two_savings():
    cells = by_key("table-5", "setting", "method")
    saving = {
        setting: 1 - cells[setting, "lipex"][0] / cells[setting, "lime"][0]
        for setting in ("emotion", "newsgroups20")
    }
    assert round(100 * saving["emotion"], 1) == 42.3
    assert round(100 * saving["newsgroups20"], 1) == 63.9
    (claim,) = (c for c in papers.claims("lipex") if c.id == "lipex-faster-53")
    assert round(sum(saving.values()) / 2, 2) == claim.parameters["claimed"] == 0.53


def test_table_6():
    rows = papers.published("lipex", "table-6")
    assert rows is not None
    assert {row["parameter"]: row["value"] for row in rows} == {
        "n_samples": 1000,
        "learning_rate": 0.01,
        "l2": 0.001,
        "batch_size": 128,
    }


def test_table_7():
    assert by_key("table-7", "modality", "delta") == {
        ("text", "pi/16"): (138, None),
        ("text", "pi/8"): (659, None),
        ("text", "pi/4"): (2383, None),
        ("text", "pi/2"): (5000, None),
        ("image", "7pi/30"): (228, None),
        ("image", "8pi/30"): (774, None),
        ("image", "9pi/30"): (994, None),
        ("image", "pi/2"): (1000, None),
    }


def test_guided_backprop_and_saliency_are_printed_alike():
    cells = by_key("table-1", "setting", "k", "method")
    for (setting, k, method), cell in cells.items():
        if method == "guided_backprop":
            assert cell == cells[setting, k, "saliency"]
