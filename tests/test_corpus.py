"""Tests of `xai_lib.corpus`: interruptions, damage, and what is read back."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from xai_lib import as_classifier, atomic
from xai_lib import progress as progress_module
from xai_lib.corpus import CorpusExplanations, explain_corpus
from xai_lib.explanation import Explanation
from xai_lib.text import make_instance

ROOT = Path(__file__).parents[1]
TEXTS = ["good film", "", "bad bad film", "so so", "\ud800 é", "fine", "x " * 40]


class FakeClassifier:
    """What a manifest wants to know about a classifier."""

    name = "fake"
    classes = ("negative", "word")
    precision = "float64"
    identity = "weights of fake"


class FakeExplainer:
    """Weights that depend on the text alone; stops at a chunk if told so."""

    name = "fake_method"

    def __init__(self, stop_at=None, **settings):
        self.stop_at, self.chunks, self._settings = stop_at, [], settings

    def settings(self):
        return self._settings

    def explain(self, texts, classifier, seed=0):
        if len(self.chunks) == self.stop_at:
            raise RuntimeError("stopped")
        self.chunks.append(list(texts))
        return [self.one(text, classifier, seed) for text in texts]

    def one(self, text, classifier, seed):
        instance = make_instance(text)
        lengths = np.array([len(word) for word in instance.words], dtype=float)
        return Explanation(
            text=text,
            words=instance.features,
            spans=instance.feature_spans,
            classes=classifier.classes,
            probabilities=[0.25, 0.75],
            predicted=1,
            weights=np.stack([lengths + seed, np.full(lengths.shape, np.nan)]),
            method=self.name,
            seed=seed,
            model_calls=1,
            seconds=0.125,
        )


def run(folder, texts=TEXTS, explainer=None, **changes):
    options = {"seed": 5, "chunk_size": 2, "progress": False, **changes}
    return explain_corpus(
        texts, FakeClassifier(), explainer or FakeExplainer(), out=folder, **options
    )


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@pytest.fixture
def whole(tmp_path):
    """Files of a run that nothing interrupted."""
    run(tmp_path / "whole")
    return contents(tmp_path / "whole")


# -- one run ------------------------------------------------------------------------------------


def test_chunks_reach_the_method_whole_and_come_back(tmp_path):
    explainer = FakeExplainer(n_samples=3, kernel=(1, float("nan")))
    corpus = run(tmp_path / "deep" / "er", explainer=explainer)
    assert explainer.chunks == [TEXTS[0:2], TEXTS[2:4], TEXTS[4:6], TEXTS[6:7]]
    assert [path.name for path in sorted(corpus.folder.iterdir())] == [
        "manifest.json",
        "part-00000.jsonl",
        "part-00001.jsonl",
        "part-00002.jsonl",
        "part-00003.jsonl",
    ]
    assert list(corpus) == [FakeExplainer().one(text, FakeClassifier, 5) for text in TEXTS]
    manifest = json.loads((corpus.folder / "manifest.json").read_text())
    digest = manifest.pop("texts_sha256")
    assert len(digest) == 64
    assert manifest == {
        "format_version": 1,
        "method": "fake_method",
        "settings": {"n_samples": 3, "kernel": [1, {"$float": "nan"}]},
        "seed": 5,
        "classifier": "fake",
        "classes": ["negative", "word"],
        "precision": "float64",
        "identity": "weights of fake",
        "n": 7,
        "chunk_size": 2,
    }
    assert corpus.manifest["settings"]["n_samples"] == 3
    again = FakeExplainer(n_samples=3, kernel=(1, float("nan")))
    run(corpus.folder, explainer=again)
    assert again.chunks == []


def test_lines_are_json_that_other_tools_read(tmp_path):
    corpus = run(tmp_path)
    line = json.loads(corpus.part_path(1).read_text().splitlines()[0])
    assert line["index"] == 2
    assert line["explanation"]["text"] == "bad bad film"


def test_sequence(tmp_path):
    corpus = run(tmp_path)
    assert len(corpus) == 7
    assert corpus[-1].text == TEXTS[6]
    assert corpus[np.int64(3)].text == "so so"
    assert [one.text for one in corpus[1:6:2]] == TEXTS[1:6:2]
    assert corpus[5] in corpus
    assert repr(corpus) == f"<7 explanations by fake_method in {tmp_path}>"
    assert list(pickle.loads(pickle.dumps(corpus))) == list(corpus)
    for index in (7, -8):
        with pytest.raises(IndexError):
            corpus[index]


def test_reading_is_lazy(tmp_path, monkeypatch):
    folder = run(tmp_path).folder
    reads = []

    def part_path(self, part):
        reads.append(part)
        return folder / f"part-{part:05d}.jsonl"

    monkeypatch.setattr(CorpusExplanations, "part_path", part_path)
    corpus = CorpusExplanations(folder)
    assert reads == []
    assert [corpus[4].text, corpus[5].text] == TEXTS[4:6]
    assert reads == [2]
    assert len(list(corpus)) == 7
    assert sorted(reads) == [0, 1, 2, 3]


def test_frame_by_hand(tmp_path):
    frame = run(tmp_path, TEXTS[:3]).to_frame()
    assert list(frame.columns) == [
        "text", "predicted", "word", "start", "end", "negative", "word (class)",
    ]  # fmt: skip
    assert frame["text"].tolist() == [0, 0, 2, 2, 2]
    assert frame["word"].tolist() == ["good", "film", "bad", "bad", "film"]
    assert frame["start"].tolist() == [0, 5, 0, 4, 8]
    assert frame["negative"].tolist() == [9.0, 9.0, 8.0, 8.0, 9.0]
    assert frame["word (class)"].isna().all()
    assert set(frame["predicted"]) == {"word"}


@pytest.mark.parametrize("texts", [[], ["", " "]])
def test_nothing_to_explain(tmp_path, texts):
    corpus = run(tmp_path, texts)
    assert len(corpus) == len(list(corpus)) == len(texts)
    assert corpus.missing == ()
    assert corpus.to_frame().shape == (0, 7)


# -- interruptions ------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_at", [0, 1, 3])
def test_an_error_keeps_the_parts_before_it(tmp_path, whole, stop_at):
    with pytest.raises(RuntimeError, match="stopped"):
        run(tmp_path / "cut", explainer=FakeExplainer(stop_at))
    corpus = CorpusExplanations(tmp_path / "cut")
    assert corpus.missing == tuple(range(stop_at, 4))
    with pytest.raises(ValueError, match=r"part-0000\d.jsonl is missing or damaged. Call"):
        list(corpus)
    explainer = FakeExplainer()
    run(tmp_path / "cut", explainer=explainer)
    assert len(explainer.chunks) == 4 - stop_at
    assert contents(tmp_path / "cut") == whole


CHILD = """
    import importlib.util, os, signal, sys
    spec = importlib.util.spec_from_file_location("fakes", sys.argv[1])
    fakes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fakes)
    folder, where = sys.argv[2:]

    class Killed(fakes.FakeExplainer):
        def explain(self, texts, classifier, seed=0):
            if len(self.chunks) == 2 and where == "explain":
                os.kill(os.getpid(), signal.SIGKILL)
            return super().explain(texts, classifier, seed)

    def killing_fsync(handle, real=os.fsync):
        # 2 calls for each file and its folder: the 7th is for the file of the third part
        killing_fsync.calls += 1
        if killing_fsync.calls == 7 and where == "write":
            os.truncate(handle, 100)
            os.kill(os.getpid(), signal.SIGKILL)
        real(handle)

    killing_fsync.calls = 0
    os.fsync = killing_fsync
    fakes.run(folder, explainer=Killed())
"""


def start_child(folder, where):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), __file__, str(folder), where],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.parametrize("where", ["explain", "write"])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path, whole, where):
    folder = tmp_path / "killed"
    assert start_child(folder, where).wait(timeout=300) == -signal.SIGKILL
    leftovers = list(folder.glob(".*.tmp"))
    assert len(leftovers) == (where == "write")
    assert CorpusExplanations(folder).missing == (2, 3)
    run(folder)
    assert {name: raw for name, raw in contents(folder).items() if name[0] != "."} == whole
    for path in leftovers:  # young files are left alone, old ones swept up
        old = time.time() - 2 * atomic.STALE_SECONDS
        os.utime(path, (old, old))
    run(folder)
    assert contents(folder) == whole


def test_two_processes_on_one_folder(tmp_path, whole):
    children = [start_child(tmp_path / "shared", "never") for _ in range(2)]
    assert [child.wait(timeout=300) for child in children] == [0, 0]
    assert contents(tmp_path / "shared") == whole


def test_parts_that_another_process_writes_meanwhile_are_not_done_again(tmp_path, whole):
    class Overtaken(FakeExplainer):
        def explain(self, texts, classifier, seed=0):
            if not self.chunks:
                run(tmp_path / "shared")
            return super().explain(texts, classifier, seed)

    explainer = Overtaken()
    run(tmp_path / "shared", explainer=explainer)
    assert explainer.chunks == [TEXTS[0:2]]
    assert contents(tmp_path / "shared") == whole


# -- damage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:0],
        lambda raw: raw[:-1],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw + b"\n",
        lambda raw: raw.replace(b"8.0", b"9.0", 1),
        lambda raw: raw.replace(b'"index": 2', b'"index": 3'),
        lambda raw: b"".join(reversed(raw.splitlines(keepends=True))),
        lambda raw: raw.splitlines(keepends=True)[0],
        lambda raw: raw + raw.splitlines(keepends=True)[0],
        lambda raw: b"\x00" * len(raw),
    ],
)
def test_a_damaged_part_is_noticed_and_done_again(tmp_path, whole, damage):
    corpus = run(tmp_path / "d")
    path = corpus.part_path(1)
    assert damage(path.read_bytes()) != path.read_bytes()
    path.write_bytes(damage(path.read_bytes()))
    fresh = CorpusExplanations(tmp_path / "d")
    assert fresh.missing == (1,)
    assert fresh[0].text == TEXTS[0]
    with pytest.raises(ValueError, match=r"part-00001.jsonl is missing or damaged"):
        fresh[2]
    explainer = FakeExplainer()
    run(tmp_path / "d", explainer=explainer)
    assert explainer.chunks == [TEXTS[2:4]]
    assert contents(tmp_path / "d") == whole


# -- what does not fit --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 6}, "something else: seed is 5 there and 6 here. Choose another folder"),
        ({"chunk_size": 3}, "chunk_size is 2 there and 3 here"),
        ({"texts": [*TEXTS[:-1], "y"]}, "something else: the texts are others. Choose"),
        ({"texts": TEXTS[:-1]}, "n is 7 there and 6 here; the texts are others"),
        ({"texts": ["good", " film", *TEXTS[1:]]}, "n is 7 there and 8 here"),
        (
            {"explainer": FakeExplainer(a=1, b=[float("nan")], c={})},
            r"else: settings.b is \[2\] there and \[nan\] here; settings.c is nothing there and {}",
        ),
    ],
)
def test_another_question_is_refused_and_changes_nothing(tmp_path, whole, changes, message):
    explainer = FakeExplainer(a=1, b=[2]) if "explainer" in changes else None
    before = contents(run(tmp_path / "a", explainer=explainer).folder)
    assert explainer or before == whole
    with pytest.raises(ValueError, match=message):
        run(tmp_path / "a", **changes)
    assert contents(tmp_path / "a") == before


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("name", "other"), ("classes", ("word", "negative")), ("precision", "bfloat16")],
)
def test_another_classifier_is_refused(tmp_path, monkeypatch, attribute, value):
    run(tmp_path)
    monkeypatch.setattr(FakeClassifier, attribute, value)
    key = {"name": "classifier"}.get(attribute, attribute)
    with pytest.raises(ValueError, match=f"else: {key} is"):
        run(tmp_path)


def test_moved_boundaries_between_texts_change_the_digest(tmp_path):
    run(tmp_path, ["ab", "c"])
    with pytest.raises(ValueError, match="the texts are others"):
        run(tmp_path, ["a", "bc"])


def test_manifests_that_are_no_manifests(tmp_path):
    with pytest.raises(ValueError, match="holds no explanations: there is no manifest"):
        CorpusExplanations(tmp_path)
    path = tmp_path / "manifest.json"
    for content, message in (
        ("{", "not JSON"),
        ("[]", "version 1"),
        ('{"n": 1}', "version 1"),
        ('{"format_version": 1, "n": 1}', "it lacks chunk_size, classes, method, settings"),
    ):
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            run(tmp_path)
    path.unlink()
    (tmp_path / "part-00000.jsonl").write_text("precious")
    with pytest.raises(ValueError, match="holds parts but no manifest"):
        run(tmp_path)


def test_arguments_are_checked(tmp_path):
    for changes, message in (
        ({"texts": "abc"}, "takes a list of texts"),
        ({"texts": ["a", None]}, "Text 1 must be a string, got NoneType"),
        ({"chunk_size": 0}, "chunk_size must be a whole number from 1 on, got 0"),
        ({"chunk_size": True}, "got True"),
        ({"n_samples": 3}, "Settings n_samples go into the explainer"),
        ({"seed": 1.5}, "seed must be a whole number, got 1.5"),
        ({"explainer": 3}, "A method is an explainer, or the name of one, got 3. Valid names"),
        ({"explainer": "no_such_method"}, "Unknown method 'no_such_method'. Valid methods are"),
    ):
        with pytest.raises(ValueError, match=message):
            run(tmp_path / "x", **changes)
    assert not (tmp_path / "x").exists()
    (tmp_path / "file").write_text("precious")
    with pytest.raises(ValueError, match=r"out must be a folder, and .*file is a file"):
        run(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_method_that_loses_texts_is_named(tmp_path):
    class Lossy(FakeExplainer):
        def explain(self, texts, classifier, seed=0):
            return super().explain(texts, classifier, seed)[::-1]

    with pytest.raises(ValueError, match="'fake_method' did not return one explanation for each"):
        run(tmp_path, explainer=Lossy())
    assert CorpusExplanations(tmp_path).missing == (0, 1, 2, 3)


# -- progress -----------------------------------------------------------------------------------


def test_a_log_gets_plain_lines(tmp_path, capsys, monkeypatch):
    run(tmp_path, progress=False)
    assert capsys.readouterr() == ("", "")
    CorpusExplanations(tmp_path).part_path(1).unlink()
    CorpusExplanations(tmp_path).part_path(3).unlink()
    clock = iter([100.0, 160.0, 170.0])
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: next(clock))
    run(tmp_path, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "fake_method (4 of 7 already there): 2 of 3 texts, about 30 s left",
        "fake_method (4 of 7 already there): 3 of 3 texts, 70.0 s",
    ]


def test_a_terminal_gets_a_bar(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    run(tmp_path, progress=True)
    assert "7/7" in capsys.readouterr().err


def test_weights_of_the_same_name_that_changed_are_refused(tmp_path, monkeypatch):
    explain_corpus(TEXTS, FakeClassifier(), FakeExplainer(), out=tmp_path, progress=False)
    monkeypatch.setattr(FakeClassifier, "identity", "weights after training")
    with pytest.raises(ValueError, match="the weights of the black box are others"):
        explain_corpus(TEXTS, FakeClassifier(), FakeExplainer(), out=tmp_path, progress=False)
    # A folder that does not say whose weights they were is read.
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["identity"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    method = FakeExplainer()
    explain_corpus(TEXTS, FakeClassifier(), method, out=tmp_path, progress=False)
    assert method.chunks == []


def test_a_function_that_answers_otherwise_is_refused(tmp_path):
    def first(texts):
        return np.array([[0.6, 0.4]] * len(texts))

    def turned(texts):
        return first(texts)[:, ::-1]

    ask = partial(explain_corpus, ["a b", "c"], method="occlusion", out=tmp_path, progress=False)
    whole = ask(as_classifier(first, ["x", "y"]))
    again = as_classifier(first, ["x", "y"])
    assert [one.to_json() for one in ask(again)] == [one.to_json() for one in whole]
    assert again.calls == 1
    with pytest.raises(
        ValueError, match=r"another black box .* it answered \[0.6, 0.4\], this one"
    ):
        ask(as_classifier(turned, ["x", "y"]))
