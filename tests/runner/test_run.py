"""Execution: success, failure, resuming, publishing. Each test starts real kernels."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import nbformat
import pytest
from rich.console import Console

from tests.runner.conftest import Write
from xai_lib.run import run_notebooks
from xai_lib.runner.errors import NotebookError, RunnerError
from xai_lib.runner.project import Project
from xai_lib.runner.publish import publish_notebooks, refresh_prose
from xai_lib.runner.records import RunRecord
from xai_lib.runner.settings import RunSettings

CI = RunSettings(profile="ci", device="cpu", jobs=1)
REPORT = """
import json, os, sys
from pathlib import Path
folder = Path(os.environ["XAI_RESULTS_DIR"]) / "toy"
folder.mkdir(parents=True)
names = ["XAI_PROFILE", "OMP_NUM_THREADS", "XAI_DATA_DIR"]
seen = {name: os.environ.get(name) for name in names}
seen |= {"python": sys.executable, "cwd": os.getcwd(), "profile": profile, "seed": seed}
(folder / "seen.json").write_text(json.dumps(seen))
"""


def run(project: Project, settings: RunSettings = CI) -> tuple[dict[str, RunRecord], str]:
    console = Console(file=io.StringIO(), width=200)
    records = run_notebooks(project, (), settings, console)
    return records, console.file.getvalue()  # type: ignore[attr-defined]


def test_a_notebook_runs_with_its_parameters_in_this_interpreter(
    project: Project, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XAI_DATA_DIR", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "99")
    write(REPORT, "print('six', 2 * 3)")
    records, said = run(project)
    staged = project.staged("ci")
    cores = len(os.sched_getaffinity(0))
    assert json.loads((staged.results / "toy" / "seen.json").read_text()) == {
        "XAI_PROFILE": "ci",
        "OMP_NUM_THREADS": str(cores),
        "XAI_DATA_DIR": None,
        "python": sys.executable,
        "cwd": str(project.root / "notebooks"),
        "profile": "ci",
        "seed": 0,
    }
    assert os.environ["OMP_NUM_THREADS"] == "99"
    executed = nbformat.read(staged.notebook("toy"), as_version=4)
    assert executed.cells[-1].outputs[0].text == "six 6\n"
    assert [c.execution_count for c in executed.cells if c.cell_type == "code"] == [1, 2, 3, 4]
    assert "papermill" not in executed.metadata
    assert "toy: started, 3 code cells" in said
    assert str(staged.notebook("toy")) in said
    assert records["toy"] == RunRecord.load(staged.run_record("toy"))
    assert len(records["toy"].cells) == 3


def test_a_failing_cell_stops_with_its_number_source_error_and_file(
    project: Project, write: Write
) -> None:
    write("a = 1", "# the bad one\na / 0", "a = 2")
    with pytest.raises(NotebookError) as caught:
        run(project)
    error = caught.value
    assert (error.notebook, error.cell, error.n_cells) == ("toy", 3, 4)
    assert error.source == "# the bad one\na / 0"
    assert error.error == "ZeroDivisionError: division by zero"
    assert error.path == project.raw("ci", "toy")
    partial = nbformat.read(error.path, as_version=4)
    assert any(o.output_type == "error" for c in partial.cells for o in c.get("outputs", []))
    for part in ("toy: code cell 3 of 4 failed", "    a / 0", error.error, str(error.path)):
        assert part in str(error)
    # Nothing of it may pass for a finished run.
    assert not project.staged("ci").notebook("toy").exists()
    assert not project.staged("ci").run_record("toy").exists()


def test_a_dead_kernel_is_a_failure_and_not_a_wait(project: Project, write: Write) -> None:
    write("import os\nos._exit(3)")
    with pytest.raises(NotebookError, match=r"code cell 2 of 2 failed[\s\S]*DeadKernelError"):
        run(project)


def test_finished_work_is_skipped_until_something_changes(project: Project, write: Write) -> None:
    write("import uuid\nprint(uuid.uuid4())")
    first, _ = run(project)
    executed = project.staged("ci").notebook("toy").read_bytes()
    again, said = run(project)
    assert "toy: up to date, skipped" in said
    assert again == first
    assert project.staged("ci").notebook("toy").read_bytes() == executed
    _, said = run(project, RunSettings(profile="ci", device="cpu", jobs=1, force=True))
    assert "started" in said
    assert project.staged("ci").notebook("toy").read_bytes() != executed
    write("import uuid\nprint(uuid.uuid4())  # longer")
    _, said = run(project)
    assert "started" in said


def test_reworded_prose_is_taken_over_without_running(project: Project, write: Write) -> None:
    write("1 + 1")
    run(project)
    write("1 + 1", prose="# Toy, better said")
    _, said = run(project)
    assert "skipped" in said
    executed = nbformat.read(project.staged("ci").notebook("toy"), as_version=4)
    assert [c.source for c in executed.cells if c.cell_type == "markdown"] == ["# Toy, better said"]
    assert executed.cells[-1].outputs[0].data["text/plain"] == "2"


def test_two_runs_of_equal_content_give_equal_files(project: Project, write: Write) -> None:
    write("import sys, time\nprint('x', file=sys.stderr)\nobject()")
    forced = RunSettings(profile="ci", device="cpu", jobs=1, force=True)
    run(project, forced)
    first = project.staged("ci").notebook("toy").read_bytes()
    run(project, forced)
    assert project.staged("ci").notebook("toy").read_bytes() == first


def test_two_at_a_time_and_a_failure_lets_the_other_finish(project: Project, write: Write) -> None:
    write("import time\ntime.sleep(1)\nprint('late')", name="slow")
    write("raise KeyError('gone')", name="bad")
    with pytest.raises(NotebookError, match="bad: code cell 2 of 2 failed"):
        run(project, RunSettings(profile="ci", device="cpu", jobs=2))
    assert RunRecord.load(project.staged("ci").run_record("slow")) is not None


def test_the_data_folder_reaches_the_kernel_and_no_file(
    project: Project, write: Write, tmp_path: Path
) -> None:
    data = tmp_path / "data-folder"
    data.mkdir()
    write(REPORT)
    run(project, RunSettings(profile="ci", device="cpu", jobs=1, data_dir=data))
    staged = project.staged("ci")
    seen = json.loads((staged.results / "toy" / "seen.json").read_text())
    assert seen["XAI_DATA_DIR"] == str(data)
    assert "data-folder" not in staged.notebook("toy").read_text()
    assert "data-folder" not in staged.run_record("toy").read_text()


def test_publish_copies_and_prose_can_be_renewed(project: Project, write: Write) -> None:
    write(REPORT)
    with pytest.raises(RunnerError, match="toy has not been run with profile ci"):
        publish_notebooks(project, (), "ci")
    run(project)
    stale = project.published.results / "toy" / "stale.json"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}")
    write(REPORT, prose="# Last words")
    assert publish_notebooks(project, (), "ci") == [project.published.notebook("toy")]
    for place in (project.published, project.staged("ci")):
        assert [p.name for p in (place.results / "toy").iterdir()] == ["seen.json"]
    assert RunRecord.load(project.published.run_record("toy")) is not None
    assert "Last words" in project.published.notebook("toy").read_text()
    write(REPORT, prose="# New words")
    assert refresh_prose(project, project.published) == [project.published.notebook("toy")]
    assert "New words" in project.published.notebook("toy").read_text()
    write(REPORT, "1 + 1")
    with pytest.raises(ValueError, match="code cell 3 differs"):
        refresh_prose(project, project.published)


def test_a_smaller_run_takes_no_larger_ones_place_unasked(project: Project, write: Write) -> None:
    write("1 + 1")
    run(project, RunSettings(profile="quick", device="cpu", jobs=1))
    publish_notebooks(project, (), "quick")
    before = project.published.run_record("toy").read_text()
    run(project)
    with pytest.raises(RunnerError, match="toy is published with profile quick; --force"):
        publish_notebooks(project, (), "ci")
    assert project.published.run_record("toy").read_text() == before
    publish_notebooks(project, (), "ci", force=True)
    record = RunRecord.load(project.published.run_record("toy"))
    assert record is not None
    assert record.profile == "ci"


def test_a_data_folder_of_the_environment_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAI_DATA_DIR", "/nowhere/at/all")
    with pytest.raises(RunnerError, match=r"/nowhere/at/all of \$XAI_DATA_DIR does not exist"):
        CI.data_folder()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"profile": "big"}, "unknown profile 'big'; valid: ci, quick, paper"),
        ({"device": "tpu"}, "unknown device 'tpu'; valid: auto, cpu, cuda"),
        ({"device": "cpu:1"}, "unknown device 'cpu:1'"),
        ({"seed": -1}, "seed must be 0 or more, not -1"),
        ({"jobs": 0}, "jobs must be 1 or more, not 0"),
        ({"data_dir": Path("/nowhere/at/all")}, "/nowhere/at/all does not exist"),
    ],
)
def test_wrong_settings_name_what_is_valid(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RunnerError, match=message):
        RunSettings(**settings)  # type: ignore[arg-type]


def test_unknown_notebooks_and_foreign_folders_are_named(
    project: Project, write: Write, tmp_path: Path
) -> None:
    with pytest.raises(RunnerError, match="no notebooks"):
        project.select()
    write("1")
    with pytest.raises(RunnerError, match="unknown notebook 'tooy'; valid: toy"):
        run_notebooks(project, ["tooy"], CI)
    assert Project.find(project.root / "notebooks").root == project.root
    with pytest.raises(RunnerError, match="inside a clone"):
        Project.find(tmp_path.parent)
