"""The computed parts of pages."""

from __future__ import annotations

import json
from pathlib import Path

from xai_lib.models.zoo_entries import ZOO
from xai_lib.runner.pages import (
    claims_markdown,
    speed_markdown,
    status_markdown,
    zoo_markdown,
)
from xai_lib.runner.project import Project
from xai_lib.runner.records import RunRecord, commit_of


def test_the_status_says_what_was_run_on_what(project: Project) -> None:
    tree = project.staged("ci")
    RunRecord(
        notebook="lipex",
        profile="quick",
        key="k",
        parameters={"seed": 3},
        started="2026-05-04T03:02:01Z",
        seconds=125.2,
        cells=[0.01, 90.0, 30.5, 2.0],
        commit="0123456789abcdef0123-dirty",
        device="CPU (x86_64, 2 cores)",
        threads=2,
        versions={"python": "3.11.7", "torch": "2.13.0"},
    ).save(tree.run_record("lipex"))
    folder = tree.results / "lipex"
    folder.mkdir(parents=True)
    data = {"name": "emotion", "split": "test", "rows": 2000, "source": "wheel a|b 1"}
    box = {"name": "minilm <x>", "held_out_accuracy": 0.9271, "test_size": 2000}
    for item, calls in (("table-1", 1500), ("figure-3", 20)):
        content = {"data": [data], "black_box": [box], "provenance": {"model_calls": calls}}
        (folder / f"{item}.json").write_text(json.dumps(content))
    lines = status_markdown(tree, ["lipex", "tutorial"]).splitlines()
    for line in (
        "| lipex | quick | CPU (x86_64, 2 cores) | 2 min 05 s | `0123456789ab-dirty` |",
        "## Notebook lipex",
        "[Open the page](papers/lipex.ipynb).",
        "  - 2026-05-04 03:02:01",
        "  - number 2: 1 min 30 s, number 3: 30.5 s, number 4: 2.0 s",
        "  - 1,520",
        "  - CPU (x86_64, 2 cores); 2 threads",
        "  - python 3.11.7, torch 2.13.0",
        "| emotion | test | 2,000 | wheel a\\|b 1 |",
        "| minilm &lt;x> | 0.927 | 2,000 |",
        "[Open the page](explain-your-own.ipynb).",
        "It has not been executed yet.",
    ):
        assert lines.count(line) == 1, line


def test_the_claims_are_one_block_of_html(project: Project) -> None:
    text = claims_markdown(project.staged("ci"), ["lipex", "tutorial"])
    assert text.startswith("```{raw} html\n")
    assert text.endswith("\n```\n")
    assert "not testable here" in text  # there are no results


def test_only_papers_with_a_chapter_are_on_the_claims_page(project: Project) -> None:
    text = claims_markdown(project.staged("ci"), ["mase", "lipex", "tutorial"])
    found = [name for name in ("LIPEx", "LDAV", "MASE") if f"Claims of {name} and" in text]
    assert found == ["LIPEx", "MASE"]
    assert text.index("Claims of LIPEx") < text.index("Claims of MASE")


def test_no_repository_no_commit(project: Project) -> None:
    assert commit_of(project.root) == "unknown"


def test_the_table_of_black_boxes_says_what_the_zoo_does() -> None:
    lines = zoo_markdown().splitlines()
    by_name = {line.split("|")[1].strip(" `"): line for line in lines[2:]}
    assert list(by_name) == list(ZOO)
    assert by_name["minilm-r8"] == (
        "| `minilm-r8` | MiniLM | 2400 texts of `r8` | 1 | 32 | 64 | 600 test texts |"
    )
    assert "`reddit_depression`, first 40 words | 3 | 32 | 96" in by_name["minilm-depression"]
    assert by_name["bilstm-reuters8"] == (
        "| `bilstm-reuters8` | nothing: LSTM in both directions with attention, 128 wide | "
        "`r8`, first 50 words | at most 15 | 32 | 50 words | its test split |"
    )


def test_the_table_of_speeds_says_what_was_measured_and_wanted(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert "make bench" in speed_markdown(path)
    rows = [
        {"what": "LIME", "value": 4.5678, "low": 4.0, "high": 5.04, "at_least": 6.0},
        {"what": "our share", "value": 0.0111, "low": None, "high": None, "at_most": 0.1},
        {"what": "not reached", "value": None, "low": None, "high": None},
    ]
    machine = {"device": "CPU", "bfloat16": True, "cpu_flags": ["avx2"]}
    path.write_text(json.dumps({"commit": "0123456789abcdef", "machine": machine, "rows": rows}))
    lines = speed_markdown(path).splitlines()
    assert lines[0] == "Measured on: CPU, with bfloat16 units (avx2); commit `0123456789ab`."
    # Rows that were measured at another time say so.
    rows[1]["commit"] = "fedcba9876543210"
    path.write_text(json.dumps({"commit": "0123456789abcdef", "machine": machine, "rows": rows}))
    assert "; commit `0123456789ab`, `fedcba987654`." in speed_markdown(path)
    assert [line for line in lines[4:] if line] == [
        "| LIME | 4.57 | 4 to 5.04 | at least 6 |",
        "| our share | 0.0111 |  | at most 0.1 |",
    ]
