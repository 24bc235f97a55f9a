"""Seconds, and how many times as long a teacher takes."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.experiments.l2e import timing
from xai_lib.experiments.l2e.timing import (
    StudentAlone,
    speed_rows,
    student_time_rows,
    time_all,
    timing_rows,
)

approx = pytest.approx
NAN = float("nan")
# LIME explained the first two of three documents.
SECONDS = {
    "gradient": np.array([2.0, 4.0, 8.0]),
    "l2e": np.array([1.0, 1.0, 2.0]),
    "lime": np.array([10.0, 40.0, NAN]),
    "ranking, gradient": np.array([1.0, 2.0, 4.0]),
    "labelling, gradient": np.array([2.0, 2.0, 2.0]),
    "ranking, occlusion": np.array([1.0, 1.0, 1.0]),
}


def test_seconds_of_the_documents_that_were_timed(make_setting, cell):
    rows, pairs = timing_rows(make_setting("sst2"), SECONDS, 0)
    assert [(row["method"], row["mean"], row["n"]) for row in rows] == [
        ("gradient", approx(14 / 3), 3), ("l2e", approx(4 / 3), 3), ("lime", 25.0, 2),
    ]  # fmt: skip
    assert {row["setting"] for row in rows} == {"sst2"}
    assert cell(pairs, second="gradient")["difference"] == approx(-10 / 3)
    pair = cell(pairs, first="l2e", second="lime")
    assert (pair["difference"], pair["n"]) == (-24.0, 2)
    assert len(pairs) == 2


def test_ratios_are_geometric_means(make_setting, cell):
    rows = speed_rows(make_setting(), SECONDS, 0)
    # 2 4 4 and 10 40.
    gradient, lime = cell(rows, teacher="gradient"), cell(rows, teacher="lime")
    assert (gradient["mean"], gradient["n"]) == (approx(32 ** (1 / 3)), 3)
    assert (lime["mean"], lime["n"]) == (approx(20), 2)
    for row in (gradient, lime):
        assert 0 < row["low"] <= row["mean"] <= row["high"]
    # The interval is one of the logarithms: that of the inverse ratio is the inverse one.
    turned = speed_rows(make_setting(), {"l2e": SECONDS["gradient"], "x": SECONDS["l2e"]}, 0)[0]
    assert turned["mean"] == approx(1 / gradient["mean"])
    assert cell(rows, teacher="fastest") == {**gradient, "teacher": "fastest"}
    assert cell(rows, teacher="slowest") == {**lime, "teacher": "slowest"}
    assert len(rows) == 4


def test_without_a_student_there_is_no_ratio(make_setting):
    others = {name: some for name, some in SECONDS.items() if name != "l2e"}
    assert speed_rows(make_setting(), others, 0) == []
    assert timing_rows(make_setting(), others, 0)[1] == []
    assert speed_rows(make_setting(), {"l2e": SECONDS["l2e"]}, 0) == []


def test_students_against_one_another(make_setting):
    rows = student_time_rows(make_setting(), SECONDS, 0)
    found = {(r["formulation"], r["teacher"], r["measure"]): r["mean"] for r in rows}
    # 1/2 2/2 4/2 and 1/1 2/1 4/1.
    assert found == {
        ("ranking", "gradient", "seconds"): approx(7 / 3),
        ("ranking", "gradient", "over that of labelling"): approx(1),
        ("ranking", "gradient", "over that taught by occlusion"): approx(2),
        ("ranking", "occlusion", "seconds"): approx(1),
        ("labelling", "gradient", "seconds"): approx(2),
    }


def test_a_student_alone_is_told_the_class(box, make_explained):
    texts = list(make_explained().sample.documents.texts)
    asked = []

    class Student:
        def scores(self, instances, predicted):
            asked.extend(zip([one.words for one in instances], predicted, strict=True))

    alone = StudentAlone(Student(), {text: i for i, text in enumerate(texts)})
    alone.explain([texts[2], texts[1]], box)
    assert asked == [(("good", "fine"), 2), (("bad", "film", "fine", "sun"), 1)]
    assert box.calls == 0


def test_who_is_timed_on_what(make_explained, monkeypatch):
    explained = make_explained(
        teachers={name: [[1] * 4, [1] * 4, [1] * 2, [1] * 4, [1] * 3]
                  for name in ("occlusion", "lime")}
    )  # fmt: skip
    students = {name: [object()] for name in (("lime", "labelling"), ("lime", "ranking"))}
    explained.students.update(students)
    runs = []

    def turns(methods, texts, box, seed, key):
        runs.append((list(methods), list(texts)))
        kinds.update({name: type(one).__name__ for name, one in methods.items()})
        kinds["alone"] = getattr(methods.get("ranking, lime"), "predicted", kinds.get("alone"))
        return {"seconds": {name: np.arange(1.0, len(texts) + 1) for name in methods}}

    kinds = {}
    monkeypatch.setattr(timing, "in_turns", turns)
    found = time_all(explained)
    texts = list(explained.sample.documents.texts)
    # LIME, which samples, explains `timed_slow` of the documents.
    assert runs == [
        (["occlusion", "l2e", "labelling, lime", "ranking, lime"], texts), (["lime"], texts[:1]),
    ]  # fmt: skip
    assert (kinds["occlusion"], kinds["lime"]) == ("Occlusion", "Lime")
    assert (kinds["l2e"], kinds["ranking, lime"]) == ("object", "StudentAlone")
    assert kinds["alone"] == dict(zip(explained.sample.pool.texts, (1, 0, 1, 1, 0), strict=True))
    np.testing.assert_array_equal(found["lime"], [1, NAN, NAN])
    np.testing.assert_array_equal(found["l2e"], [1, 2, 3])
