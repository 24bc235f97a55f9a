"""Weaving a source with its executed copy."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from xai_lib.runner.weave import INJECTED, tags, weave, weave_file


def source(prose: str = "# New") -> NotebookNode:
    return new_notebook(
        cells=[
            new_markdown_cell(prose, id="a"),
            new_code_cell("seed = 0", metadata={"tags": ["parameters"]}, id="b"),
            new_code_cell("", id="c"),
            new_code_cell("show()", metadata={"tags": ["hide-input"]}, id="d"),
        ]
    )


def executed(*outputs: NotebookNode, code: str = "show()") -> NotebookNode:
    times = {"papermill": {"duration": 1.5}, "execution": {"iopub.execute_input": "now"}}
    return new_notebook(
        metadata={
            "papermill": {"duration": 3},
            "language_info": {"name": "python", "version": "3.11.7"},
        },
        cells=[
            new_markdown_cell("# Old", id="a"),
            new_code_cell("seed = 0", execution_count=1, metadata=times, id="b"),
            new_code_cell(
                "# Parameters\nseed = 3", execution_count=2, metadata={"tags": [INJECTED]}, id="x9"
            ),
            new_code_cell(code, execution_count=3, metadata=times, outputs=list(outputs), id="d"),
        ],
    )


def test_prose_from_the_source_outputs_from_the_run() -> None:
    woven = weave(source(), executed(new_output("stream", text="seen\n")))
    assert [c.source for c in woven.cells] == [
        "# New",
        "seed = 0",
        "# Parameters\nseed = 3",
        "",
        "show()",
    ]
    assert [tags(c) for c in woven.cells] == [
        [],
        ["parameters", "remove-cell"],
        [INJECTED, "hide-cell"],
        [],
        ["hide-input"],
    ]
    assert woven.cells[-1].outputs == [new_output("stream", text="seen\n")]
    assert woven.cells[-1].execution_count == 3
    nbformat.validate(woven)


def test_whatever_changes_between_equal_runs_is_removed() -> None:
    woven = weave(source(), executed())
    assert "papermill" not in woven.metadata
    assert "version" not in woven.metadata.language_info
    assert woven.cells[2].id == INJECTED
    assert all(set(c.metadata) <= {"tags"} for c in woven.cells)


def test_weaving_again_changes_nothing() -> None:
    once = weave(source(), executed(new_output("stream", text="seen\n")))
    assert weave(source(), once) == once


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (["a\n", "b\n"], "a\nb\n"),
        (["10%\r", "20%\r", "30%"], "30%"),
        (["10%\r20%\r\ndone\n"], "20%\ndone\n"),
        (["10%\rall\nmore\n"], "all\nmore\n"),
    ],
)
def test_streams_are_merged_and_progress_bars_keep_their_end(written: list[str], kept: str) -> None:
    outputs = [new_output("stream", name="stdout", text=text) for text in written]
    woven = weave(source(), executed(*outputs))
    assert [o.text for o in woven.cells[-1].outputs] == [kept]


def test_streams_of_other_names_and_other_outputs_stay_apart() -> None:
    outputs = [
        new_output("stream", name="stdout", text="a"),
        new_output("stream", name="stderr", text="b"),
        new_output("display_data", data={"text/plain": "<Axes at 0x7f12ab34cd56>"}),
        new_output("stream", name="stdout", text="c"),
    ]
    woven = weave(source(), executed(*outputs))
    assert [o.get("text") for o in woven.cells[-1].outputs] == ["a", "b", None, "c"]
    assert woven.cells[-1].outputs[2].data["text/plain"] == "<Axes at 0x0>"


def test_other_code_is_refused_with_the_number_of_the_cell() -> None:
    with pytest.raises(ValueError, match="code cell 2 differs"):
        weave(source(), executed(code="show(1)"))
    shorter = source()
    del shorter.cells[-1]
    with pytest.raises(ValueError, match="code cell 2 differs"):
        weave(shorter, executed())


def test_of_two_files_the_notebook_is_named(tmp_path: Path) -> None:
    for name, notebook in (("own", source()), ("ran", executed(code="show(1)"))):
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    with pytest.raises(ValueError, match=r"^own\.ipynb: code cell 2 differs"):
        weave_file(tmp_path / "own.ipynb", tmp_path / "ran.ipynb", tmp_path / "new.ipynb")
    assert not (tmp_path / "new.ipynb").exists()


def test_without_injected_parameters_the_defaults_are_shown() -> None:
    ran = executed()
    del ran.cells[2]
    assert tags(weave(source(), ran).cells[1]) == ["parameters"]
