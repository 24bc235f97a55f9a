"""The key of a run changes with everything that can change a number, and with nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.runner.conftest import Write
from xai_lib.runner import keys
from xai_lib.runner.keys import notebook_sha256, run_key
from xai_lib.runner.project import Project

PARAMETERS = {"profile": "ci", "device": "cpu", "seed": 0}


def test_prose_and_outputs_do_not_change_the_key(project: Project, write: Write) -> None:
    path = write("1 + 1")
    key, sha = run_key(project, "toy", PARAMETERS), notebook_sha256(path)
    write("1 + 1", prose="# Quite other words")
    assert (run_key(project, "toy", PARAMETERS), notebook_sha256(path)) == (key, sha)


def test_each_cause_changes_the_key(
    project: Project, write: Write, tmp_path: Path, package: dict[str, str]
) -> None:
    data = tmp_path / "data"
    (data / "emotion").mkdir(parents=True)
    (data / "emotion" / "meta.json").write_text('{"sha256": "a"}')
    write("1 + 1")
    seen = [run_key(project, "toy", PARAMETERS)]

    def note(**changes: object) -> None:
        seen.append(run_key(project, "toy", PARAMETERS | changes, data))

    note()
    note(seed=1)
    (data / "emotion" / "meta.json").write_text('{"sha256": "b"}')
    note()
    (project.root / "notebooks" / "profiles").mkdir()
    (project.root / "notebooks" / "profiles" / "toy.yaml").write_text("ci: {n_texts: 3}")
    note()
    package["explainers/lime.py"] = "tree 2"
    note()
    write("1 + 2")
    note()
    write("1 +", " 2")
    note()
    assert len(set(seen)) == len(seen)
    assert run_key(project, "toy", PARAMETERS, data) == seen[-1]


def test_comments_layout_and_docstrings_of_the_library_do_not_count() -> None:
    first = '"""Old."""\ndef f(a):\n    """Old."""\n    return a + 1  # why\n'
    second = '"""New."""\n\n\ndef f( a ):\n    """New."""\n    return (a + 1)\n'
    other = "def f(a):\n    return a + 2\n"
    assert keys._without_prose(first) == keys._without_prose(second)
    assert keys._without_prose(first) != keys._without_prose(other)
    # A string that is not a docstring is code.
    assert keys._without_prose("x = 'a'") != keys._without_prose("x = 'b'")
