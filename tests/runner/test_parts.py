"""A run of some settings of a chapter that keeps what is published of the others."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import nbformat
import pytest
from rich.console import Console

from tests.runner.conftest import Write
from xai_lib.run import run_notebooks
from xai_lib.runner.errors import RunnerError
from xai_lib.runner.project import Project
from xai_lib.runner.publish import publish_notebooks
from xai_lib.runner.records import RunRecord
from xai_lib.runner.scan import scan
from xai_lib.runner.settings import RunSettings

CI = RunSettings(profile="ci", device="cpu", jobs=1)
IMAGES = replace(CI, part="image")

# Prints a paragraph for each setting that is run, and files one number for each.
BOTH = """
import json, os, uuid
from pathlib import Path
part = os.environ["XAI_PART"]
folder = Path(os.environ["XAI_RESULTS_DIR"]) / "lipex"
folder.mkdir(parents=True, exist_ok=True)
before = [path.name for path in folder.iterdir()]
for key in ("emotion", "imagenette-vgg16"):
    if not part or key in part.split(","):
        print(f"{key}: {uuid.uuid4()}")
        print(f"  more of {key}")
        (folder / f"{key}.json").write_text(json.dumps(before))
"""
TEXTS = "print('texts', uuid.uuid4(), folder.name)"
PICTURES = "print('pictures', uuid.uuid4())"


def tag(project: Project, places: dict[int, str]) -> None:
    """Tag code cells of the source, counted from 1 behind the parameters."""
    path = project.root / "notebooks" / "lipex.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for place, name in places.items():
        cells[place].metadata["tags"] = [name]
    nbformat.write(notebook, path)


@pytest.fixture
def published(project: Project, write: Write) -> Project:
    write(BOTH, TEXTS, PICTURES, "1 + 1", name="lipex")
    tag(project, {2: "only-texts", 3: "only-images"})
    run(project, CI)
    publish_notebooks(project, (), "ci")
    return project


def run(project: Project, settings: RunSettings) -> None:
    run_notebooks(project, (), settings, Console(file=io.StringIO()))


def said(path: object) -> list[str]:
    notebook = nbformat.read(path, as_version=4)
    return [
        "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.outputs
    ]


def test_a_part_is_run_and_the_rest_is_kept(published: Project) -> None:
    before = said(published.published.notebook("lipex"))
    first = RunRecord.load(published.published.run_record("lipex"))
    run(published, IMAGES)
    publish_notebooks(published, (), "ci")
    after = said(published.published.notebook("lipex"))
    lines = [text.splitlines() for text in (before[0], after[0])]
    assert lines[1][:2] == lines[0][:2]
    assert lines[1][2] != lines[0][2]
    assert [line.split(":")[0] for line in lines[1]] == [
        "emotion", "  more of emotion", "imagenette-vgg16", "  more of imagenette-vgg16",
    ]  # fmt: skip
    assert after[1] == before[1]
    assert after[2] != before[2]
    results = published.published.results / "lipex"
    # The published results lay there when the part began, and only its own was written anew.
    assert json.loads((results / "emotion.json").read_text()) == []
    assert sorted(json.loads((results / "imagenette-vgg16.json").read_text())) == [
        "emotion.json", "imagenette-vgg16.json",
    ]  # fmt: skip
    record = RunRecord.load(published.published.run_record("lipex"))
    assert first is not None
    assert record is not None
    assert record.kept is not None
    assert record.key != first.key
    assert [(one["settings"], one["started"]) for one in record.kept] == [
        (["emotion", "newsgroups20"], first.started)
    ]


def test_each_setting_names_the_run_that_it_is_of(published: Project) -> None:
    def kept_after(part: str) -> tuple[str, dict[str, str]]:
        run(published, replace(CI, part=part, force=True))
        publish_notebooks(published, (), "ci")
        record = RunRecord.load(published.published.run_record("lipex"))
        assert record is not None
        assert record.kept is not None
        whose = {key: one["started"] for one in record.kept for key in one["settings"]}
        return record.started, whose

    first = RunRecord.load(published.published.run_record("lipex"))
    assert first is not None
    images, kept = kept_after("image")
    assert kept == {"emotion": first.started, "newsgroups20": first.started}
    images, again = kept_after("image")
    assert again == kept
    one, kept = kept_after("emotion, imagenette-vgg16")
    assert kept == {"newsgroups20": first.started, "imagenette-inceptionv3": images}
    _, kept = kept_after("text")
    assert kept == {"imagenette-vgg16": one, "imagenette-inceptionv3": images}


def test_a_cell_of_one_setting_is_run_with_it(published: Project, write: Write) -> None:
    write(BOTH, TEXTS, PICTURES, "1 + 1", name="lipex")
    tag(published, {2: "only-newsgroups20", 3: "only-whole"})
    before = said(published.published.notebook("lipex"))
    run(published, replace(CI, part="emotion,imagenette-vgg16"))
    publish_notebooks(published, (), "ci")
    between = said(published.published.notebook("lipex"))
    assert between[0] != before[0]
    assert between[1:] == before[1:]
    run(published, replace(CI, part="newsgroups20"))
    publish_notebooks(published, (), "ci")
    after = said(published.published.notebook("lipex"))
    assert after[1] != between[1]
    assert after[2] == between[2]


def test_code_that_was_not_run_must_be_as_published(published: Project, write: Write) -> None:
    write(BOTH, TEXTS + "  # anew", PICTURES + "  # anew", "1 + 1", name="lipex")
    tag(published, {2: "only-texts", 3: "only-images"})
    with pytest.raises(RunnerError, match="code cell 3 of lipex changed since it was published"):
        run(published, IMAGES)


def test_the_scan_accepts_results_of_the_kept_run_only(published: Project, write: Write) -> None:
    write(BOTH, TEXTS, PICTURES + "  # anew", "1 + 1", name="lipex")
    tag(published, {2: "only-texts", 3: "only-images"})
    run(published, IMAGES)
    publish_notebooks(published, (), "ci")
    record = RunRecord.load(published.published.run_record("lipex"))
    assert record is not None
    assert record.kept is not None
    for path, sha256 in (("emotion", record.kept[0]["notebook_sha256"]), ("imagenette-vgg16", "x")):
        made = {"provenance": {"notebook": sha256}, "rows": [1], "paper": "lipex", "item": path}
        made |= dict.fromkeys(("title", "columns", "published", "data", "black_box"))
        made["profile"] = "ci"
        (published.published.results / "lipex" / f"{path}.json").write_text(json.dumps(made))
    found = scan(published, published.published, ["lipex"], "ci")
    assert [one for one in found if "another version" in one] == [
        "lipex: imagenette-vgg16.json was made by another version of the notebook"
    ]


def test_what_cannot_be_run_in_parts_is_named(project: Project, write: Write) -> None:
    write("1 + 1", name="lipex")
    with pytest.raises(RunnerError, match="lipex was not published with profile ci: run all"):
        run(project, IMAGES)
    run(project, CI)
    publish_notebooks(project, (), "ci")
    for part in ("sound", "emotion,newsgroups"):
        with pytest.raises(
            RunnerError, match=f"unknown part '{part}' of lipex; valid: text, image, emotion, "
        ):
            run(project, replace(CI, part=part))
    every = "emotion,newsgroups20,imagenette-vgg16,imagenette-inceptionv3"
    with pytest.raises(RunnerError, match="is all of lipex: run it without a part"):
        run(project, replace(CI, part=every))
    tag(project, {1: "only-emotions"})
    with pytest.raises(RunnerError, match="a cell of lipex is tagged only-emotions; valid: only-"):
        run(project, IMAGES)


def test_a_notebook_without_settings_has_no_parts(project: Project, write: Write) -> None:
    write("1 + 1", name="tutorial")
    with pytest.raises(RunnerError, match="valid: none, it has no settings"):
        run(project, IMAGES)


def test_a_figure_that_a_part_would_lose_is_refused(project: Project, write: Write) -> None:
    # A cell for all settings that shows a figure of each, and only of those that are run.
    figures = """
from IPython.display import HTML, display
for key, item in (("emotion", "table-1"), ("imagenette-vgg16", "figure-2")):
    if not part or key in part.split(","):
        display(HTML(f'<span data-caption="lipex/{item}">of {key}</span>'))
"""
    write(BOTH, figures, name="lipex")
    run(project, CI)
    publish_notebooks(project, (), "ci")
    before = project.published.notebook("lipex").read_text()
    with pytest.raises(RunnerError, match="would no longer show table-1, whose settings"):
        run(project, IMAGES)
    assert project.published.notebook("lipex").read_text() == before
