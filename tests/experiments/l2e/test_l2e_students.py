"""Students on disk: the same when read, and one folder for each lesson."""

from __future__ import annotations

import numpy as np
import pytest

from xai_lib.data.wheels import cache_folder
from xai_lib.experiments.l2e.students import fitted, fitted_several, make_student
from xai_lib.explainers.l2e import L2E

TEXTS = ("good film rain", "bad sun film", "fine good", "poor rain film", "the sun is good")
WEIGHTS = ([3, 0, -1], [2, -1, 0.5], [1, 3], [1, 0.5, 0.1], [0, 0.5, 0, 3])
OTHER = ([1, 2, -1], [0, -1, 2.5], [3, 1], [-1, 0.5, 2], [1, -0.5, 0, 1])


@pytest.fixture
def lessons(write):
    return write(TEXTS, WEIGHTS)


def folders():
    return {one.name for one in (cache_folder() / "students").iterdir()}


@pytest.fixture
def no_fit(monkeypatch):
    """Stop everything from being fitted from here on."""

    def stop():
        def fails(self, *_, **__):
            raise AssertionError("it is fitted again")

        monkeypatch.setattr(L2E, "fit", fails)
        monkeypatch.setattr(L2E, "fit_several", fails)

    return stop


def explained(student, box):
    return [one.weights for one in student.explain([*TEXTS, "rain or sun"], box)]


def test_settings_of_the_profile_and_others_in_their_place(make_setting):
    student = make_student(make_setting(), "labelling", width=16, optimizer="sgd")
    assert (student.formulation, student.width, student.blocks) == ("labelling", 16, 1)
    assert (student.optimizer, student.epochs) == ("sgd", 2)


@pytest.mark.parametrize("formulation", ["ranking", "labelling"])
def test_read_back_they_are_the_same(make_setting, box, lessons, no_fit, formulation):
    setting = make_setting()
    student = make_student(setting, formulation)
    made = fitted(student, lessons, setting, 5)
    direct = explained(student.fit(lessons, box, 5), box)
    no_fit()
    read = fitted(student, lessons, setting, 5)
    for a, b, c in zip(explained(made, box), explained(read, box), direct, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert dict(read.facts) == dict(made.facts)
    assert read.facts["seconds"] > 0
    assert len(read.facts["validation"]) == 2
    assert read.digest == made.digest != ""


def test_each_lesson_has_its_own_folder(make_setting, make_box, lessons, write):
    setting, student = make_setting(), make_student(make_setting(), "ranking", epochs=1)
    fitted(student, lessons, setting, 0)
    n = 1
    other_box = make_setting()
    other_box.__dict__["classifier"] = make_box("another")
    for changed in (
        (student, write(TEXTS, OTHER), setting, 0),  # another teacher's weights
        (student, write(TEXTS, WEIGHTS, "occlusion"), setting, 0),
        (student, lessons[:4], setting, 0),
        (student, lessons[::-1], setting, 0),
        (student, lessons, setting, 1),
        (make_student(setting, "labelling", epochs=1), lessons, setting, 0),
        (make_student(setting, "ranking", epochs=1, ties="first"), lessons, setting, 0),
        (student, lessons, other_box, 0),
    ):
        fitted(*changed)
        n += 1
        assert len(folders()) == n, changed
    fitted(student, lessons, make_setting("another key"), 0)
    # A fitted student teaches nothing else than one that is not.
    fitted(fitted(student, lessons, setting, 0), lessons, setting, 0)
    assert len(folders()) == n


def test_one_student_of_several_teachers(make_setting, box, lessons, write, no_fit):
    setting = make_setting()
    student = make_student(setting, "labelling")
    both = {"lime": lessons, "occlusion": write(TEXTS, OTHER)}
    made = fitted_several(student, both, setting, 0)
    names = {"a": both["lime"], "b": both["occlusion"]}
    assert list(fitted_several(student, names, setting, 0).facts["teachers"]) == ["a", "b"]
    fitted(student, [*lessons, *both["occlusion"]], setting, 0)
    assert len(folders()) == 3
    no_fit()
    read = fitted_several(student, both, setting, 0)
    for name in both:
        for a, b in zip(
            explained(made.as_teacher(name), box), explained(read.as_teacher(name), box),
            strict=True,
        ):  # fmt: skip
            np.testing.assert_array_equal(a, b)
