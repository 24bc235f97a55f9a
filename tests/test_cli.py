"""The command line: what it prints, and how it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from typer.testing import CliRunner

import xai_lib
from xai_lib import cli
from xai_lib.data import dataset_names
from xai_lib.explanation import Explanation
from xai_lib.models.huggingface import HuggingFaceClassifier
from xai_lib.runner.errors import NotebookError
from xai_lib.runner.project import Project
from xai_lib.runner.records import RunRecord

INVOKE = CliRunner()
ENVIRONMENT = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def call(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    done = INVOKE.invoke(cli.app, list(arguments), input=stdin, env=ENVIRONMENT)
    return done.exit_code, done.stdout, done.stderr


def judge(texts: list[str]) -> np.ndarray:
    """Say `good` with probability 0.9 where the word stands, else 0.2."""
    good = np.array([0.9 if "good" in text.split() else 0.2 for text in texts])
    return np.stack([1 - good, good], axis=1)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every name of a model load one that only knows the word good."""
    classifier = xai_lib.as_classifier(judge, ("bad", "[good]"))
    monkeypatch.setattr(xai_lib, "load_classifier", lambda name, device: classifier)


def test_explain_prints_words_per_class_and_writes_files(model: None, tmp_path: Path) -> None:
    html, document = tmp_path / "out.html", tmp_path / "out.json"
    options = ["--method", "occlusion", "--html", str(html), "--json", str(document)]
    code, out, err = call("explain", "a good <b>film", "--model", "any", *options)
    assert (code, err) == (0, "")
    rows = [line for line in out.splitlines() if "0.900" in line or "0.100" in line]
    assert "[good]" in rows[0]
    assert "good +0.700" in rows[0]
    assert "good -0.700" in rows[1]
    # The likelier class comes first.
    assert out.index("0.900") < out.index("0.100")
    page = html.read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert "<b>film" not in page
    assert "<script" not in page
    explanation = Explanation.from_json(document.read_text("utf-8"))
    assert explanation.method == "occlusion"
    assert explanation.text == "a good <b>film"


def test_explain_writes_a_text_with_a_lone_surrogate(
    planted_classifier: HuggingFaceClassifier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A byte of an argument that is not UTF-8 comes as a lone surrogate."""
    monkeypatch.setattr(xai_lib, "load_classifier", lambda name, device: planted_classifier)
    html, document = tmp_path / "out.html", tmp_path / "out.json"
    options = ["--method", "occlusion", "--html", str(html), "--json", str(document)]
    code, out, err = call("explain", "caf\udce9 oil", "--model", "any", *options)
    assert (code, err) == (0, "")
    assert "caf " in out
    assert Explanation.from_json(document.read_text("utf-8")).text == "caf\udce9 oil"
    assert "caf\ufffd" in re.sub(r"<[^>]*>", "", html.read_text("utf-8"))


def test_explain_takes_a_text_without_quotes_and_counts_one_call_as_one(model: None) -> None:
    code, out, err = call("explain", "a", "good", "film", "--model", "any", "--method", "random")
    assert code == 0
    assert "[good]" in out or "good" in out
    assert "1 model call," in out + err


def test_settings_reach_the_method(model: None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}
    real = xai_lib.explain

    def spy(text: str, classifier: object, **settings: object) -> Explanation:
        seen.update(settings, text=text)
        return real(text, classifier, method="occlusion")  # type: ignore[arg-type]

    monkeypatch.setattr(xai_lib, "explain", spy)
    arguments = ["--method", "lime", "--n-samples", "64", "--seed", "5"]
    arguments += ["--set", "removal=mask", "--set", "sigma=0.5", "--set", "bias=true"]
    code, _, err = call("explain", "-", "--model", "any", *arguments, stdin="from a pipe")
    assert (code, err) == (0, "")
    assert seen == {
        "text": "from a pipe",
        "method": "lime",
        "seed": 5,
        "n_samples": 64,
        "removal": "mask",
        "sigma": 0.5,
        "bias": True,
    }


def test_a_missing_picture_is_not_explained_as_words(model: None) -> None:
    code, out, err = call("explain", "no/such/photo.JPG", "--model", "any")
    assert (code, out) == (2, "")
    assert "there is no picture no/such/photo.JPG" in err
    code, out, _ = call("explain", "-", "--model", "any", "--method", "random", stdin="photo.jpg")
    assert code == 0
    assert "photo" in out
    code, out, _ = call("explain", "look at photo.jpg", "--model", "any", "--method", "random")
    assert code == 0


def test_a_picture_is_not_explained_as_words_either(model: None, tmp_path: Path) -> None:
    picture = tmp_path / "n.png"
    picture.write_bytes(b"")
    code, _, err = call("explain", str(picture), "--model", "any")
    assert code == 2
    assert "n.png is a picture, and any reads texts; words go in by -" in " ".join(err.split())
    assert call("explain", "-", "--model", "any", stdin=str(picture))[0] == 0


def test_a_setting_of_another_type_is_one_message(model: None) -> None:
    options = ["--model", "any", "--method", "lime", "--set", "n_features=abc"]
    assert call("explain", "good", *options)[::2] == (
        2, "Error: n_features must be a whole number or None, got 'abc'.\n",
    )  # fmt: skip


def test_methods_says_what_each_needs() -> None:
    code, out, err = call("methods")
    assert (code, err) == (0, "")
    rows = {line.split("│")[1].strip(): line for line in out.splitlines() if line.startswith("│")}
    assert set(xai_lib.methods()) <= set(rows)
    assert "texts and images" in rows["lime"]
    assert "the inside of the model" in rows["grad_cam"]
    assert "images" in rows["grad_cam"]
    assert "texts" not in rows["grad_cam"]
    assert "answers, and a teacher" in rows["l2e"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "limee"], "limee"),
        (["--method", "grad_cam"], "explain these are: lime, lipex, kernel_shap"),
        (["--set", "removal"], "--set needs NAME=VALUE, not 'removal'"),
        (["--top", "0"], "top must be 1 or more, not 0"),
        (["--html", "/no/such/folder/x.html"], "the folder of /no/such/folder/x.html does not"),
        (["--method", "lime", "--n-samples", "1"], "n_samples"),
    ],
)
def test_bad_input_is_one_message_and_code_2(
    model: None, arguments: list[str], message: str
) -> None:
    code, out, err = call("explain", "a good film", "--model", "any", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("option", ["--html", "--json"])
def test_a_folder_is_no_file_to_write(
    option: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(xai_lib, "load_classifier", lambda *_, **__: pytest.fail("too late"))
    code, out, err = call("explain", "a film", "--model", "any", option, str(tmp_path))
    assert (code, out) == (2, "")
    assert err == f"Error: {tmp_path} is a folder; give the name of a file in it\n"


@pytest.mark.parametrize("method", ["l2e", "pflex"])
def test_a_method_to_be_fitted_needs_its_folder(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xai_lib, "load_classifier", lambda *_, **__: pytest.fail("too late"))
    code, out, err = call("explain", "a film", "--model", "any", "--method", method)
    assert (code, out) == (2, "")
    assert err == (
        f"Error: {method} has to be fitted before it explains; give the folder of a fitted one "
        f"with --explainer FOLDER in place of --method {method}\n"
    )


def test_an_unknown_model_is_named() -> None:
    code, _, err = call("explain", "a film", "--model", "/no/such/model")
    assert code == 2
    assert "/no/such/model" in err


def test_data_lists_every_set_and_shows_one() -> None:
    code, out, _ = call("data")
    assert code == 0
    assert all(f" {name} " in out for name in dataset_names())
    code, out, _ = call("data", "planted")
    assert code == 0
    assert "generated" in out
    assert "classes: " in out
    code, _, err = call("data", "no-such-set")
    assert code == 2
    assert "no-such-set" in err


def test_run_and_book_refuse_what_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (["run"], ["book"], ["bench"]):
        code, _, err = call(*command)
        assert code == 2
        assert "inside a clone of the repository" in err
    (tmp_path / "_toc.yml").write_text("root: book/index\n")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "toy.ipynb").write_text(
        json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    for arguments, message in (
        (["run", "lipexx"], "unknown notebook 'lipexx'; valid: toy"),
        (["run", "--profile", "big"], "unknown profile 'big'; valid: ci, quick, paper"),
        (["book", "--profile", "big"], "unknown profile 'big'; valid: ci, quick, paper"),
        (["bench"], "run.py does not exist"),
    ):
        code, _, err = call(*arguments)
        assert code == 2
        assert message in err


def test_publish_brings_a_run_into_the_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "_toc.yml").write_text("root: book/index\nchapters: [{file: book/papers/toy}]\n")
    staged = Project(tmp_path).staged("ci")
    for path in (tmp_path / "notebooks" / "toy.ipynb", staged.notebook("toy")):
        path.parent.mkdir(parents=True)
        nbformat.write(new_notebook(cells=[new_markdown_cell("# Toy", id="a")]), path)
    record = RunRecord("toy", "ci", "k", {}, "2026-01-01T00:00:00Z", 7.0, [], "c0", "CPU", 1, {})
    record.save(staged.run_record("toy"))
    code, out, err = call("publish", "--profile", "ci")
    assert (code, err) == (0, "")
    assert out == f"published {tmp_path / 'book' / 'papers' / 'toy.ipynb'}\n"
    status = (tmp_path / "book" / "generated" / "status.md").read_text()
    assert "| toy | ci | CPU | 7.0 s | `c0` |" in status
    code, _, err = call("publish", "--profile", "paper")
    assert code == 2
    assert "toy has not been run with profile paper" in err
    assert call("publish", "--prose")[0] == 0


def test_a_failing_notebook_is_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = NotebookError("lipex", 3, 9, "a / 0", "ZeroDivisionError: x", "", Path("p.ipynb"))

    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("xai_lib.run.run_notebooks", fail)
    code, _, err = call("run", "--profile", "ci")
    assert code == 1
    assert "lipex: code cell 3 of 9 failed" in err


def test_help_names_every_command() -> None:
    code, out, _ = call("--help")
    assert code == 0
    assert all(f" {name} " in out for name in ("run", "book", "explain", "data", "bench"))
