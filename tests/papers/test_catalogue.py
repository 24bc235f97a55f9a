from __future__ import annotations

import pytest

from xai_lib import papers
from xai_lib.report.rules import RULES

ALL = papers.papers()


def test_every_numbered_item_of_lipex_is_listed():
    ids = {item.id for item in papers.items("lipex") if item.kind != "added"}
    assert ids == {f"figure-{i}" for i in range(1, 8)} | {f"table-{i}" for i in range(1, 8)}


def test_items_that_print_numbers():
    printed = {item.id for item in papers.items("lipex") if item.printed}
    assert printed == {f"table-{i}" for i in range(1, 8)}
    for item in papers.items("lipex"):
        assert (papers.published("lipex", item.id) is not None) == item.printed


@pytest.mark.parametrize("name", ALL)
def test_items_are_complete(name):
    for item in papers.items(name):
        assert item.kind in papers.catalogue.KINDS
        assert item.modality in ("text", "image", "both")
        assert item.title
        assert item.about
        assert item.pivot is None or item.pivot in item.keys
        for row in papers.published(name, item.id) or []:
            assert item.value in row
            assert set(row) <= {*item.keys, item.value, "sd"}


@pytest.mark.parametrize("name", ALL)
def test_claims_can_be_decided(name):
    claims = papers.claims(name)
    assert len({claim.id for claim in claims}) == len(claims)
    items = {item.id for item in papers.items(name)}
    settings = papers.paper(name).settings
    for claim in claims:
        assert claim.rule in RULES
        assert set(claim.reads) <= items
        assert claim.parameters["item"] in claim.reads
        assert set(claim.parameters["settings"]) <= set(settings)
        assert {settings[s].modality for s in claim.parameters["settings"]} == {claim.modality}
        assert claim.by in ("paper", "ours")
        assert claim.statement
        assert claim.criterion


def test_image_claims_are_told_apart():
    assert {claim.id for claim in papers.claims("lipex") if claim.modality == "image"} == {
        "lipex-tv-near-zero-images",
        "lipex-tracks-distortion-images",
        "lipex-beats-saliency-images",
        "lipex-reprediction-images",
        "lipex-stable-under-angle-images",
    }


def test_published_rows_are_copies():
    first = papers.published("lipex", "table-5")
    assert first is not None
    first[0]["mean"] = -1.0
    second = papers.published("lipex", "table-5")
    assert second is not None
    assert second[0]["mean"] == 8.66


def test_bibliography_and_setting_names():
    paper = papers.paper("lipex")
    assert paper.authors[0] == "Hongbo Zhu"
    assert paper.year == 2023
    assert paper.setting_name("newsgroups20") == "20 Newsgroups"
    assert paper.setting_name("planted") == "planted"
    assert paper.settings["emotion"].model == "BERT-base"


def test_unknown_names_list_the_valid_ones():
    with pytest.raises(ValueError, match=r"no paper 'lipx'; papers: .*lipex"):
        papers.items("lipx")
    with pytest.raises(ValueError, match=r"no item 'table-9'; items: .*figure-1.*table-7"):
        papers.published("lipex", "table-9")


PROFILES = """
ci: {n_texts: 4, n_samples: [20, 50]}
quick: {n_texts: 30}
paper:
broken: 3
"""


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    monkeypatch.delenv("XAI_PROFILES_DIR", raising=False)
    folder = tmp_path / "notebooks" / "profiles"
    folder.mkdir(parents=True)
    (folder / "lipex.yaml").write_text(PROFILES, encoding="utf-8")
    return folder


def test_profile_is_found_above_the_working_directory(profiles, monkeypatch):
    inner = profiles.parent.parent / "_build" / "ci" / "src"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert papers.load_profile("lipex", "ci") == {"n_texts": 4, "n_samples": [20, 50]}
    assert papers.load_profile("lipex", "paper") == {}


def test_profile_folder_from_the_environment_comes_first(profiles, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "lipex.yaml").write_text("ci: {n_texts: 7}", encoding="utf-8")
    monkeypatch.chdir(profiles)
    monkeypatch.setenv("XAI_PROFILES_DIR", str(other))
    assert papers.load_profile("lipex", "ci") == {"n_texts": 7}


def test_profile_errors(profiles, monkeypatch):
    monkeypatch.setenv("XAI_PROFILES_DIR", str(profiles))
    with pytest.raises(ValueError, match="no profile 'full'; profiles: ci, quick, paper"):
        papers.load_profile("lipex", "full")
    with pytest.raises(ValueError, match=r"'broken' of lipex\.yaml is not a mapping"):
        papers.load_profile("lipex", "broken")
    with pytest.raises(ValueError, match=r"ldav.yaml is in none of .*set XAI_PROFILES_DIR"):
        papers.load_profile("ldav", "ci")
