from __future__ import annotations

import platform
import re
import subprocess
from importlib import metadata

import pytest

from xai_lib.report import provenance as module
from xai_lib.report.schema import check


def test_fields(monkeypatch):
    monkeypatch.setenv("XAI_COMMIT", "abc123")
    monkeypatch.setenv("XAI_NOTEBOOK_SHA256", "f" * 64)
    record = module.provenance(seed=3, seconds=1.5, model_calls=12, precision="float32")
    assert record == {
        "commit": "abc123",
        "device": module.device_name("cpu"),
        "packages": module.versions(),
        "python": platform.python_version(),
        "seed": 3,
        "seconds": 1.5,
        "model_calls": 12,
        "notebook": "f" * 64,
        "precision": "float32",
    }
    more = module.provenance(seed=3, seconds=1.5, model_calls=12, cached_model_calls=40)
    assert (more["model_calls"], more["cached_model_calls"]) == (12, 40)
    row = {"mean": 1, "low": 1, "high": 1, "n": 9}
    fields = {"paper": "p", "item": "i", "title": "t", "profile": "ci", "columns": tuple(row)}
    nothing = {"comparisons": (), "data": (), "black_box": ()}
    check(fields | nothing | {"rows": (row,), "provenance": record})
    check(fields | nothing | {"rows": (row,), "provenance": more})


def test_versions():
    assert module.versions()["numpy"] == metadata.version("numpy")
    assert set(module.versions()) <= set(module.PACKAGES)


def test_cpu_name_is_general():
    assert re.fullmatch(r"CPU \(\w+, (1 core|\d+ cores)\)", module.device_name("cpu"))
    assert module.device_name("mps") == "mps"


def run_git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.delenv("XAI_COMMIT", raising=False)
    package = tmp_path / "xai_lib" / "report"
    package.mkdir(parents=True)
    monkeypatch.setattr(module, "__file__", str(package / "provenance.py"))
    return tmp_path


def test_commit_of_the_source_tree(tree):
    assert module.commit() == "unknown"
    run_git(tree, "init", "-q")
    assert module.commit() == "unknown"
    (tree / "a").write_text("1", encoding="utf-8")
    run_git(tree, "add", ".")
    run_git(tree, "commit", "-q", "-m", "one")
    clean = module.commit()
    assert re.fullmatch("[0-9a-f]{40}", clean)
    (tree / "a").write_text("2", encoding="utf-8")
    assert module.commit() == f"{clean}-dirty"


def test_commit_without_git(tree, monkeypatch):
    (tree / ".git").mkdir()
    monkeypatch.setenv("PATH", "")
    assert module.commit() == "unknown"
